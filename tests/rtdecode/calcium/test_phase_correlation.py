"""The part of the correlation surface near shift 0 is that of a full inverse transform."""

import numpy as np
import pytest
from scipy.signal.windows import tukey

from rtdecode.calcium.phase_correlation import PhaseCorrelator

PEAK_SD_PX = 1.5
RNG = np.random.default_rng(0)
FIELD = RNG.poisson(RNG.gamma(1.0, 30.0, (70, 90))).astype(np.uint16)


def whitened(image: np.ndarray, taper: np.ndarray) -> np.ndarray:
    part = image * taper
    spectrum = np.fft.rfft2(part - part.sum() / taper.sum() * taper)
    return spectrum / (np.abs(spectrum) + 1e-6 * np.abs(spectrum).max() + 1e-20)


def full_surface(reference: np.ndarray, scan: np.ndarray, taper: np.ndarray) -> np.ndarray:
    """(row, col) phase correlation at all shifts, in float64."""
    rows, cols = taper.shape
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(cols)[None])
    weight = np.exp(-2 * (np.pi * PEAK_SD_PX * frequency) ** 2)
    cross = whitened(scan, taper) * whitened(reference, taper).conj()
    return np.fft.irfft2(weight * cross, (rows, cols))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
@pytest.mark.parametrize(
    ("corner", "size", "reach"),
    [((0, 0), (64, 64), (8, 8)), ((5, 3), (60, 80), (3, 12)), ((1, 2), (16, 20), (6, 8))],
)
def test_it_is_the_full_inverse_transform(
    dtype: type, corner: tuple[int, int], size: tuple[int, int], reach: tuple[int, int]
) -> None:
    scan = RNG.poisson(np.roll(FIELD, (2, -1), (0, 1))).astype(dtype)
    scan.flags.writeable = False
    part = tuple(slice(c, c + n) for c, n in zip(corner, size, strict=True))
    # raised-cosine ramps at the middle of the pixels
    taper = np.outer(*(tukey(2 * n + 1, 0.5)[1::2] for n in size))
    expected = full_surface(FIELD[part].astype(float), scan[part].astype(float), taper)
    correlator = PhaseCorrelator(FIELD, corner=corner, size=size, reach=reach, taper=0.25)
    near, sd = correlator.surface(scan)
    down, across = (np.arange(-r - 1, r + 2) for r in reach)
    assert near.shape == (len(down), len(across))
    part = expected[np.ix_(down, across)]
    # whitening enlarges the rounding error of the mean, which is a constant of the surface
    np.testing.assert_allclose(
        near - near.mean(), part - part.mean(), atol=1e-5 * float(expected.max())
    )
    assert sd == pytest.approx(expected.std(), rel=1e-4)


def test_a_dark_scan_has_no_correlation() -> None:
    correlator = PhaseCorrelator(FIELD, corner=(0, 0), size=(64, 64), reach=(4, 4), taper=0.25)
    near, sd = correlator.surface(np.zeros(FIELD.shape, np.uint16))
    assert np.abs(near).max() == 0
    assert sd == 0
