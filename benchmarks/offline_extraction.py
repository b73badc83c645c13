"""Fluorescence traces computed offline, against which benchmarks compare the calcium chain."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rtdecode.calcium.rois import Rois

Floats = NDArray[np.float64]


def offline_traces(movie: NDArray[Any], rois: Rois, shifts_px: Floats) -> Floats:
    """(scan, neuron) weighted means after a cubic shift of each scan by (row, col) px."""
    dense = np.zeros((rois.count, movie[0].size))
    for neuron, (first, last) in enumerate(zip(rois.indptr, rois.indptr[1:], strict=False)):
        dense[neuron, rois.pixels[first:last]] = rois.weights[first:last]
    dense /= dense.sum(1, keepdims=True)
    moved = (
        ndimage.shift(scan.astype(float), shift, order=3)
        for scan, shift in zip(movie, shifts_px, strict=True)
    )
    return np.array([dense @ scan.ravel() for scan in moved])


def correlation(chain: NDArray[Any], offline: Floats) -> dict[str, float]:
    """Median and lowest correlation over neurons of two (scan, neuron) arrays."""
    r = [float(np.corrcoef(a, b)[0, 1]) for a, b in zip(chain.T, offline.T, strict=True)]
    return {"median_r": float(np.median(r)), "lowest_r": min(r)}
