"""From a recorded session to a twin, a baseline, a mask, and offline reconstructions."""
