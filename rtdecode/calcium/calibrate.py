"""Calibration from the first seconds of fluorescence: baseline, noise, decay, for the stages."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.activity import ActivityEstimator
from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.scan_reader import RoiSignals
from rtdecode.schema.config.calcium import CalciumConfig

_SD_OF_MAD = 1.4826
"""Standard deviation of a Gaussian over its median absolute deviation, 1 / Φ⁻¹(3/4)."""
_FEWEST_SCANS = 3
_FIT_S = 0.35
"""Autocovariance is fitted up to this lag; at later lags sampling error exceeds the decay."""
_FEWEST_LAGS = 3
_LEAST_SIGNAL = 0.4
"""Autocorrelation at lag 1 above which the decay of a neuron can be estimated."""
_WIDEST_FACTOR = 2.0


def noise_sd(dff: NDArray[np.float32]) -> NDArray[np.float32]:
    """(neuron,) standard deviation of the noise of one scan; `dff` is (scan, neuron).

    sd = 1.4826 · median_t |dff[t] - dff[t-1]| / √2, because the difference of two independent
    samples has twice their variance. Transients hardly change the median: their decay is slow
    and their onsets are rare.
    """
    if len(dff) < _FEWEST_SCANS:
        return np.full(dff.shape[1], 1e-3, np.float32)
    differences = np.abs(np.diff(dff, axis=0))
    sd = np.median(differences, axis=0) * np.float32(_SD_OF_MAD / np.sqrt(2))
    return np.maximum(sd, 1e-6).astype(np.float32)


def decay_tau_s(
    dff: NDArray[np.float32], *, scan_rate_hz: float, expected_s: float
) -> NDArray[np.float32]:
    """(neuron,) decay time constant in s, estimated from the autocovariance of dF/F.

    Parameters
    ----------
    dff
        (scan, neuron) dF/F of consecutive scans.
    scan_rate_hz
        Imaging rate in Hz.
    expected_s
        Decay time constant of the indicator, in s.

    Notes
    -----
    The autocovariance of a first-order autoregression is C(k) = C(0) exp(-k / (tau rate)), so
    log C(k) falls with slope -1/tau over the lag in s. White measurement noise contributes to
    lag 0 alone, which is left out (as in Pnevmatikakis et al. 2016, Neuron, where the
    autoregression is estimated from the autocovariance). Bursts lengthen the estimate. Neurons
    with clear transients therefore share the median of their estimates, bounded to a factor of 2
    around `expected_s`; all others keep `expected_s`.
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
    # log C(k) = log C(0) - k / (tau rate)
    slope = np.polyfit(lags / scan_rate_hz, np.log(covariance[:, clear]), 1)[0]
    typical = float(np.median(-1 / np.minimum(slope, -1e-3)))
    bounded = np.clip(typical, expected_s / _WIDEST_FACTOR, expected_s * _WIDEST_FACTOR)
    expected[clear] = bounded
    return expected


_QUANTILES = 33
_BLOCK_S = 0.5


def calibrated(
    config: CalciumConfig,
    signals: Sequence[RoiSignals],
    *,
    reference: NDArray[np.float32],
    scan_rate_hz: float,
) -> Calibration:
    """Baseline, noise, decay and activity statistics of each neuron from its first scans.

    The activity statistics are those of the same scans after deconvolution.

    Parameters
    ----------
    signals
        Fluorescence of consecutive scans.
    reference
        (row, col) reference image in counts, stored with the calibration.
    scan_rate_hz
        Imaging rate of this plane in Hz.
    """
    f_corrected = _filled(signals)
    f_neuropil = np.stack([one.f_neuropil for one in signals]).mean(0)
    blocks = _block_means(f_corrected, max(1, round(_BLOCK_S * scan_rate_hz)))
    baseline = np.percentile(blocks, config.baseline_percentile, axis=0).astype(np.float32)
    blank = np.zeros(len(baseline), np.float32)
    first = Calibration(
        reference_counts=reference.astype(np.float32),
        scan_rate_hz=scan_rate_hz,
        baseline_counts=baseline,
        neuropil_counts=f_neuropil,
        noise=blank + 1,
        decay_tau_s=blank + np.float32(config.decay_tau_s),
        activity_quantiles=np.zeros((len(baseline), _QUANTILES), np.float32),
        activity_mean=blank,
        activity_sd=blank + 1,
    )
    dff = _dff(config, first, signals)
    known = replace(
        first,
        noise=noise_sd(dff),
        decay_tau_s=decay_tau_s(dff, scan_rate_hz=scan_rate_hz, expected_s=config.decay_tau_s),
    )
    return _with_activity(config, known, dff)


def _filled(signals: Sequence[RoiSignals]) -> NDArray[np.float32]:
    """(scan, neuron) f_corrected, with the neuron's mean where it was not measured."""
    corrected = np.stack([one.f_corrected for one in signals])
    measured = np.stack([one.measured for one in signals])
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
    config: CalciumConfig, calibration: Calibration, signals: Sequence[RoiSignals]
) -> NDArray[np.float32]:
    estimator = ActivityEstimator(config, calibration=calibration)
    rows = [estimator.dff(one.f_corrected, one.f_neuropil, one.measured) for one in signals]
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
    levels = np.linspace(0, 1, _QUANTILES)
    return replace(
        calibration,
        activity_quantiles=np.quantile(activity, levels, axis=0).T.astype(np.float32),
        activity_mean=activity.mean(0).astype(np.float32),
        activity_sd=activity.std(0).astype(np.float32),
    )
