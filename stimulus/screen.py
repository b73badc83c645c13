"""What a screen must offer: pictures are drawn out of sight and appear at the flip."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock


class Screen(Protocol):
    """A window on a monitor, or something that behaves like one."""

    @property
    def refresh_hz(self) -> float | None:
        """Refreshes a second where flips wait for the monitor; None where they return at once."""
        ...

    def draw(self, luminance: NDArray[np.uint8], *, patch: int) -> None:
        """Draw a (row, col) picture and the sync patch's grey level; complete when it returns."""
        ...

    def flip(self) -> int:
        """Make what was drawn visible; HostNs at which it was."""
        ...

    def is_quit(self) -> bool:
        """True once somebody at the screen has asked for the end."""
        ...

    def close(self) -> None:
        """Give the screen back."""
        ...


class HeadlessScreen:
    """Flips at once and tells the time; it keeps the picture that would be visible.

    Parameters
    ----------
    clock
        Where the flip's time comes from.
    refresh_hz
        With a value, each flip waits for the next refresh, as on a real monitor.
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
