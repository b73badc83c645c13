"""Calibration from the first seconds of fluorescence: baseline, kinetics, for the stages."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.activity import ActivityEstimator
from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.kinetics import KineticsPrior, kinetics
from rtdecode.calcium.scan_reader import RoiSignals
from rtdecode.schema.config.calcium import CalciumConfig

_QUANTILES = 33
_BLOCK_S = 0.5


def calibrated(
    config: CalciumConfig,
    signals: Sequence[RoiSignals],
    *,
    reference: NDArray[np.float32],
    scan_rate_hz: float,
) -> Calibration:
    """Baseline, noise, decay, rise and activity statistics of each neuron from its first scans.

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
    prior = KineticsPrior(config.decay_tau_s, config.rise_tau_s)
    found = kinetics(dff, scan_rate_hz=scan_rate_hz, prior=prior)
    known = replace(
        first, noise=found.noise, decay_tau_s=found.decay_tau_s, rise_tau_s=found.rise_tau_s
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
