"""A short recording gives baseline, noise and statistics of the activity."""

import numpy as np
import pytest

from rtdecode.calcium.calibrate import calibrated
from rtdecode.calcium.register import Shift
from rtdecode.calcium.scan_reader import RoiSignals
from rtdecode.schema.config.calcium import CalciumConfig

RESTING = np.array([50, 100, 200], np.float32)


def counts(scans: int, *, seed: int = 0) -> list[RoiSignals]:
    """Three neurons with 5 % noise; the last fires, the neuropil is half as bright as the cell."""
    rng = np.random.default_rng(seed)
    glow, fired, found = RESTING / 2, np.zeros(3), []
    for _ in range(scans):
        fired = 0.9 * fired + np.array([0, 0, 0.5]) * rng.poisson(0.05, 3)
        mean = RESTING * (1 + fired + rng.normal(0, 0.05, 3))
        corrected = (mean - 0.7 * glow).astype(np.float32)
        found.append(
            RoiSignals(
                mean.astype(np.float32),
                glow,
                corrected,
                np.ones(3, bool),
                Shift(0.0, 0.0, 9.0, at_edge=False),
            )
        )
    return found


def test_baseline_noise_and_activity_are_estimated() -> None:
    found = calibrated(
        CalciumConfig(), counts(300), reference=np.zeros((4, 4), np.float32), scan_rate_hz=15.0
    )
    assert found.baseline_counts == pytest.approx(RESTING * 0.65, rel=0.1)
    assert found.activity_sd.argmax() == 2
    assert found.activity_quantiles.shape == (3, 33)
    assert (np.diff(found.activity_quantiles, axis=1) >= 0).all()


def test_a_few_scans_suffice_for_a_calibration() -> None:
    found = calibrated(
        CalciumConfig(), counts(2), reference=np.zeros((4, 4), np.float32), scan_rate_hz=15.0
    )
    assert all(np.isfinite(value).all() for value in (found.noise, found.activity_sd))
