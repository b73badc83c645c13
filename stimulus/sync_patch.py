"""The corner square that a photodiode watches: it changes with every movie frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WHITE, BLACK = 255, 0


@dataclass(frozen=True, slots=True)
class SyncPatch:
    """A square of `size_px` window pixels in the lower right corner; none if it is 0."""

    size_px: int
    window_px: tuple[int, int]
    """(width, height) of the window."""

    @property
    def center_px(self) -> tuple[float, float]:
        """(x, y) of its centre from the window's centre, y upwards."""
        width, height = self.window_px
        return (width - self.size_px) / 2, (self.size_px - height) / 2

    @property
    def probe_px(self) -> tuple[int, int]:
        """(x, y) of a pixel in its middle, from the window's upper left corner, y downwards."""
        width, height = self.window_px
        return width - self.size_px // 2 - 1, height - self.size_px // 2 - 1

    def grey(self, number: int) -> int:
        """Grey level with movie frame `number`, counted over all clips: white, black, white ..."""
        return BLACK if number % 2 else WHITE

    def drawn_on(self, window: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
        """A (height, width) picture of the window with the patch in it."""
        patched = window.copy()
        if self.size_px:
            patched[-self.size_px :, -self.size_px :] = self.grey(number)
        return patched
