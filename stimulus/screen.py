"""The interface of screens for playback, and a headless screen for tests and machines without one.

A picture is drawn into a hidden buffer and becomes visible at the flip.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock


class Screen(Protocol):
    """A double-buffered window on a monitor, or an equivalent."""

    @property
    def refresh_hz(self) -> float | None:
        """Refresh rate in Hz where flips wait for the monitor; None where they return at once."""
        ...

    def draw(self, luminance: NDArray[np.uint8], *, patch: int) -> None:
        """Draw a (row, col) uint8 picture and the sync patch at grey level `patch`.

        Drawing is complete when the method returns. The array must not change afterwards: the same
        array is not copied again.
        """
        ...

    def flip(self) -> int:
        """Make the drawn picture visible; the HostNs at which it was."""
        ...

    def is_quit(self) -> bool:
        """True once a quit key was pressed at the screen."""
        ...

    def close(self) -> None:
        """Release the screen."""
        ...


class HeadlessScreen:
    """A screen without a window: flips are timed, and the visible picture is kept for tests.

    Parameters
    ----------
    clock
        Source of the flip times.
    refresh_hz
        Rate in Hz of simulated refreshes for which each flip waits; None flips at once.
    """

    def __init__(self, clock: Clock, *, refresh_hz: float | None = None) -> None:
        self._clock, self._refresh_hz = clock, refresh_hz
        self._drawn: tuple[NDArray[np.uint8], int] | None = None
        self.visible: tuple[NDArray[np.uint8], int] | None = None
        """(picture, grey level of the sync patch); None before the first flip."""

    @property
    def refresh_hz(self) -> float | None:
        return self._refresh_hz

    def draw(self, luminance: NDArray[np.uint8], *, patch: int) -> None:
        self._drawn = luminance, patch

    def flip(self) -> int:
        if self._refresh_hz is not None:
            refreshes = FrameGrid(self._refresh_hz)
            following = refreshes.frame_at(self._clock.now_ns()) + 1
            self._clock.sleep_until(refreshes.start_ns(following))
        self.visible = self._drawn
        return self._clock.now_ns()

    def is_quit(self) -> bool:
        return False

    def close(self) -> None:
        self._drawn = None
