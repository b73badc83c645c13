"""Fluorescence to activity in twin units, for the calcium stages: dF/F, deconvolution, units."""

from collections import deque
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.baseline import Baseline
from rtdecode.calcium.calibration import Calibration, Rescaler
from rtdecode.calcium.deconvolve import DffReader, EventDetector, PoolDeconvolver, event_threshold
from rtdecode.calcium.resample import ScanActivity
from rtdecode.schema.config.calcium import Activity, CalciumConfig

_NEUROPIL_RATE = 0.01
"""Weight of one scan in the exponential moving average of the neuropil."""
_MIN_RESTING_FRACTION = 0.05
"""Lower bound of F0 as a fraction of the median neuron's, which keeps dF/F of dark ROIs finite."""


class ActivityReadout(Protocol):
    """Estimates activity from dF/F, one scan at a time."""

    def absorb(
        self, dff: NDArray[np.float32], measured: NDArray[np.bool_], *, scan: int
    ) -> None: ...

    def read(self, scan: int) -> NDArray[np.float32]:
        """(neuron,) activity of an absorbed scan; each scan is read once, in order."""
        ...


class ActivityEstimator:
    """Activity of all neurons of a field of view, scan by scan, at a fixed lag.

    Parameters
    ----------
    calibration
        Baseline, noise and decay time constant of each neuron.
    target
        Statistics of the twin's training data, for `rescale`; None for unit standard deviation.

    Notes
    -----
    dF/F = (f_corrected - B) / F0 with F0 = B + w F_np, where B is the running percentile of
    f_corrected (`Baseline`), F_np a slow average of the neuropil, and w the neuropil weight. F0 is
    thus the resting fluorescence before neuropil subtraction, as which it cannot be near 0.
    Deconvolved activity is multiplied by the scan rate: dF/F per second, independent of the rate.
    """

    def __init__(
        self, config: CalciumConfig, *, calibration: Calibration, target: Calibration | None = None
    ) -> None:
        rate = calibration.scan_rate_hz
        self._lag = config.lag_scans
        self._neuropil_weight = np.float32(config.neuropil_weight)
        self._baseline = Baseline(
            calibration.count,
            window_scans=max(1, round(config.baseline_window_s * rate)),
            percentile=config.baseline_percentile,
        )
        self._baseline.seed(calibration.baseline_counts)
        self._neuropil = calibration.neuropil_counts.copy()
        self._readout = _readout(config, calibration)
        # jumps become dF/F per second, which does not depend on the scan rate
        self._unit = np.float32(1 if config.activity is Activity.DFF else rate)
        self._rescaler = Rescaler(
            config.rescale,
            measured=calibration,
            target=target,
            drift_scans=_scans(config.drift_tau_s, rate),
            followed_scans=_scans(config.drift_followed_s, rate),
        )
        self._pending: deque[tuple[int, int, int, NDArray[np.bool_]]] = deque()

    def dff(
        self,
        corrected: NDArray[np.float32],
        neuropil: NDArray[np.float32],
        measured: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        """(neuron,) dF/F of one scan; the scan is included in the running baseline.

        Parameters
        ----------
        corrected, neuropil
            (neuron,) f_corrected and f_neuropil of `RoiSignals`.
        measured
            (neuron,) where they are measurements.
        """
        baseline = self._baseline.update(corrected, measured)
        rate = np.float32(_NEUROPIL_RATE) * measured.astype(np.float32)
        self._neuropil += rate * (neuropil - self._neuropil)
        # F0 = B + w F_np
        resting = baseline + self._neuropil_weight * self._neuropil
        least = np.float32(_MIN_RESTING_FRACTION * max(1e-3, abs(_median(resting))))
        return ((corrected - baseline) / np.maximum(resting, least)).astype(np.float32)

    def activities(
        self,
        dff: NDArray[np.float32],
        measured: NDArray[np.bool_],
        *,
        scan: int,
        t_start_ns: int,
        t_end_ns: int,
    ) -> Iterator[ScanActivity]:
        """Activity in twin units of the scans that this scan makes final: those `lag` behind it."""
        self._readout.absorb(dff, measured, scan=scan)
        self._pending.append((scan, t_start_ns, t_end_ns, measured))
        while self._pending and self._pending[0][0] <= scan - self._lag:
            number, start_ns, end_ns, seen = self._pending.popleft()
            activity = self._readout.read(number) * self._unit
            yield ScanActivity(
                number, start_ns, end_ns, self._rescaler.rescaled(activity, seen), seen
            )


def _median(values: NDArray[np.float32]) -> float:
    """Median, computed without the checks of `np.median`, which take longer than it does."""
    middle = len(values) // 2
    below = middle - 1 + len(values) % 2
    ranked = np.partition(values, (below, middle))
    return float((ranked[below] + ranked[middle]) / 2)


def _scans(duration_s: float | None, rate_hz: float) -> float | None:
    return None if duration_s is None else duration_s * rate_hz


def _readout(config: CalciumConfig, calibration: Calibration) -> ActivityReadout:
    rate = calibration.scan_rate_hz
    decay_scans = calibration.decay_tau_s * np.float32(rate)
    if config.activity is Activity.DFF:
        return DffReader()
    if config.activity is Activity.EVENTS:
        return EventDetector(
            decay_scans,
            threshold=event_threshold(calibration.noise, decay_scans, noise_sd=config.event_sd),
        )
    return PoolDeconvolver(
        decay_scans,
        penalty=np.float32(config.sparsity) * calibration.noise,
        rise_scans=_rise_tau_s(config, calibration) * np.float32(rate),
    )


def _rise_tau_s(config: CalciumConfig, calibration: Calibration) -> NDArray[np.float32]:
    """(neuron,) rise time constant in s that is deconvolved.

    Calibrations of earlier versions have none; the config's is used as it was then, where it lasts
    at least one scan.
    """
    if calibration.rise_tau_s is not None:
        return calibration.rise_tau_s
    resolved = config.rise_tau_s * calibration.scan_rate_hz >= 1
    return np.full(calibration.count, config.rise_tau_s if resolved else 0, np.float32)
