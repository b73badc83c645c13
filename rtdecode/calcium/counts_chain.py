"""Counts of the neurons of one field of view in, scan by scan; responses on the frame grid out."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.activity import ActivityEstimator
from rtdecode.calcium.calibrate import calibrated
from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.resample import Resampler, ScanActivity
from rtdecode.calcium.scan_count import ScanCount, ScanTime
from rtdecode.calcium.scan_reader import Counts
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import CalibrationError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Health, Responses


class CountsChain:
    """What follows once the light of each neuron is known, whoever took it out of the scans.

    Parameters
    ----------
    phase
        (neuron,) place in the scan at which each neuron is seen, 0 at its start, 1 at its end.
    count
        Places the scans and knows their rate.
    grid
        Frames at which responses are given.
    calibration
        Of an earlier run; None makes one from the first `config.calibration_s` seconds, in which
        all neurons of all frames are invalid.
    wanted
        Statistics of the twin's training data for `config.rescale`.

    Raises
    ------
    CalibrationError
        If `wanted` belongs to another number of neurons.
    """

    def __init__(
        self,
        config: CalciumConfig,
        *,
        phase: NDArray[np.float32],
        count: ScanCount,
        grid: FrameGrid,
        calibration: Calibration | None,
        wanted: Calibration | None,
        clock: Clock,
    ) -> None:
        if wanted is not None and wanted.count != len(phase):
            raise CalibrationError(
                expected=f"{len(phase)} neurons to rescale to", got=f"{wanted.count}"
            )
        self._config, self._count, self._clock, self._wanted = config, count, clock, wanted
        self._neurons = len(phase)
        self._resampler = Resampler(phase, frame_rate_hz=grid.rate_hz)
        self._grid = grid
        self._estimator: ActivityEstimator | None = None
        self.calibration = calibration
        """The one in use; None while it is being made."""
        if calibration is not None:
            self._estimator = ActivityEstimator(config, calibration=calibration, wanted=wanted)
        self._learned: list[Counts] = []

    def calibrates_at(self, time: ScanTime) -> bool:
        """Whether the scan at `time` is the last that a calibration waits for."""
        waited_s = self._count.seconds_since_first(time)
        return self._estimator is None and waited_s >= self._config.calibration_s

    def step(
        self,
        counts: Counts,
        time: ScanTime,
        *,
        index: int,
        reference: NDArray[np.float32],
        t_received_ns: int,
    ) -> Iterator[Health | Responses]:
        """Take one scan, `index` on a line without holes; `reference` is for a calibration."""
        # frames of the scan that completes the calibration are still invalid
        estimator = self._estimator
        if estimator is None:
            self._learned.append(counts)
            if self.calibrates_at(time):
                yield self._calibrate(reference)
        for done in self._activities(estimator, counts, time, index):
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
                )

    def _calibrate(self, reference: NDArray[np.float32]) -> Health:
        learned, self._learned = self._learned, []
        self.calibration = calibrated(
            self._config, learned, reference=reference, scan_rate_hz=self._count.scan_rate_hz
        )
        self._estimator = ActivityEstimator(
            self._config, calibration=self.calibration, wanted=self._wanted
        )
        return _calibration_health(self.calibration, scans=len(learned))

    def _activities(
        self, estimator: ActivityEstimator | None, counts: Counts, time: ScanTime, index: int
    ) -> Iterator[ScanActivity]:
        if estimator is None:
            nothing = np.zeros(self._neurons, np.float32)
            yield ScanActivity(index, time.t_start_ns, time.t_end_ns, nothing, nothing > 0)
            return
        dff = estimator.dff(counts.corrected_counts, counts.neuropil_counts, counts.measured)
        yield from estimator.activities(
            dff,
            counts.measured,
            scan=index,
            t_start_ns=time.t_start_ns,
            t_end_ns=time.t_end_ns,
        )


def _calibration_health(found: Calibration, *, scans: int) -> Health:
    noise, decay_s = float(np.median(found.noise)), float(np.median(found.decay_tau_s))
    return Health(
        state="running",
        detail=f"calibrated {found.count} neurons on {scans} scans: noise {noise:.3f} dF/F, "
        f"decay {decay_s:.2f} s (medians)",
        counters={"scans": float(scans), "noise_dff": noise, "decay_tau_s": decay_s},
    )
