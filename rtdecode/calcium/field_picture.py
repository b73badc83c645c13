"""The registered scan of one plane as a small picture, and its ROIs, for the Microscope tab.

>>> from rtdecode.calcium.rois import rois_from_lists
>>> counts = np.arange(600 * 300, dtype=np.float32).reshape(600, 300)
>>> rois = rois_from_lists((600, 300), [(np.arange(4), np.ones(4))])
>>> found = field_of_view(PlaneField(0, rois, counts, number=7, t_scan_ns=0))
>>> found.picture.shape, found.bin_px, found.picture[0, 0], found.picture[-1, -1]
((200, 100), 3, np.uint8(0), np.uint8(255))
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.rois import Rois
from rtdecode.schema.arrays import MAX_ROI_PIXELS
from rtdecode.schema.microscope import FieldOfView, PlaneNeurons

LONGEST_SIDE = 256
_SAMPLES = 4096
"""Pixels from which the contrast is set; all pixels of a picture would take ten times as long."""
_LOW, _HIGH = 1.0, 99.7
"""Percentiles that are displayed as black and as white."""


@dataclass(frozen=True, slots=True, eq=False)
class PlaneField:
    """The field of view of one plane after its newest scan."""

    plane: int
    rois: Rois
    registered_counts: NDArray[np.float32]
    """(row, col) the newest scan, registered onto the reference."""
    number: int
    """Number of that scan; -1 before the first one."""
    t_scan_ns: int


def field_of_view(field: PlaneField) -> FieldOfView:
    """The scan as bytes, at most 256 pixels a side: means over squares, scaled by percentiles."""
    bin_px = -(-max(field.registered_counts.shape) // LONGEST_SIDE)
    binned = _binned(field.registered_counts, bin_px)
    every = max(1, binned.size // _SAMPLES)
    low, high = (float(v) for v in np.percentile(binned.ravel()[::every], [_LOW, _HIGH]))
    high = max(high, low + 1.0)
    scaled = (binned - np.float32(low)) * np.float32(255 / (high - low))
    return FieldOfView(
        picture=np.clip(scaled, 0, 255).astype(np.uint8),
        plane=field.plane,
        number=field.number,
        t_scan_ns=field.t_scan_ns,
        bin_px=bin_px,
        low_counts=low,
        high_counts=high,
    )


def _binned(counts: NDArray[np.float32], bin_px: int) -> NDArray[np.float32]:
    """Means over `bin_px` x `bin_px` pixels; rows and columns that fill no square are left out."""
    if bin_px == 1:
        return counts
    rows, cols = (side // bin_px * bin_px for side in counts.shape)
    # sums of strided views take a fifth of the time of a mean over two axes
    total = np.zeros((rows // bin_px, cols // bin_px), np.float32)
    for row in range(bin_px):
        for col in range(bin_px):
            total += counts[row:rows:bin_px, col:cols:bin_px]
    total *= np.float32(1 / (bin_px * bin_px))
    return total


def plane_neurons(
    fields: Sequence[PlaneField], places: NDArray[np.float32] | None
) -> Iterator[PlaneNeurons]:
    """The neurons of each plane, in the order of the planes.

    ROIs with more than two million pixels in all are given by the pixel at their centre.

    Parameters
    ----------
    places
        (neuron, 2) receptive-field centres x and y of all neurons, where they are known.
    """
    outlined = sum(len(field.rois.pixels) for field in fields) <= MAX_ROI_PIXELS
    first = 0
    for field in fields:
        rois = field.rois
        rows, cols = rois.shape
        indptr, pixels = rois.indptr, rois.pixels
        if not outlined:
            row, col = rois.centers_px.round().astype(np.int64).T
            indptr, pixels = np.arange(rois.count + 1), (row * cols + col).astype(np.int32)
        yield PlaneNeurons(
            field.plane, first, rows, cols, indptr.astype(np.int32), pixels,
            *_of_neurons(places, first, rois.count), rois.hash,
        )  # fmt: skip
        first += rois.count


def unplaced_neurons(count: int, places: NDArray[np.float32] | None) -> PlaneNeurons:
    """The neurons of a source that sends ROI values: their number, and their preferred places."""
    nothing = np.zeros(0, np.int32)
    indptr = np.zeros(count + 1, np.int32)
    return PlaneNeurons(0, 0, 0, 0, indptr, nothing, *_of_neurons(places, 0, count))


def _of_neurons(
    places: NDArray[np.float32] | None, first: int, count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if places is None or len(places) < first + count:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    own = np.clip(np.nan_to_num(places[first : first + count]), -1, 1).astype(np.float32)
    return own[:, 0], own[:, 1]
