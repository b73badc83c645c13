"""Exact area averaging of a picture of any size to the pixels of the screen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def overlap_weights(start: float, stop: float, *, cells: int, parts: int) -> F32:
    """Weights that average the span [start, stop) of `cells` unit cells to `parts` equal parts.

    Returns
    -------
    (parts, cells) float32; each row sums to 1 and holds the share of each cell in its part.
    """
    edges = np.linspace(start, stop, parts + 1)
    cell = np.arange(cells)
    upper = np.minimum(edges[1:, None], cell + 1)
    lower = np.maximum(edges[:-1, None], cell)
    return np.asarray(np.clip(upper - lower, 0, None) / ((stop - start) / parts), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Shrinker:
    """Centre crop to the screen's proportions, then exact area averaging."""

    down: F32
    """(rows of the screen, rows of the picture)."""
    across: F32
    """(columns of the picture, columns of the screen)."""

    @classmethod
    def between(
        cls, picture: tuple[int, int], screen: tuple[int, int], *, pixel_aspect: float = 1.0
    ) -> "Shrinker":
        """A shrinker from (rows, cols) of the picture to those of the screen.

        `pixel_aspect` is width by height of a pixel of the picture; the screen's are square.
        """
        rows, cols = picture
        wide = screen[1] / screen[0]
        kept_rows = min(rows, cols * pixel_aspect / wide)
        kept_cols = min(cols, rows * wide / pixel_aspect)
        top, left = (rows - kept_rows) / 2, (cols - kept_cols) / 2
        down = overlap_weights(top, top + kept_rows, cells=rows, parts=screen[0])
        across = overlap_weights(left, left + kept_cols, cells=cols, parts=screen[1])
        return cls(down, np.ascontiguousarray(across.T))

    @property
    def picture(self) -> tuple[int, int]:
        """(rows, cols) of the pictures that it takes."""
        return self.down.shape[1], self.across.shape[0]

    def shrunk(self, luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(rows, cols) grey levels of the screen."""
        means = self.down @ luma.astype(np.float32) @ self.across
        return np.asarray(np.clip(np.rint(means), 0, 255), np.uint8)
