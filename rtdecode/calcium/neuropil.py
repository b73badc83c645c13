"""Rings around the cells, where the glow is that a cell's mean must lose."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rtdecode.calcium.masks import Masks, masks_from_lists

_GAP_PX = 2
"""Pixels around a cell that still carry its own light."""
_FEWEST_PIXELS = 30
_WIDEST_PX = 40
_MOST_PIXELS = 200
"""More pixels make the mean no better than the cell's own noise, only the scan slower."""


def neuropil_rings(masks: Masks, *, ring_px: int) -> Masks:
    """Rings of equal weights around each cell, free of all cells' pixels.

    A ring begins 2 px outside its cell and is `ring_px` wide; it widens where other cells leave
    it fewer than 30 pixels, and is thinned evenly where it has more than 200. A cell without any
    free pixel within 40 px keeps its own pixels, so that subtracting a share of it only scales.
    """
    taken = np.zeros(masks.shape, bool)
    taken.reshape(-1)[masks.pixels] = True
    rings = []
    for neuron in range(masks.count):
        own = masks.pixels[masks.indptr[neuron] : masks.indptr[neuron + 1]]
        ring = _ring(own, taken, ring_px)
        if len(ring) > _MOST_PIXELS:
            ring = ring[np.linspace(0, len(ring) - 1, _MOST_PIXELS).round().astype(int)]
        rings.append((ring, np.ones(len(ring), np.float32)))
    return masks_from_lists(masks.shape, rings)


def _ring(own: NDArray[np.int32], taken: NDArray[np.bool_], ring_px: int) -> NDArray[np.int32]:
    rows, cols = np.divmod(own, taken.shape[1])
    width = ring_px
    while True:
        reach = _GAP_PX + width
        top, left = max(0, rows.min() - reach), max(0, cols.min() - reach)
        free = ~taken[top : rows.max() + reach + 1, left : cols.max() + reach + 1]
        far = _distance(free.shape, rows - top, cols - left)
        found = np.argwhere(free & (far > _GAP_PX) & (far <= reach))
        if len(found) >= _FEWEST_PIXELS or width >= _WIDEST_PX:
            break
        width *= 2
    flat = ((found[:, 0] + top) * taken.shape[1] + found[:, 1] + left).astype(np.int32)
    return flat if len(flat) else own


def _distance(
    shape: tuple[int, ...], rows: NDArray[np.int32], cols: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Distance in pixels of each place to the nearest (row, col)."""
    outside = np.ones(shape, bool)
    outside[rows, cols] = False
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(outside)
    return distance
