"""Fluorescence of the neurons of one plane to responses on the grid, for both calcium stages."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.activity import ActivityEstimator
from rtdecode.calcium.calibrate import calibrated
from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.resample import Resampler, ScanActivity
from rtdecode.calcium.scan_count import ScanCount, ScanTime
from rtdecode.calcium.scan_reader import RoiSignals
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import CalibrationError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Responses


class CountsChain:
    """Converts fluorescence to responses, whichever program extracted it from the scans.

    Parameters
    ----------
    phase
        (neuron,) fraction of the scan's duration after which each neuron is scanned, 0..1.
    count
        Index and rate of the scans.
    grid
        Grid of the frames at which responses are given.
    calibration
        Calibration of an earlier run; None calibrates on the first `config.calibration_s` seconds,
        during which all neurons of all frames are invalid.
    target
        Statistics of the twin's training data for `config.rescale`.
    rois_hash
        Content hash of the ROIs, which each Responses carries; empty if unknown.

    Raises
    ------
    CalibrationError
        If `target` has another number of neurons.
    """

    def __init__(
        self,
        config: CalciumConfig,
        *,
        phase: NDArray[np.float32],
        count: ScanCount,
        grid: FrameGrid,
        calibration: Calibration | None,
        target: Calibration | None,
        clock: Clock,
        rois_hash: str = "",
    ) -> None:
        if target is not None and target.count != len(phase):
            raise CalibrationError(
                expected=f"{len(phase)} neurons to rescale to", got=f"{target.count}"
            )
        self._config, self._count, self._clock, self._target = config, count, clock, target
        self._neurons, self._rois_hash = len(phase), rois_hash
        self._resampler = Resampler(phase, frame_rate_hz=grid.rate_hz)
        self._grid = grid
        self._estimator: ActivityEstimator | None = None
        self.calibration = calibration
        """The calibration in use; None until the first scans have been calibrated."""
        if calibration is not None:
            self._estimator = ActivityEstimator(config, calibration=calibration, target=target)
        self._calibration_scans: list[RoiSignals] = []

    def calibrates_at(self, time: ScanTime) -> bool:
        """Whether the scan at `time` completes the calibration."""
        waited_s = self._count.seconds_since_first(time)
        return self._estimator is None and waited_s >= self._config.calibration_s

    def outputs(
        self,
        signals: RoiSignals,
        time: ScanTime,
        *,
        index: int,
        reference: NDArray[np.float32],
        t_received_ns: int,
    ) -> Iterator[Event | Responses]:
        """Responses that this scan makes final, and the Event of a calibration that it completes.

        Parameters
        ----------
        index
            Number of the scan, lost ones included (`ScanCount`).
        reference
            (row, col) reference image, stored in a calibration.
        t_received_ns
            HostNs at which the decoder received the scan.
        """
        # frames of the scan that completes the calibration are still invalid
        estimator = self._estimator
        if estimator is None:
            self._calibration_scans.append(signals)
            if self.calibrates_at(time):
                yield self._calibrate(reference)
        for done in self._activities(estimator, signals, time, index):
            for frame, activity, valid in self._resampler.frames(done):
                yield Responses(
                    activity=activity,
                    valid=valid,
                    frame=frame,
                    t_frame_start_ns=self._grid.start_ns(frame),
                    t_scan_ns=time.t_middle_ns,
                    t_scan_end_ns=time.t_end_ns,
                    t_received_ns=t_received_ns,
                    t_ready_ns=self._clock.now_ns(),
                    rois_hash=self._rois_hash,
                )

    def _calibrate(self, reference: NDArray[np.float32]) -> Event:
        scans, self._calibration_scans = self._calibration_scans, []
        measured = calibrated(
            self._config, scans, reference=reference, scan_rate_hz=self._count.scan_rate_hz
        )
        self.calibration = replace(measured, rois_hash=self._rois_hash)
        self._estimator = ActivityEstimator(
            self._config, calibration=self.calibration, target=self._target
        )
        return _calibrated(self.calibration, scans=len(scans))

    def _activities(
        self, estimator: ActivityEstimator | None, signals: RoiSignals, time: ScanTime, index: int
    ) -> Iterator[ScanActivity]:
        if estimator is None:
            zeros = np.zeros(self._neurons, np.float32)
            yield ScanActivity(index, time.t_start_ns, time.t_end_ns, zeros, zeros > 0)
            return
        dff = estimator.dff(signals.f_corrected, signals.f_neuropil, signals.measured)
        yield from estimator.activities(
            dff,
            signals.measured,
            scan=index,
            t_start_ns=time.t_start_ns,
            t_end_ns=time.t_end_ns,
        )


def _calibrated(found: Calibration, *, scans: int) -> Event:
    noise, decay_s = float(np.median(found.noise)), float(np.median(found.decay_tau_s))
    text = (
        f"calibrated on {scans} scans: median noise {noise:.3f} dF/F, median decay time constant "
        f"{decay_s:.2f} s"
    )
    return Event("info", "decoder", "calibrated", text, {"neurons": float(found.count)})
