"""Registered scans, ROI means and neuropil rings, for the scan reader."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rtdecode.calcium.compiled import compiled
from rtdecode.calcium.rois import Rois, rois_from_lists

_LEAST_VISIBLE = 0.5
"""Fraction of a ROI's weight that must lie inside the scan for its mean to be a measurement."""


class Extractor:
    """Weighted means over sparse ROIs of a registered scan.

    The mean of ROI i is Σ w f / Σ w over its pixels inside the scan; pixels that registration
    would take from outside are left out of both sums.
    """

    def __init__(self, rois: Rois) -> None:
        self._shape = rois.shape
        self._indptr, self._pixels, self._weights = rois.indptr, rois.pixels, rois.weights
        rows, cols = np.divmod(rois.pixels, rois.shape[1])
        reach = [np.minimum.reduceat, np.maximum.reduceat]
        self._box = np.stack(
            [edge(axis, rois.indptr[:-1]) for axis in (rows, cols) for edge in reach], 1
        ).astype(np.int32)
        self._total = np.add.reduceat(rois.weights, rois.indptr[:-1]).astype(np.float32)
        self._plain = bool((rois.weights == 1).all())
        self._visible = np.zeros(rois.count, np.float32)

    def means(
        self, moved: NDArray[np.float32], inside: tuple[int, int, int, int]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(neuron,) mean counts, and where they are measured.

        Parameters
        ----------
        moved
            (row, col) registered scan, see `Mover`.
        inside
            First and last row, and first and last column, that lie inside the scan.
        """
        means = np.empty(len(self._total), np.float32)
        _roi_means(
            moved.reshape(-1),
            self._shape[1],
            np.array(inside, np.int32),
            self._indptr,
            self._pixels,
            self._weights,
            self._total,
            self._plain,
            self._box,
            means,
            self._visible,
        )
        return means, self._visible >= _LEAST_VISIBLE


class Mover:
    """Translates scans onto the reference, into a buffer that the next scan overwrites."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._moved = np.zeros(shape, np.float32)

    def move(
        self, pixels: NDArray[Any], *, row_px: float, col_px: float
    ) -> tuple[NDArray[np.float32], tuple[int, int, int, int]]:
        """Scan translated by (row_px, col_px), with the first and last row and column it fills.

        Values between pixels are interpolated bilinearly.
        """
        rows, cols = pixels.shape
        first_row, first_col = int(np.ceil(row_px)), int(np.ceil(col_px))
        last_row, last_col = int(np.floor(row_px)) + rows - 1, int(np.floor(col_px)) + cols - 1
        inside = (
            max(0, first_row),
            min(rows - 1, last_row),
            max(0, first_col),
            min(cols - 1, last_col),
        )
        _move(pixels, np.float32(row_px), np.float32(col_px), self._moved)
        return self._moved, inside


@compiled
def _move(
    pixels: NDArray[Any], row_px: np.float32, col_px: np.float32, moved: NDArray[np.float32]
) -> None:
    rows, cols = pixels.shape
    whole_row, whole_col = int(np.floor(-row_px)), int(np.floor(-col_px))
    low, right = np.float32(-row_px - whole_row), np.float32(-col_px - whole_col)
    high, left = np.float32(1) - low, np.float32(1) - right
    first = min(cols, max(0, -whole_col))
    last = max(first, min(cols, cols - 1 - whole_col))
    between_rows = np.empty(cols, np.float32)
    for row in range(rows):
        upper = pixels[min(max(row + whole_row, 0), rows - 1)]
        lower = pixels[min(max(row + whole_row + 1, 0), rows - 1)]
        for col in range(cols):
            between_rows[col] = high * np.float32(upper[col]) + low * np.float32(lower[col])
        # slices, as an index that may be negative prevents the compiler from using vectors
        before = between_rows[first + whole_col : last + whole_col]
        after = between_rows[first + whole_col + 1 : last + whole_col + 1]
        to = moved[row, first:last]
        for col in range(last - first):
            to[col] = left * before[col] + right * after[col]
        # columns with one neighbour outside repeat the nearest column
        moved[row, :first] = between_rows[0]
        moved[row, last:] = between_rows[cols - 1]


@compiled
def _weighted_sum(
    image: NDArray[np.float32], pixels: NDArray[np.int32], weights: NDArray[np.float32]
) -> np.float32:
    """Σ w f in four partial sums, as one sum waits for each of its additions."""
    whole = len(pixels) // 4 * 4
    a = b = c = d = np.float32(0)
    for k in range(0, whole, 4):
        a += weights[k] * image[pixels[k]]
        b += weights[k + 1] * image[pixels[k + 1]]
        c += weights[k + 2] * image[pixels[k + 2]]
        d += weights[k + 3] * image[pixels[k + 3]]
    for k in range(whole, len(pixels)):
        a += weights[k] * image[pixels[k]]
    return (a + b) + (c + d)


@compiled
def _sum(image: NDArray[np.float32], pixels: NDArray[np.int32]) -> np.float32:
    """Σ f as `_weighted_sum` with weights of 1, which then need not be read from memory."""
    whole = len(pixels) // 4 * 4
    a = b = c = d = np.float32(0)
    for k in range(0, whole, 4):
        a += image[pixels[k]]
        b += image[pixels[k + 1]]
        c += image[pixels[k + 2]]
        d += image[pixels[k + 3]]
    for k in range(whole, len(pixels)):
        a += image[pixels[k]]
    return (a + b) + (c + d)


@compiled
def _roi_means(  # noqa: PLR0917 - compiled loops take no keywords
    image: NDArray[np.float32],
    cols: int,
    inside: NDArray[np.int32],
    indptr: NDArray[np.int64],
    pixels: NDArray[np.int32],
    weights: NDArray[np.float32],
    total: NDArray[np.float32],
    plain: bool,
    box: NDArray[np.int32],
    means: NDArray[np.float32],
    visible: NDArray[np.float32],
) -> None:
    for neuron in range(len(means)):
        whole = (
            box[neuron, 0] >= inside[0]
            and box[neuron, 1] <= inside[1]
            and box[neuron, 2] >= inside[2]
            and box[neuron, 3] <= inside[3]
        )
        summed, inside_weight = np.float32(0), np.float32(0)
        if whole:
            own = slice(indptr[neuron], indptr[neuron + 1])
            if plain:
                summed = _sum(image, pixels[own])
            else:
                summed = _weighted_sum(image, pixels[own], weights[own])
            inside_weight = total[neuron]
        else:
            for k in range(indptr[neuron], indptr[neuron + 1]):
                row = pixels[k] // cols
                col = pixels[k] - row * cols
                if inside[0] <= row <= inside[1] and inside[2] <= col <= inside[3]:
                    summed += weights[k] * image[pixels[k]]
                    inside_weight += weights[k]
        means[neuron] = summed / inside_weight if inside_weight > 0 else np.float32(0)
        visible[neuron] = inside_weight / total[neuron]


_GAP_PX = 2
"""Width of the margin around a cell that scattered light of the cell still reaches."""
_FEWEST_PIXELS = 30
_WIDEST_PX = 40
_MOST_PIXELS = 200
"""Largest number of ring pixels: more would not reduce the noise of the corrected trace."""


def neuropil_rings(rois: Rois, *, ring_px: int) -> Rois:
    """Neuropil rings of equal weights around each cell, without pixels of any cell.

    A ring starts 2 px outside its cell and is `ring_px` wide (as in Chen et al. 2013, Nature, for
    the subtraction of neuropil). It is widened until it has 30 pixels outside all cells, and
    thinned evenly above 200. A cell without any free pixel within 40 px keeps its own pixels, so
    that the subtraction only scales its trace.
    """
    taken = np.zeros(rois.shape, bool)
    taken.reshape(-1)[rois.pixels] = True
    rings = []
    for neuron in range(rois.count):
        own = rois.pixels[rois.indptr[neuron] : rois.indptr[neuron + 1]]
        ring = _ring(own, taken, ring_px)
        if len(ring) > _MOST_PIXELS:
            ring = ring[np.linspace(0, len(ring) - 1, _MOST_PIXELS).round().astype(int)]
        rings.append((ring, np.ones(len(ring), np.float32)))
    return rois_from_lists(rois.shape, rings)


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
    """(row, col) Euclidean distance in px of each pixel to the nearest of the given pixels."""
    outside = np.ones(shape, bool)
    outside[rows, cols] = False
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(outside)
    return distance
