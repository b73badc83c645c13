"""ROIs by local correlation, to try a movie for which no ROIs were drawn; for the pipeline."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rtdecode.calcium.extract import Mover
from rtdecode.calcium.register import Registrar
from rtdecode.calcium.rois import Rois, rois_from_lists
from rtdecode.schema.errors import NoCellsFoundError

_IMAGES = 100
_FEWEST_IMAGES = 3
_SMOOTH_PX = 1.0
_LEAST_CORRELATION = 0.05
_ABOVE_TYPICAL_SD = 3.0
_LEAST_ON_SEED = 0.5
"""Correlation of a member pixel, as a fraction of the median correlation around the seed."""
_EDGE_PX = 4
_NEIGHBOURS = 8
_STEP_PX = 2
_SD_OF_MAD = 1.4826
_FEWEST_PIXELS = 20


def detected_rois(
    scans: Sequence[NDArray[Any]],
    *,
    reference: NDArray[Any],
    max_shift_px: float,
    radius_px: int = 6,
    most: int = 2000,
) -> Rois:
    """ROIs of active cells in a few hundred scans.

    1. The scans are registered and averaged in time to about 100 images; slow changes are removed.
    2. The local correlation image holds each pixel's mean correlation with the eight pixels two
       away: shot noise is uncorrelated, and interpolation mixes adjacent pixels only.
    3. Local maxima of the smoothed image are seeds, in descending order, outside earlier ROIs.
    4. A ROI is the connected region of pixels whose traces correlate with those of the seed.

    Inactive cells are missed and bright neuropil is occasionally included; for experiments use
    suite2p or CaImAn.

    Parameters
    ----------
    scans
        (row, col) counts of successive scans.
    reference
        (row, col) mean image in counts.
    max_shift_px
        Largest shift of the registration.
    radius_px
        Largest radius of a ROI.
    most
        Largest number of ROIs.

    Raises
    ------
    NoCellsFoundError
        If no seed has a large enough region.
    """
    movie = _aligned(scans, reference, max_shift_px)
    # slow changes correlate over the whole field and would hide cells
    movie -= ndimage.uniform_filter1d(movie, max(_FEWEST_IMAGES, len(movie) // 3), axis=0)
    movie /= movie.std(0) + np.float32(1e-6)
    correlation = _neighbour_correlation(movie)
    neurons = []
    taken = np.zeros(correlation.shape, bool)
    for row, col in _seeds(correlation, radius_px)[:most]:
        if taken[row, col]:
            continue
        pixels, weights = _grown(movie, taken, seed=(row, col), radius_px=radius_px)
        if len(pixels) >= _FEWEST_PIXELS:
            neurons.append((pixels, weights))
            taken.reshape(-1)[pixels] = True
    if not neurons:
        raise NoCellsFoundError(scans=len(scans))
    return rois_from_lists((correlation.shape[0], correlation.shape[1]), neurons)


def _aligned(
    scans: Sequence[NDArray[Any]], reference: NDArray[Any], max_shift_px: float
) -> NDArray[np.float32]:
    registrar, mover = Registrar(reference, max_shift_px=max_shift_px), Mover(reference.shape)
    together = max(1, len(scans) // _IMAGES)
    movie = np.zeros((max(1, len(scans) // together), *reference.shape), np.float32)
    for number, scan in enumerate(scans[: len(movie) * together]):
        shift = registrar.shift(scan)
        moved, _ = mover.move(scan, row_px=shift.row_px, col_px=shift.col_px)
        movie[number // together] += moved
    return movie


def _neighbour_correlation(movie: NDArray[np.float32]) -> NDArray[np.float32]:
    """(row, col) mean correlation of standardised traces with those 2 px away; 0 near the edge."""
    step = _STEP_PX
    total = np.zeros(movie.shape[1:], np.float32)
    # each pair of pixels is multiplied once and counted for both
    for down, right in ((0, step), (step, 0), (step, step), (step, -step)):
        product = (movie * np.roll(movie, (down, right), (1, 2))).mean(0)
        total += product + np.roll(product, (-down, -right), (0, 1))
    image = np.zeros_like(total)
    edge = slice(_EDGE_PX, -_EDGE_PX)
    image[edge, edge] = total[edge, edge] / _NEIGHBOURS
    return image


def _seeds(correlation: NDArray[np.float32], radius_px: int) -> NDArray[np.int64]:
    """(seed, 2) row and column of local maxima, in descending order."""
    smooth = ndimage.gaussian_filter(correlation, _SMOOTH_PX)
    inner = smooth[_EDGE_PX:-_EDGE_PX, _EDGE_PX:-_EDGE_PX]
    typical = float(np.median(inner))
    spread = _SD_OF_MAD * float(np.median(np.abs(inner - typical)))
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
    correlation = np.tensordot(own, movie[:, *window], (0, 0)) / len(movie)
    rows, cols = np.indices(correlation.shape)
    near = (rows - (row - top)) ** 2 + (cols - (col - left)) ** 2 <= radius_px**2
    correlation = ndimage.gaussian_filter(correlation, _SMOOTH_PX / 2)
    around = (rows - (row - top)) ** 2 + (cols - (col - left)) ** 2 <= (_STEP_PX + 1) ** 2
    member = (correlation > _LEAST_ON_SEED * np.median(correlation[around])) & near & ~taken[window]
    # without connectivity, pixels of a correlated neighbour would join the ROI
    labels, _ = ndimage.label(member)
    cell = member & (labels == labels[row - top, col - left]) & (labels > 0)
    found = np.argwhere(cell)
    flat = (found[:, 0] + top) * movie.shape[2] + found[:, 1] + left
    return flat.astype(np.int64), correlation[cell].astype(np.float32)
