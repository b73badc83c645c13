"""Rings surround their cell and contain no pixel of a cell."""

import numpy as np

from rtdecode.calcium.extract import neuropil_rings
from rtdecode.calcium.rois import Rois, rois_from_lists


def disc(row: int, col: int) -> tuple[np.ndarray, np.ndarray]:
    rows, cols = np.mgrid[:60, :60]
    pixels = np.flatnonzero((rows - row) ** 2 + (cols - col) ** 2 <= 16)
    return pixels, np.ones(len(pixels))


def own(rois: Rois, neuron: int) -> np.ndarray:
    return rois.pixels[rois.indptr[neuron] : rois.indptr[neuron + 1]]


def test_a_ring_excludes_all_cells_and_their_margin() -> None:
    rois = rois_from_lists((60, 60), [disc(20, 20), disc(20, 30), disc(50, 50)])
    rings = neuropil_rings(rois, ring_px=6)
    assert not np.isin(rings.pixels, rois.pixels).any()
    row, col = np.divmod(own(rings, 0), 60)
    distance = np.hypot(row - 20, col - 20)
    assert distance.min() > 5.5
    assert distance.max() <= 13


def test_a_cell_without_any_free_pixel_keeps_its_own() -> None:
    everything = (np.arange(100), np.ones(100))
    rois = rois_from_lists((10, 10), [everything, (np.array([5]), np.ones(1))])
    assert own(neuropil_rings(rois, ring_px=3), 1).tolist() == [5]
