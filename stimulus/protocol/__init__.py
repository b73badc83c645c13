"""Stimulus protocols: rendering of their stimuli, trial by trial, and the log of the trials."""
