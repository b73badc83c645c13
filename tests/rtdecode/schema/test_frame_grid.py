"""Frames tile time without gap or overlap, for any rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.frame_grid import FrameGrid

RATES = st.floats(0.5, 240)
TIMES = st.integers(0, 10**16)


@given(rate_hz=RATES, t_ns=TIMES)
def test_each_moment_lies_in_its_frame(rate_hz: float, t_ns: int) -> None:
    grid = FrameGrid(rate_hz)
    frame = grid.frame_at(t_ns)
    assert grid.start_ns(frame) <= t_ns
    assert t_ns < grid.start_ns(frame + 1)


@given(rate_hz=RATES, frame=st.integers(0, 10**7))
def test_the_middle_lies_between_start_and_next_start(rate_hz: float, frame: int) -> None:
    grid = FrameGrid(rate_hz)
    assert grid.start_ns(frame) < grid.middle_ns(frame) < grid.start_ns(frame + 1)
    assert grid.frame_at(grid.middle_ns(frame)) == frame


@pytest.mark.parametrize(("t_ns", "frame"), [(0, 0), (33_333_332, 0), (33_333_333, 1), (10**9, 30)])
def test_thirty_frames_a_second_begin_with_the_clock(t_ns: int, frame: int) -> None:
    assert FrameGrid(30.0).frame_at(t_ns) == frame
