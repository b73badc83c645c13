"""Twins of a screen of 6 x 8 px and still twins; see tests/fixtures."""

from simple_mice import still_twin
from small_twins import _one_thread, make_frame, make_linear, noise, prior, twin
