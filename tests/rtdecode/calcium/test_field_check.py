"""Scans of the expected field of view are accepted; other fields and shifted ROIs are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from rtdecode.calcium.field_check import (
    FieldCheck,
    is_black,
    leading_dark,
    local_contrast_correlation,
    placement_error,
)
from rtdecode.calcium.rois import Rois, rois_from_lists
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import FieldMismatchError

SIDE, CELLS = 96, 40
CONFIG = CalciumConfig(max_shift_px=6.0)


def rois_at(seed: int, *, down: int = 0, right: int = 0, count: int = CELLS) -> Rois:
    """Discs at places that follow from `seed`, moved on by (down, right)."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    centers = np.random.default_rng(seed).integers(14, SIDE - 14, (count, 2))
    away = [(rows - r - down) ** 2 + (cols - c - right) ** 2 for r, c in centers]
    cells = [np.flatnonzero(distance <= 9) for distance in away]
    return rois_from_lists((SIDE, SIDE), [(cell, np.ones(len(cell))) for cell in cells])


def field(seed: int) -> np.ndarray:
    """(row, col) mean of a field whose cells are a little brighter than spotted tissue."""
    points = np.random.default_rng([seed, 1]).normal(0, 60, (SIDE, SIDE))
    ground = 60 + ndimage.gaussian_filter(points, 2.0)
    return np.maximum(ground + 25 * np.minimum(rois_at(seed).footprint(), 1), 1).astype(np.float32)


def check_of(seen: np.ndarray, *, rois: Rois, rejected: int = 0, scans: int = 12) -> FieldCheck:
    """A check against field 0 that got `scans` noisy scans of `seen`."""
    rng, check = np.random.default_rng(2), FieldCheck(CONFIG, rois=rois, reference=field(0))
    for number in range(scans):
        pixels = rng.poisson(seen).astype(np.uint16)
        check.add(pixels, pixels.astype(np.float32), rejected=number < rejected)
    return check


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_the_correlation_is_one_with_the_image_itself_and_small_with_another(seed: int) -> None:
    assert local_contrast_correlation(field(seed), 3 * field(seed) + 7, edge_px=8) == pytest.approx(
        1, abs=1e-3
    )
    assert abs(local_contrast_correlation(field(seed), field(seed + 1), edge_px=8)) < 0.4


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_rois_match_their_own_field(seed: int) -> None:
    assert placement_error(rois_at(seed), field(seed), least_sd=9.0) == ""


def test_rois_match_another_field_as_rarely_as_chance_allows() -> None:
    passed = [placement_error(rois_at(n), field(n + 1), least_sd=3.0) == "" for n in range(20)]
    assert np.mean(passed) <= 0.2


@pytest.mark.parametrize(("down", "right"), [(7, 0), (-5, 9)])
def test_displaced_rois_are_reported_with_their_displacement(down: int, right: int) -> None:
    why = placement_error(rois_at(0, down=down, right=right), field(0), least_sd=3.0)
    assert f"{-down:+d} rows and {-right:+d} columns" in why


def test_few_rois_or_a_threshold_of_zero_are_not_checked() -> None:
    assert placement_error(rois_at(0, count=20), field(4), least_sd=9.0) != ""
    assert placement_error(rois_at(0, count=19), field(4), least_sd=9.0) == ""
    assert placement_error(rois_at(0), field(4), least_sd=0) == ""


def test_noisy_scans_of_the_right_field_pass() -> None:
    check = check_of(field(0), rois=rois_at(0), rejected=6)
    check.check()
    assert check.scans == 12


def test_another_field_is_refused_and_the_error_carries_both_images() -> None:
    with pytest.raises(
        FieldMismatchError, match=r"first 12 scans has a correlation of -?0\."
    ) as got:
        check_of(field(1), rois=rois_at(0)).check()
    np.testing.assert_array_equal(got.value.reference_counts, field(0))
    np.testing.assert_allclose(got.value.seen_counts, field(1), atol=20)
    assert (got.value.footprint > 0).sum() > 500


def test_scans_that_cannot_be_registered_are_refused() -> None:
    with pytest.raises(FieldMismatchError, match="7 of the first 12 scans cannot be registered"):
        check_of(field(0), rois=rois_at(0), rejected=7).check()


def test_a_reference_without_light_is_named_as_dark() -> None:
    unlit = np.random.default_rng(0).normal(8, 0.5, field(0).shape).astype(np.float32)
    check = FieldCheck(CONFIG, rois=rois_at(0), reference=unlit)
    for _ in range(12):
        check.add(field(0).astype(np.uint16), field(0), rejected=True)
    with pytest.raises(FieldMismatchError, match="reference image, which is dark: laser"):
        check.check()


def test_a_scan_is_black_where_hardly_any_pixel_differs() -> None:
    scan = np.full((64, 64), 3, np.int16)
    assert is_black(scan)
    scan[0, :4] = 900
    assert is_black(scan)
    scan[0, :5] = 900
    assert not is_black(scan)


@given(dark=st.integers(0, 6), lit=st.integers(0, 6), gain=st.floats(5, 100))
def test_dark_scans_at_the_start_are_those_with_less_contrast_than_three_that_follow(
    dark: int, lit: int, gain: float
) -> None:
    one = np.random.default_rng(0).normal(0, 1, (8, 8))
    scans = [one] * dark + [gain * one] * lit
    assert leading_dark(scans) == (dark if lit >= 3 else 0)


def test_a_single_bright_scan_makes_no_scan_dark() -> None:
    one = np.random.default_rng(0).normal(0, 1, (8, 8))
    assert leading_dark([one, one, 50 * one, one, one]) == 0


def test_rois_of_another_field_are_refused() -> None:
    with pytest.raises(FieldMismatchError, match="ROIs") as got:
        check_of(field(0), rois=rois_at(3)).check()
    assert "calcium.rois" in str(got.value)


def test_a_closed_shutter_has_no_correlation() -> None:
    assert local_contrast_correlation(np.zeros((SIDE, SIDE)), field(0), edge_px=8) == 0
