"""Training of a twin on a recorded session, with its noise model and its calibrated uncertainty."""
