"""ROI means are those of scipy's interpolation, without pixels outside the scan."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from rtdecode.calcium.extract import Extractor, Mover
from rtdecode.calcium.rois import rois_from_lists

RNG = np.random.default_rng(0)
SCAN = RNG.integers(0, 1000, (24, 30)).astype(np.uint16)
ROIS = rois_from_lists(
    (24, 30),
    [
        (np.array([5 * 30 + 6, 5 * 30 + 7, 6 * 30 + 6]), np.array([1.0, 2.0, 1.0])),
        (np.array([0, 1, 30]), np.ones(3)),
        (np.array([23 * 30 + 29]), np.ones(1)),
    ],
)


@settings(max_examples=40, deadline=None)
@given(row=st.floats(-7, 7), col=st.floats(-7, 7))
def test_moving_is_linear_interpolation_inside_the_scan(row: float, col: float) -> None:
    moved, (top, bottom, left, right) = Mover(SCAN.shape).move(SCAN, row_px=row, col_px=col)
    expected = ndimage.shift(SCAN.astype(float), (row, col), order=1)
    inside = np.s_[top : bottom + 1, left : right + 1]
    np.testing.assert_allclose(moved[inside], expected[inside], atol=0.1)


def test_a_moved_scan_does_not_depend_on_earlier_scans() -> None:
    used, shifts = Mover(SCAN.shape), [(2.5, -1.0), (-3.2, 0.4), (0.0, 7.9)]
    for row, col in shifts:
        one, _ = used.move(SCAN, row_px=row, col_px=col)
        other, _ = Mover(SCAN.shape).move(SCAN, row_px=row, col_px=col)
        np.testing.assert_array_equal(one, other)


def test_a_mean_is_weighted() -> None:
    moved, inside = Mover(SCAN.shape).move(SCAN, row_px=0.0, col_px=0.0)
    means, measured = Extractor(ROIS).means(moved, inside)
    assert means[0] == pytest.approx((SCAN[5, 6] + 2.0 * SCAN[5, 7] + SCAN[6, 6]) / 4)
    assert measured.all()


def test_a_neuron_that_leaves_the_scan_is_not_measured() -> None:
    moved, inside = Mover(SCAN.shape).move(SCAN, row_px=2.0, col_px=0.0)
    _, measured = Extractor(ROIS).means(moved, inside)
    assert measured.tolist() == [True, False, True]


@settings(max_examples=30, deadline=None)
@given(row=st.floats(-40, 40), col=st.floats(-40, 40))
def test_moving_has_the_bits_of_the_formula(row: float, col: float) -> None:
    """Rows first, then columns; pixels outside repeat the nearest one."""
    one = np.float32(1)
    row, col = (float(np.float32(shift)) for shift in (row, col))
    rows, cols = (np.arange(side) for side in SCAN.shape)
    down, across = (int(np.floor(-shift)) for shift in (row, col))
    low, right = np.float32(-row - down), np.float32(-col - across)
    scan = SCAN.astype(np.float32)
    upper, lower = (scan[np.clip(rows + down + k, 0, len(rows) - 1)] for k in (0, 1))
    between = (one - low) * upper + low * lower
    at = cols + across
    inner = (at >= 0) & (at < len(cols) - 1)
    left_of, right_of = (between[:, np.clip(at + k, 0, len(cols) - 1)] for k in (0, 1))
    expected = np.where(inner, (one - right) * left_of + right * right_of, left_of)
    moved, _ = Mover(SCAN.shape).move(SCAN, row_px=row, col_px=col)
    np.testing.assert_array_equal(moved, expected)


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=9), plain=st.booleans())
def test_means_are_those_of_numpy(sizes: list[int], plain: bool) -> None:
    rng = np.random.default_rng(sum(sizes))
    cells = [np.sort(rng.choice(SCAN.size, size, replace=False)) for size in sizes]
    weights = [np.ones(n) if plain else rng.uniform(0.1, 2, n) for n in sizes]
    rois = rois_from_lists(SCAN.shape, list(zip(cells, weights, strict=True)))
    moved, inside = Mover(SCAN.shape).move(SCAN, row_px=0.0, col_px=0.0)
    means, measured = Extractor(rois).means(moved, inside)
    flat = SCAN.reshape(-1).astype(np.float64)
    expected = [np.average(flat[c], weights=w) for c, w in zip(cells, weights, strict=True)]
    np.testing.assert_allclose(means, expected, rtol=1e-6)
    assert measured.all()
