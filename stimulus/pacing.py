"""Timing of flips for the frame loop: deadlines on a virtual screen, refreshes on a monitor.

A frame is drawn as late as its flip permits where a command may still choose another one: by the
time that drawing has taken lately, and a margin.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.errors import RefreshRateError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from stimulus.playlist import holds
from stimulus.screen import Screen

_USUAL_HZ = (50, 60, 70, 72, 75, 85, 90, 100, 120, 144, 165, 170, 180, 200, 240, 280, 360)
_NEAR = 0.02
_STEADY = 0.1
_DRAWINGS = 60
"""Drawings by which the time of the next one is estimated: the second longest of them."""
_MISSED = 0.5
"""Periods after the expected flip from which on a refresh was missed."""
MARGIN_NS = 2_000_000
"""Time between the end of drawing, as estimated, and the flip."""


def refresh_rate(flips_ns: Sequence[int], *, configured_hz: float | None) -> float | None:
    """Refresh rate of a screen, from the times at which consecutive flips returned.

    Parameters
    ----------
    flips_ns
        HostNs of flips that were requested back to back.
    configured_hz
        Refresh rate of the config, in Hz, which the measured rate must match within 2 %;
        None accepts any rate that monitors have.

    Returns
    -------
    Hz, the reciprocal of the median interval. None where flips do not wait for the monitor
    (virtual screens, remote desktops, vertical synchronisation off): more than 10 % of the
    intervals then differ from their median, or the rate is none that monitors have.

    Raises
    ------
    RefreshRateError
        If the measured rate is not the configured one.
    """
    intervals_s = np.diff(flips_ns) / 1e9
    middle_s = float(np.median(intervals_s))
    steady = np.mean(np.abs(intervals_s - middle_s) < _STEADY * middle_s) > 1 - _STEADY
    measured_hz = 1 / middle_s
    if configured_hz is not None:
        if not steady or abs(measured_hz / configured_hz - 1) > _NEAR:
            raise RefreshRateError(got_hz=measured_hz, expected=f"{configured_hz:g} as configured")
        return configured_hz
    near = min(_USUAL_HZ, key=lambda usual: abs(measured_hz / usual - 1))
    return measured_hz if steady and abs(measured_hz / near - 1) < _NEAR else None


class Pacing(Protocol):
    """Shows one movie frame for its duration."""

    @property
    def refresh_hz(self) -> float:
        """Rate in Hz of the refreshes in which the duration of a frame is counted."""
        ...

    def next_flip_ns(self) -> int:
        """HostNs of the flip of `show`, as expected now."""
        ...

    def spare_s(self) -> float:
        """Time in s until `show` must begin to draw for that flip; 0 where it must begin now."""
        ...

    def show(self, luminance: NDArray[np.uint8], *, patch: int) -> tuple[int, int]:
        """Flip to the picture; (HostNs of the flip, refreshes for which it is planned to stay)."""
        ...

    def hold(self, luminance: NDArray[np.uint8], *, patch: int) -> None:
        """Keep the picture on the screen; returns when the next one may be drawn."""
        ...


class DrawingTimes:
    """How long drawing takes, from the last drawings.

    >>> times = DrawingTimes()
    >>> for ms in (3, 4, 90, 5):
    ...     times.add(ms * 1_000_000)
    >>> times.expected_ns
    5000000
    """

    def __init__(self) -> None:
        self._last_ns: deque[int] = deque(maxlen=_DRAWINGS)

    def add(self, elapsed_ns: int) -> None:
        """Record one drawing."""
        self._last_ns.append(elapsed_ns)

    @property
    def expected_ns(self) -> int | None:
        """The second longest of the last 60, since one may be an exception; None before two."""
        return sorted(self._last_ns)[-2] if len(self._last_ns) > 1 else None

    def spare_s(self, until_flip_ns: int) -> float:
        """Time in s that is left before drawing must begin; 0 while nothing is known of it."""
        expected_ns = self.expected_ns
        if expected_ns is None:
            return 0.0
        return max(0, until_flip_ns - expected_ns - MARGIN_NS) / 1e9


class DeadlinePacing:
    """Flips at the start of a frame of the grid; for screens whose flip does not wait.

    A frame that is drawn late is flipped at once in the first half of its grid frame, and at
    the start of the next grid frame otherwise. No movie frame is skipped: its predecessor stays
    longer.
    """

    def __init__(self, screen: Screen, *, clock: Clock, frame_rate_hz: float) -> None:
        self._screen, self._clock, self._grid = screen, clock, FrameGrid(frame_rate_hz)
        self._next, self._drawing = 0, DrawingTimes()

    @property
    def refresh_hz(self) -> float:
        return self._grid.rate_hz

    def next_flip_ns(self) -> int:
        now_ns = self._clock.now_ns()
        return max(now_ns, self._grid.start_ns(max(self._next, self._nearest(now_ns))))

    def spare_s(self) -> float:
        return self._drawing.spare_s(self.next_flip_ns() - self._clock.now_ns())

    def show(self, luminance: NDArray[np.uint8], *, patch: int) -> tuple[int, int]:
        begun_ns = self._clock.now_ns()
        self._screen.draw(luminance, patch=patch)
        self._drawing.add(self._clock.now_ns() - begun_ns)
        self._next = max(self._next, self._nearest(self._clock.now_ns()))
        self._clock.sleep_until(self._grid.start_ns(self._next))
        t_flip_ns = self._screen.flip()
        # counted from the flip, so that no frame is cut short after a late one
        self._next = self._nearest(t_flip_ns) + 1
        return t_flip_ns, 1

    def _nearest(self, t_ns: int) -> int:
        """Frame of the grid whose start is nearest to `t_ns`."""
        return self._grid.frame_at(t_ns + round(0.5e9 / self._grid.rate_hz))

    def hold(self, luminance: NDArray[np.uint8], *, patch: int) -> None:
        """Do nothing: the picture stays until the next flip."""


class RefreshPacing:
    """Holds each frame for its number of refreshes, on a screen whose flip waits for them."""

    def __init__(
        self, screen: Screen, *, clock: Clock, refresh_hz: float, frame_rate_hz: float
    ) -> None:
        self._screen, self._clock, self._refresh_hz = screen, clock, refresh_hz
        self._holds: Iterator[int] = holds(refresh_hz, frame_rate_hz)
        self._left, self._flip_ns, self._drawing = 0, 0, DrawingTimes()

    @property
    def refresh_hz(self) -> float:
        return self._refresh_hz

    def next_flip_ns(self) -> int:
        # flips return at a refresh, so the next one is a period later
        return max(self._clock.now_ns(), self._flip_ns + round(1e9 / self._refresh_hz))

    def spare_s(self) -> float:
        return self._drawing.spare_s(self.next_flip_ns() - self._clock.now_ns())

    def show(self, luminance: NDArray[np.uint8], *, patch: int) -> tuple[int, int]:
        refreshes = next(self._holds)
        self._left = refreshes - 1
        return self._flip(luminance, patch), refreshes

    def hold(self, luminance: NDArray[np.uint8], *, patch: int) -> None:
        for _ in range(self._left):
            self._flip(luminance, patch)

    def _flip(self, luminance: NDArray[np.uint8], patch: int) -> int:
        begun_ns, expected_ns = self._clock.now_ns(), self.next_flip_ns()
        self._screen.draw(luminance, patch=patch)
        drawn_ns = self._clock.now_ns()
        self._flip_ns = self._screen.flip()
        missed_ns = self._flip_ns - expected_ns
        # a missed refresh counts as slow drawing: where the margin is too short for this monitor,
        # frames are drawn at once again
        late_ns = missed_ns if missed_ns > _MISSED * 1e9 / self._refresh_hz else 0
        self._drawing.add(drawn_ns - begun_ns + late_ns)
        return self._flip_ns


def pacing_for(screen: Screen, *, clock: Clock, frame_rate_hz: float) -> Pacing:
    """RefreshPacing where flips wait for the monitor, DeadlinePacing elsewhere."""
    if screen.refresh_hz is None:
        return DeadlinePacing(screen, clock=clock, frame_rate_hz=frame_rate_hz)
    return RefreshPacing(
        screen, clock=clock, refresh_hz=screen.refresh_hz, frame_rate_hz=frame_rate_hz
    )
