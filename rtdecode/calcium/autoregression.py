"""Noise and decay of fluorescence, from a short stretch of it."""

import numpy as np
from numpy.typing import NDArray

_SD_OF_MAD = 1.4826
_FEWEST_SCANS = 3
_FIT_S = 0.35
"""Autocovariance is fitted up to this lag; later ones hold more chance than decay."""
_FEWEST_LAGS = 3
_LEAST_SIGNAL = 0.4
"""Share of the variance that must outlast one scan before a stretch says anything of decay."""
_WIDEST_FACTOR = 2.0


def noise_sd(dff: NDArray[np.float32]) -> NDArray[np.float32]:
    """(neuron,) standard deviation of one scan's noise; `dff` is (scan, neuron).

    From the median absolute difference of neighbouring scans, which transients barely move:
    their decay is slow and their onsets are rare.
    """
    if len(dff) < _FEWEST_SCANS:
        return np.full(dff.shape[1], 1e-3, np.float32)
    steps = np.abs(np.diff(dff, axis=0))
    sd = np.median(steps, axis=0) * np.float32(_SD_OF_MAD / np.sqrt(2))
    return np.maximum(sd, 1e-6).astype(np.float32)


def decay_tau_s(
    dff: NDArray[np.float32], *, scan_rate_hz: float, expected_s: float
) -> NDArray[np.float32]:
    """(neuron,) decay time in s; the indicator's expected one where a short stretch cannot tell.

    The slope of the logarithm of the autocovariance over its first lags, lag 0 and its noise left
    out. Bursts make it too long, so neurons with clear transients share the median of their
    estimates, at most a factor of two from `expected_s`; all others keep `expected_s`.
    """
    expected = np.full(dff.shape[1], expected_s, np.float32)
    lags = np.arange(1, 1 + max(_FEWEST_LAGS, round(_FIT_S * scan_rate_hz)))
    if len(dff) < 4 * len(lags):
        return expected
    centred = (dff - dff.mean(0)).astype(np.float64)
    variance = (centred**2).mean(0) + 1e-12
    covariance = np.stack([(centred[lag:] * centred[:-lag]).mean(0) for lag in lags])
    clear = (covariance.min(0) > 0) & (covariance[0] > _LEAST_SIGNAL * variance)
    if not clear.any():
        return expected
    slope = np.polyfit(lags / scan_rate_hz, np.log(covariance[:, clear]), 1)[0]
    typical = float(np.median(-1 / np.minimum(slope, -1e-3)))
    bounded = np.clip(typical, expected_s / _WIDEST_FACTOR, expected_s * _WIDEST_FACTOR)
    expected[clear] = bounded
    return expected
