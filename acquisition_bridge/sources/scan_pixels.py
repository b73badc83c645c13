"""Pixels of one scan as they travel: two-dimensional, uint16 or int16, little-endian."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]
"""(row, col) uint16 or int16."""

COUNT_TYPES = ("uint8", "uint16", "int16")


def as_counts(pixels: NDArray[Any]) -> Pixels:
    """Widen 8-bit counts to uint16 and turn big-endian ones round; the values stay."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint16)
    return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
