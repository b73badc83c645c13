"""A simulated mouse under a simulated two-photon microscope, in simulated time."""
