"""A simulated mouse under a simulated microscope: no socket, no clock."""
