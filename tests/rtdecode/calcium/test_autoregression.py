"""Noise and decay are estimated from a short recording."""

import numpy as np

from rtdecode.calcium.calibrate import decay_tau_s, noise_sd


def firing(tau_s: float, *, noise: float, scans: int = 450, rate_hz: float = 30.0) -> np.ndarray:
    """(scan, 20 neurons) dF/F."""
    rng = np.random.default_rng(0)
    kept, trace = np.exp(-1 / (tau_s * rate_hz)), rng.poisson(0.02, (scans, 20)).astype(float)
    for t in range(1, scans):
        trace[t] += kept * trace[t - 1]
    return (trace + rng.normal(0, noise, trace.shape)).astype(np.float32)


def test_noise_is_found_under_transients() -> None:
    np.testing.assert_allclose(noise_sd(firing(0.7, noise=0.2)), 0.2, rtol=0.25)


def test_clear_transients_tell_their_decay() -> None:
    for tau_s in (0.4, 0.7, 1.2):
        found = decay_tau_s(firing(tau_s, noise=0.1), scan_rate_hz=30.0, expected_s=0.7)
        assert abs(np.log(np.median(found) / tau_s)) < 0.35


def test_noise_alone_keeps_the_expected_decay() -> None:
    noise = np.random.default_rng(1).normal(0, 1, (300, 20)).astype(np.float32)
    found = decay_tau_s(noise, scan_rate_hz=30.0, expected_s=0.7)
    np.testing.assert_allclose(found, 0.7)
    assert decay_tau_s(noise[:2], scan_rate_hz=30.0, expected_s=0.7).shape == (20,)
