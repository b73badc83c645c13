"""The aligned mean is as sharp as an unmoved scan, at the mean position of the scans."""

import numpy as np
import pytest
from scipy import ndimage

from rtdecode.calcium.register import Registrar, mean_of_aligned

SHIFTS = np.random.default_rng(4).uniform(-3, 3, (20, 2))


def tissue() -> np.ndarray:
    points = np.zeros((96, 112))
    rng = np.random.default_rng(0)
    points[rng.integers(0, 96, 90), rng.integers(0, 112, 90)] = 400
    return 20 + 20 * ndimage.gaussian_filter(points, 1.5)


LARGE = tissue()


def seen(row: float, col: float) -> np.ndarray:
    return ndimage.shift(LARGE, (row, col), order=3)[16:-16, 16:-16]


def sharpness(image: np.ndarray) -> float:
    return float(np.square(np.diff(image[6:-6, 6:-6], axis=0)).mean())


def test_the_aligned_mean_keeps_detail_that_a_plain_mean_loses() -> None:
    rng = np.random.default_rng(1)
    scans = [rng.poisson(np.maximum(seen(*shift), 0)).astype(np.uint16) for shift in SHIFTS]
    aligned, plain = mean_of_aligned(scans, max_shift_px=8), np.mean(scans, 0)
    still = np.mean([rng.poisson(np.maximum(seen(0, 0), 0)) for _ in scans], 0)
    assert sharpness(aligned) > 1.8 * sharpness(plain)
    assert sharpness(aligned) == pytest.approx(sharpness(still), rel=0.25)


def test_the_aligned_mean_has_the_mean_position_of_the_scans() -> None:
    there_and_back = np.concatenate([SHIFTS, -SHIFTS])
    image = mean_of_aligned([seen(*shift) for shift in there_and_back], max_shift_px=8)
    place = Registrar(seen(0, 0), max_shift_px=8).shift(image)
    assert np.hypot(place.row_px, place.col_px) < 0.25 * np.hypot(*SHIFTS.T).max()


def test_scans_that_do_not_move_are_averaged() -> None:
    rng = np.random.default_rng(2)
    scans = [rng.poisson(np.maximum(seen(0, 0), 0)).astype(np.uint16) for _ in range(12)]
    image = mean_of_aligned(scans, max_shift_px=8)
    inner = np.s_[8:-8, 8:-8]
    assert np.abs(image - np.mean(scans, 0))[inner].mean() < 0.05 * image.mean()
    assert image.dtype == np.float32
