"""Twins of a screen of 6 x 8 px; see tests/fixtures/small_twins.py."""

from small_twins import _one_thread, make_frame, make_linear, noise, prior, twin
