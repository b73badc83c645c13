"""From the first seconds of counts to a Calibration."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.activity import ActivityEstimator
from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.scan_reader import Counts
from rtdecode.schema.config.calcium import CalciumConfig

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


_QUANTILES = 33
_BLOCK_S = 0.5


def calibrated(
    config: CalciumConfig,
    counts: Sequence[Counts],
    *,
    reference: NDArray[np.float32],
    scan_rate_hz: float,
) -> Calibration:
    """Baseline, noise, decay and activity statistics of each neuron from its first counts.

    The activity statistics come from running the chain over these same scans.
    """
    corrected = _filled(counts)
    neuropil = np.stack([count.neuropil_counts for count in counts]).mean(0)
    blocks = _block_means(corrected, max(1, round(_BLOCK_S * scan_rate_hz)))
    baseline = np.percentile(blocks, config.baseline_percentile, axis=0).astype(np.float32)
    blank = np.zeros(len(baseline), np.float32)
    first = Calibration(
        reference_counts=reference.astype(np.float32),
        scan_rate_hz=scan_rate_hz,
        baseline_counts=baseline,
        neuropil_counts=neuropil,
        noise=blank + 1,
        decay_tau_s=blank + np.float32(config.decay_tau_s),
        activity_quantiles=np.zeros((len(baseline), _QUANTILES), np.float32),
        activity_mean=blank,
        activity_sd=blank + 1,
    )
    dff = _dff(config, first, counts)
    known = replace(
        first,
        noise=noise_sd(dff),
        decay_tau_s=decay_tau_s(dff, scan_rate_hz=scan_rate_hz, expected_s=config.decay_tau_s),
    )
    return _with_activity(config, known, dff)


def _filled(counts: Sequence[Counts]) -> NDArray[np.float32]:
    """(scan, neuron) corrected counts, a neuron's mean where it was not measured."""
    corrected = np.stack([count.corrected_counts for count in counts])
    measured = np.stack([count.measured for count in counts])
    if measured.all():
        return corrected
    mean = np.where(measured, corrected, 0).sum(0) / np.maximum(measured.sum(0), 1)
    filled: NDArray[np.float32] = np.where(measured, corrected, mean.astype(np.float32))
    return filled


def _block_means(corrected: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    whole = len(corrected) // block * block
    if whole == 0:
        whole = block = len(corrected)
    blocks = corrected[:whole].reshape(-1, block, corrected.shape[1])
    means: NDArray[np.float32] = blocks.mean(1)
    return means


def _dff(
    config: CalciumConfig, calibration: Calibration, counts: Sequence[Counts]
) -> NDArray[np.float32]:
    estimator = ActivityEstimator(config, calibration=calibration)
    rows = [estimator.dff(c.corrected_counts, c.neuropil_counts, c.measured) for c in counts]
    return np.stack(rows)


def _with_activity(
    config: CalciumConfig, calibration: Calibration, dff: NDArray[np.float32]
) -> Calibration:
    plain = config.model_copy(update={"rescale": "identity", "drift_tau_s": None})
    estimator = ActivityEstimator(plain, calibration=calibration)
    everywhere = np.ones(calibration.count, bool)
    activity = np.stack(
        [
            done.activity
            for scan, row in enumerate(dff)
            for done in estimator.activities(row, everywhere, scan=scan, t_start_ns=0, t_end_ns=0)
        ]
        or [np.zeros(calibration.count, np.float32)]
    )
    steps = np.linspace(0, 1, _QUANTILES)
    return replace(
        calibration,
        activity_quantiles=np.quantile(activity, steps, axis=0).T.astype(np.float32),
        activity_mean=activity.mean(0).astype(np.float32),
        activity_sd=activity.std(0).astype(np.float32),
    )
