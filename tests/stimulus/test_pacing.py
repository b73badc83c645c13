"""Frames go out at the start of a grid frame, or for a number of refreshes; none is left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from stimulus.pacing import DeadlinePacing, Pacing, RefreshPacing, pacing_for
from stimulus.screen import HeadlessScreen

MS = 1_000_000
GRID = FrameGrid(30.0)
PICTURE = np.zeros((36, 64), np.uint8)


@dataclass
class SlowScreen:
    """A screen on which drawing takes its time; `draw_ms` are repeated."""

    draw_ms: Sequence[float]
    now: int = 0
    refresh_hz: float | None = None
    flips: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._draw_ms = cycle(self.draw_ms)

    def now_ns(self) -> int:
        return self.now

    def sleep_until(self, t_ns: int) -> None:
        self.now = max(self.now, t_ns)

    def draw(self, luminance: NDArray[np.uint8], *, patch: int) -> None:
        self.now += round(next(self._draw_ms) * MS)

    def flip(self) -> int:
        self.flips.append(self.now)
        return self.now

    def is_quit(self) -> bool:
        return False

    def close(self) -> None:
        pass


def shown(pacing: Pacing, frames: int) -> list[tuple[int, int]]:
    flips = []
    for number in range(frames):
        flips.append(pacing.show(PICTURE, patch=number % 2))
        pacing.hold(PICTURE, patch=number % 2)
    return flips


def starts(first_ns: int, count: int) -> list[int]:
    first = GRID.frame_at(first_ns)
    return [GRID.start_ns(first + number) for number in range(count)]


@given(start=st.integers(0, 10**12), draw_ms=st.lists(st.floats(0, 16), min_size=1, max_size=8))
def test_in_time_every_frame_starts_its_grid_frame(start: int, draw_ms: list[float]) -> None:
    screen = SlowScreen(draw_ms, now=start)
    flips = [t for t, _ in shown(DeadlinePacing(screen, clock=screen, frame_rate_hz=30.0), 40)]
    assert flips[1:] == starts(flips[1], 39)


def test_twelve_hundred_frames_do_not_drift() -> None:
    screen = SlowScreen([4.0, 9.0, 2.0], now=777_777_777_777)
    flips = [t for t, _ in shown(DeadlinePacing(screen, clock=screen, frame_rate_hz=30.0), 1201)]
    assert flips[1:] == starts(flips[1], 1200)
    assert flips[-1] - flips[1] == pytest.approx(1199 / 30 * 1e9, abs=1)


@given(start=st.integers(0, 10**12), draw_ms=st.lists(st.floats(0, 150), min_size=1, max_size=8))
def test_late_or_not_no_frame_is_shown_for_a_moment_only(start: int, draw_ms: list[float]) -> None:
    screen = SlowScreen(draw_ms, now=start)
    flips = [t for t, _ in shown(DeadlinePacing(screen, clock=screen, frame_rate_hz=30.0), 40)]
    middles = [GRID.frame_at(t + round(0.5e9 / 30)) for t in flips]
    assert sorted(set(middles)) == middles
    assert min(np.diff(flips)) > 16 * MS


def test_a_little_late_goes_out_at_once_and_much_later_waits_for_the_next() -> None:
    screen = SlowScreen([0.0, 40.0, 0.0, 60.0, 0.0], now=GRID.start_ns(300))
    flips = [t for t, _ in shown(DeadlinePacing(screen, clock=screen, frame_rate_hz=30.0), 5)]
    late_ms = [(flip - GRID.start_ns(300)) / MS for flip in flips]
    assert late_ms == pytest.approx([0, 40, 66.667, 133.333, 166.667], abs=1e-3)


def test_on_a_monitor_between_frames_is_drawn_for_each_of_its_refreshes(clock: Clock) -> None:
    screen = HeadlessScreen(clock, refresh_hz=75.0)
    pacing = pacing_for(screen, clock=clock, frame_rate_hz=30.0)
    assert isinstance(pacing, RefreshPacing)
    flips = shown(pacing, 301)
    assert [refreshes for _, refreshes in flips[:4]] == [2, 3, 2, 3]
    between = np.diff([t for t, _ in flips]) * 75 / 1e9
    np.testing.assert_allclose(between, [2, 3] * 150, atol=1e-6)


def test_the_screen_chooses_its_pacing(clock: Clock) -> None:
    virtual = pacing_for(HeadlessScreen(clock), clock=clock, frame_rate_hz=30.0)
    monitor = pacing_for(HeadlessScreen(clock, refresh_hz=60.0), clock=clock, frame_rate_hz=30.0)
    assert isinstance(virtual, DeadlinePacing)
    assert (virtual.refresh_hz, monitor.refresh_hz) == (30.0, 60.0)


@given(start=st.integers(0, 10**12), draw_ms=st.lists(st.floats(0, 16), min_size=1, max_size=8))
def test_frames_that_are_drawn_as_late_as_possible_start_their_grid_frame(
    start: int, draw_ms: list[float]
) -> None:
    screen = SlowScreen(draw_ms, now=start)
    pacing, flips, expected = DeadlinePacing(screen, clock=screen, frame_rate_hz=30.0), [], []
    for number in range(100):
        screen.now += round(pacing.spare_s() * 1e9)
        expected.append(pacing.next_flip_ns())
        flips.append(pacing.show(PICTURE, patch=number % 2)[0])
    # the longest drawings are known after the pattern has come twice
    assert flips[17:] == expected[17:]
    assert flips[17:] == starts(flips[17], 83)


@dataclass
class SwappingScreen:
    """A monitor of 60 Hz, at which a picture must be complete `swap_ms` before a refresh."""

    swap_ms: float
    now: int = 0
    refresh_hz: float | None = 60.0
    flips: list[int] = field(default_factory=list)

    def now_ns(self) -> int:
        return self.now

    def draw(self, luminance: NDArray[np.uint8], *, patch: int) -> None:
        self.now += MS

    def flip(self) -> int:
        refreshes = FrameGrid(60.0)
        self.now = refreshes.start_ns(refreshes.frame_at(self.now + round(self.swap_ms * MS)) + 1)
        self.flips.append(self.now)
        return self.now


@pytest.mark.parametrize(("swap_ms", "most_missed"), [(0.5, 0), (6.0, 40)])
def test_late_drawing_is_given_up_where_the_monitor_needs_more_time(
    swap_ms: float, most_missed: int
) -> None:
    screen = SwappingScreen(swap_ms)
    pacing = RefreshPacing(screen, clock=screen, refresh_hz=60.0, frame_rate_hz=30.0)  # type: ignore[arg-type]
    for _ in range(600):
        screen.now += round(pacing.spare_s() * 1e9)
        pacing.show(PICTURE, patch=0)
        pacing.hold(PICTURE, patch=0)
    missed = np.diff(screen.flips) > 1.5e9 / 60
    assert missed.sum() <= most_missed
