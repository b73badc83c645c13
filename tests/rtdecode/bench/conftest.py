"""Simple mice; see tests/fixtures/simple_mice.py."""

from simple_mice import _one_thread, holed_session, linear_mouse, still_twin, watch
