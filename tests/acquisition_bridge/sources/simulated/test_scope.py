"""The scope: photon statistics, displacement, brightness."""

import numpy as np
import pytest

from acquisition_bridge.sources.simulated.scope import COUNTS_PER_PHOTON, DARK_COUNTS, Scope
from acquisition_bridge.sources.simulated.tissue import Tissue, footprints, grow_tissue

NEURONS = 40
STILL = np.zeros(2, np.float32)
SILENT = np.zeros(NEURONS, np.float32)


def tissue(photons: float = 30.0) -> Tissue:
    return grow_tissue(
        np.random.default_rng(1),
        neurons=NEURONS,
        rows_px=64,
        cols_px=80,
        pad_px=6,
        photons=photons,
        neuropil_fraction=0.3,
    )


def mean_scan(shift_px: np.ndarray, dff: np.ndarray = SILENT, bleached: float = 1.0) -> np.ndarray:
    scope = Scope(tissue(), np.random.default_rng(0))
    scans = [scope.scan(dff, shared=0.0, shift_px=shift_px, bleached=bleached) for _ in range(600)]
    return np.mean(scans, 0) - DARK_COUNTS


def test_variance_grows_with_the_mean_as_photons_do() -> None:
    scope = Scope(tissue(), np.random.default_rng(0))
    scans = np.array(
        [scope.scan(SILENT, shared=0.0, shift_px=STILL, bleached=1.0) for _ in range(600)], float
    )
    mean, variance = scans.mean(0).ravel() - DARK_COUNTS, scans.var(0).ravel()
    slope, _ = np.polyfit(mean, variance, 1)
    assert slope == pytest.approx(COUNTS_PER_PHOTON, rel=0.05)


def test_pixels_of_one_scan_are_independent() -> None:
    scope = Scope(tissue(), np.random.default_rng(0))
    a, b = (scope.scan(SILENT, shared=0.0, shift_px=STILL, bleached=1.0) for _ in range(2))
    noise = a.astype(float) - b
    for other in (np.roll(noise, 1, 0), np.roll(noise, 1, 1)):
        assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 0.06


def test_the_tissue_is_displaced_by_what_was_asked() -> None:
    moved, at_rest = mean_scan(np.array([2, -3], np.float32)), mean_scan(STILL)
    expected = np.roll(at_rest, (2, -3), (0, 1))
    inner = np.s_[6:-6, 6:-6]
    assert np.corrcoef(moved[inner].ravel(), expected[inner].ravel())[0, 1] > 0.99
    assert np.corrcoef(moved[inner].ravel(), at_rest[inner].ravel())[0, 1] < 0.5


def test_half_a_pixel_is_half_way_between_two() -> None:
    half = mean_scan(np.array([0, 0.5], np.float32))
    both = (mean_scan(STILL) + mean_scan(np.array([0, 1], np.float32))) / 2
    assert np.corrcoef(half.ravel(), both.ravel())[0, 1] > 0.99


def test_a_cell_brightens_by_its_dff_where_its_footprint_is() -> None:
    active = SILENT.copy()
    active[7] = 1.0
    gained = (mean_scan(STILL, active) - mean_scan(STILL)).ravel()
    pixels, weights = footprints(tissue())[7]
    own = weights @ gained[pixels]
    profile = tissue().brightness[7] * COUNTS_PER_PHOTON * weights @ (weights / weights.max())
    assert own == pytest.approx(profile, rel=0.15)
    rest = np.delete(gained, pixels)
    assert np.abs(rest).mean() < 0.05 * own


def test_bleaching_dims_everything() -> None:
    assert mean_scan(STILL, bleached=0.5).mean() == pytest.approx(
        mean_scan(STILL).mean() / 2, rel=0.02
    )


def test_a_glaring_cell_saturates_instead_of_wrapping_round() -> None:
    scope = Scope(tissue(photons=3000.0), np.random.default_rng(0))
    scan = scope.scan(SILENT + 5, shared=0.0, shift_px=STILL, bleached=1.0)
    assert scan.dtype == np.uint16
    assert scan.max() == 65535
