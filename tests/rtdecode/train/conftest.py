"""Simple mice and small twins; see tests/fixtures."""

from simple_mice import _one_thread, holed_session, linear_mouse, still_twin, watch
from small_twins import make_frame, make_linear, noise, prior, twin
