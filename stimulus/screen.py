"""What a screen must offer: pictures are drawn out of sight and appear at the flip."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


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
