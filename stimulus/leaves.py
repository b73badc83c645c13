"""Pictures of overlapping discs, whose statistics are near those of natural scenes."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

_TEXTURE = 0.15


def dead_leaves(rng: Generator, size_px: int = 512, *, discs: int = 1500) -> NDArray[np.float32]:
    """A picture in the dead-leaves model (Lee, Mumford & Huang 2001, Int. J. Comput. Vis.).

    Discs with a density of radii that falls as r^-3 are laid over each other, each with a grey
    level and a fine texture of its own. Occlusion makes edges and a 1/f amplitude spectrum; it adds
    as many scenes to a training set as wanted, none of which anybody owns.

    Returns
    -------
    (size_px, size_px) float32 grey levels 0..255.
    """
    picture = np.full((size_px, size_px), 128, np.float32)
    texture = rng.normal(0, _TEXTURE, picture.shape).astype(np.float32)
    smallest, largest = 6.0, size_px / 3
    radii = 1 / np.sqrt(rng.uniform(largest**-2, smallest**-2, discs))
    for radius, (row, col), grey in zip(
        radii, rng.uniform(0, size_px, (discs, 2)), rng.uniform(10, 245, discs), strict=True
    ):
        top, left = max(0, int(row - radius)), max(0, int(col - radius))
        box = picture[top : int(row + radius) + 2, left : int(col + radius) + 2]
        rows, cols = np.ogrid[top : top + box.shape[0], left : left + box.shape[1]]
        inside = (rows - row) ** 2 + (cols - col) ** 2 < radius**2
        box[inside] = grey
    return np.asarray(np.clip(picture * (1 + texture), 0, 255), np.float32)
