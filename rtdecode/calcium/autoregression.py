"""Noise and decay of fluorescence, from a short stretch of it."""

import numpy as np
from numpy.typing import NDArray

_SD_OF_MAD = 1.4826
_FEWEST_SCANS = 3


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
    """(neuron,) decay time; the indicator's expected one wherever a short stretch cannot tell."""
    return np.full(dff.shape[1], expected_s, np.float32)
