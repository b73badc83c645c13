"""Outlines and centres of ROIs, for figures."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rtdecode.session.recorded_facts import RecordedRois


def outlines(rois: RecordedRois) -> NDArray[np.bool_]:
    """(row, col) pixels of ROIs that border on a pixel of another ROI or of none."""
    label = np.zeros(rois.shape, np.int64)
    for neuron in range(len(rois)):
        rows, cols = rois.pixels_of(neuron)
        label[rows, cols] = neuron + 1
    edge = np.zeros(rois.shape, bool)
    for axis in (0, 1):
        differs = np.diff(label, axis=axis) != 0
        pad = [(0, 0), (0, 0)]
        pad[axis] = (0, 1)
        edge |= np.pad(differs, pad)
        pad[axis] = (1, 0)
        edge |= np.pad(differs, pad)
    return edge & (label > 0)


def centres(rois: RecordedRois, neurons: Sequence[int]) -> Iterator[tuple[float, float]]:
    """(row, col) of the weighted centre of each of `neurons`."""
    for neuron in neurons:
        rows, cols = rois.pixels_of(neuron)
        weights = rois.weights_of(neuron)
        yield float(np.average(rows, weights=weights)), float(np.average(cols, weights=weights))
