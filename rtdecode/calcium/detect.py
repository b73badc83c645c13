"""A quick start without masks: cells as places where neighbouring pixels rise and fall together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rtdecode.calcium.extract import Mover
from rtdecode.calcium.masks import Masks, masks_from_lists
from rtdecode.calcium.register import Registrar
from rtdecode.schema.errors import NoCellsFoundError

_SMOOTH_PX = 1.0
_LEAST_CORRELATION = 0.15
_ABOVE_TYPICAL_SD = 2.0
_LEAST_ON_SEED = 0.4
"""Correlation with the seed's trace, as a share of the seed's own, that a cell's pixel must have."""
_EDGE_PX = 4
_FEWEST_PIXELS = 12


def detected_masks(
    scans: Sequence[NDArray[Any]],
    *,
    reference: NDArray[Any],
    max_shift_px: float,
    radius_px: int = 6,
    most: int = 2000,
) -> Masks:
    """Masks of what looks like cells in some hundred scans; raises NoCellsFoundError for none.

    1. The scans are registered, their slow mean is taken off, and they are smoothed by 1 px.
    2. Each pixel's mean correlation with its eight neighbours two pixels away is the image in
       which cells stand out: independent noise does not correlate, and smoothing reaches less far.
    3. Local maxima of that image are seeds, the brightest first, no two within `radius_px`.
    4. A cell is the connected pixels around its seed whose traces correlate with the seed's.

    It finds active cells only, and takes bright neuropil for a cell here and there; for
    experiments use suite2p or CaImAn.
    """
    movie = _aligned(scans, reference, max_shift_px)
    movie -= ndimage.uniform_filter1d(movie, max(3, len(movie) // 4), axis=0)
    movie /= movie.std(0) + np.float32(1e-6)
    correlation = _neighbour_correlation(movie)
    neurons = []
    taken = np.zeros(correlation.shape, bool)
    for row, col in _seeds(correlation, radius_px)[:most]:
        pixels, weights = _grown(movie, taken, seed=(row, col), radius_px=radius_px)
        if len(pixels) >= _FEWEST_PIXELS:
            neurons.append((pixels, weights))
            taken.reshape(-1)[pixels] = True
    if not neurons:
        raise NoCellsFoundError(scans=len(scans))
    return masks_from_lists((correlation.shape[0], correlation.shape[1]), neurons)


def _aligned(
    scans: Sequence[NDArray[Any]], reference: NDArray[Any], max_shift_px: float
) -> NDArray[np.float32]:
    registrar, mover = Registrar(reference, max_shift_px=max_shift_px), Mover(reference.shape)
    movie = np.empty((len(scans), *reference.shape), np.float32)
    for place, scan in zip(movie, scans, strict=True):
        shift = registrar.shift(scan)
        moved, _ = mover.move(scan, row_px=shift.row_px, col_px=shift.col_px)
        ndimage.gaussian_filter(moved, _SMOOTH_PX, output=place)
    return movie


def _neighbour_correlation(movie: NDArray[np.float32]) -> NDArray[np.float32]:
    """(row, col) mean correlation of standardised traces with those 2 px away, 0 near the edge."""
    step = 2
    total = np.zeros(movie.shape[1:], np.float32)
    for down, right in ((0, step), (step, 0), (step, step), (step, -step)):
        product = (movie * np.roll(movie, (down, right), (1, 2))).mean(0)
        total += product + np.roll(product, (-down, -right), (0, 1))
    image = np.zeros_like(total)
    edge = slice(_EDGE_PX, -_EDGE_PX)
    image[edge, edge] = total[edge, edge] / 8
    return image


def _seeds(correlation: NDArray[np.float32], radius_px: int) -> NDArray[np.int64]:
    """(seed, 2) local maxima, the highest first."""
    smooth = ndimage.gaussian_filter(correlation, _SMOOTH_PX)
    inner = smooth[_EDGE_PX:-_EDGE_PX, _EDGE_PX:-_EDGE_PX]
    typical = float(np.median(inner))
    spread = 1.4826 * float(np.median(np.abs(inner - typical)))
    least = max(_LEAST_CORRELATION, typical + _ABOVE_TYPICAL_SD * spread)
    top = ndimage.maximum_filter(smooth, size=radius_px + 1)
    seeds = np.argwhere((smooth == top) & (smooth > least))
    return seeds[np.argsort(-smooth[tuple(seeds.T)], kind="stable")]


def _grown(
    movie: NDArray[np.float32],
    taken: NDArray[np.bool_],
    *,
    seed: tuple[int, int],
    radius_px: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    row, col = seed
    top, left = max(0, row - radius_px), max(0, col - radius_px)
    window = (slice(top, row + radius_px + 1), slice(left, col + radius_px + 1))
    own = movie[:, max(0, row - 1) : row + 2, max(0, col - 1) : col + 2].mean((1, 2))
    alike = np.tensordot(own, movie[:, *window], (0, 0)) / len(movie)
    rows, cols = np.indices(alike.shape)
    near = (rows - (row - top)) ** 2 + (cols - (col - left)) ** 2 <= radius_px**2
    member = (alike > _LEAST_ON_SEED * alike[row - top, col - left]) & near & ~taken[window]
    labels, _ = ndimage.label(member)
    cell = member & (labels == labels[row - top, col - left]) & (labels > 0)
    found = np.argwhere(cell)
    flat = (found[:, 0] + top) * movie.shape[2] + found[:, 1] + left
    return flat.astype(np.int64), alike[cell].astype(np.float32)
