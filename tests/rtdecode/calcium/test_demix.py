"""Overlapping ROIs are demixed as scipy's NNLS does it."""

import numpy as np
from scipy.optimize import nnls

from rtdecode.calcium.demix import Demixer
from rtdecode.calcium.extract import Extractor, Mover
from rtdecode.calcium.rois import rois_from_lists

PIXELS = [np.arange(0, 30), np.arange(15, 50), np.arange(45, 60), np.arange(80, 90)]
ROIS = rois_from_lists((10, 10), [(pixels, np.ones(len(pixels))) for pixels in PIXELS])


def dense() -> np.ndarray:
    matrix = np.zeros((100, 4))
    for neuron, pixels in enumerate(PIXELS):
        matrix[pixels, neuron] = 1
    return matrix


def test_counts_are_those_of_non_negative_least_squares() -> None:
    rng, demixer, everywhere = np.random.default_rng(0), Demixer(ROIS), np.ones(4, bool)
    for _ in range(5):
        image = np.maximum(dense() @ rng.uniform(0, 100, 4) + rng.normal(0, 2, 100), 0)
        moved, inside = Mover((10, 10)).move(image.reshape(10, 10), row_px=0.0, col_px=0.0)
        counts, _ = Extractor(ROIS).means(moved, inside)
        demixer.demix(counts, everywhere)
        np.testing.assert_allclose(counts, nnls(dense(), image)[0], atol=0.5)


def test_rois_without_overlap_are_unchanged() -> None:
    demixer = Demixer(ROIS)
    assert demixer.mixed.tolist() == [0, 1, 2]
    counts = np.array([1, 2, 3, -4], np.float32)
    demixer.demix(counts, np.ones(4, bool))
    assert counts[3] == -4


def test_emitted_values_do_not_depend_on_later_scans() -> None:
    rng, everywhere = np.random.default_rng(1), np.ones(4, bool)
    stream = rng.uniform(0, 100, (12, 4)).astype(np.float32)
    other = np.concatenate([stream[:6], 7 * stream[6:]])
    found = []
    for counts in (stream.copy(), other):
        demixer = Demixer(ROIS)
        for row in counts:
            demixer.demix(row, everywhere)
        found.append(counts[:6])
    np.testing.assert_array_equal(*found)
