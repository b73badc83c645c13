"""The calcium stage: scans in, fluorescence and responses on the 30 Hz grid out."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.activity import ActivityEstimator
from rtdecode.calcium.calibrate import calibrated
from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.field_check import FieldCheck
from rtdecode.calcium.masks import Masks
from rtdecode.calcium.reference import mean_of_aligned
from rtdecode.calcium.resample import Resampler, ScanActivity
from rtdecode.calcium.scan_count import ScanCount
from rtdecode.calcium.scan_reader import Counts, ScanReader
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import CalibrationError, ScanValueError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Fluorescence, Health, Received, Responses, Scan

Out = Fluorescence | Responses | Health


class CalciumChain:
    """Stage that reads neurons out of raw scans, one scan at a time.

    Parameters
    ----------
    scan_rate_hz
        Imaging rate; None learns it from the stamps of the first scans.
    reference
        (row, col) image on which the masks are drawn, in counts; None takes the calibration's,
        or else the mean of the first `config.reference_scans` scans after alignment.
    calibration
        Of an earlier run on this field of view; None makes one from the first
        `config.calibration_s` seconds, in which all neurons of all frames are invalid.
    wanted
        Statistics of the twin's training data for `config.rescale`.

    Notes
    -----
    Each Scan gives one Fluorescence. Each frame of the grid gives one Responses, as soon as
    every neuron has final activity at or after the frame's start; what a lost scan would have
    told is invalid, never made up. A Health tells when the field of view is lost or found, and
    what a calibration found. The first scans are compared with reference and masks (all of the
    calibration, or `config.reference_scans` where one was given): FieldMismatchError.
    """

    def __init__(
        self,
        config: CalciumConfig,
        *,
        masks: Masks,
        scan_rate_hz: float | None,
        reference: NDArray[Any] | None,
        calibration: Calibration | None,
        clock: Clock,
        wanted: Calibration | None = None,
    ) -> None:
        if calibration is not None:
            calibration.check(masks)
            reference = calibration.reference_counts if reference is None else reference
        if wanted is not None and wanted.count != masks.count:
            raise CalibrationError(
                expected=f"{masks.count} neurons to rescale to", got=f"{wanted.count}"
            )
        self._config, self._masks, self._clock = config, masks, clock
        self._wanted = wanted
        self._count = ScanCount(planes=config.planes, scan_rate_hz=scan_rate_hz)
        self._reader: ScanReader | None = None
        self._check: FieldCheck | None = None
        if reference is not None:
            self._look_at(reference)
        self._estimator: ActivityEstimator | None = None
        self.calibration = calibration
        """The one in use; None while it is being made."""
        if calibration is not None:
            self._estimator = ActivityEstimator(config, calibration=calibration, wanted=wanted)
        phase = np.clip((masks.centers_px[:, 0] + 0.5) / masks.shape[0], 0, 1)
        self._resampler = Resampler(phase.astype(np.float32), frame_rate_hz=config.frame_rate_hz)
        self._grid = FrameGrid(config.frame_rate_hz)
        self._first: list[tuple[Scan, int, int]] = []
        self._learned: list[Counts] = []

    @property
    def field_lost(self) -> bool:
        """Whether the scans no longer show the field of view of the reference."""
        return self._reader is not None and self._reader.guard.lost

    def step(self, items: Sequence[Received]) -> Iterator[Out]:
        for item in items:
            body = item.message.body
            if isinstance(body, Scan) and body.plane == self._config.plane:
                yield from self._take(body, item.t_received_ns)

    def _take(self, scan: Scan, t_received_ns: int) -> Iterator[Out]:
        if scan.pixels_counts.dtype.kind not in "iu":
            raise ScanValueError(number=scan.number, got=f"{scan.pixels_counts.dtype} values")
        index = self._count.index_of(scan)
        if index is None:
            return
        if self._reader is not None:
            yield from self._read(self._reader, scan, index, t_received_ns)
            return
        self._first.append((scan, index, t_received_ns))
        if len(self._first) >= self._config.reference_scans:
            yield from self._begin()

    def _begin(self) -> Iterator[Out]:
        reference = mean_of_aligned(
            [scan.pixels_counts for scan, *_ in self._first],
            max_shift_px=self._config.max_shift_px,
        )
        reader = self._look_at(reference)
        waiting, self._first = self._first, []
        for scan, index, t_received_ns in waiting:
            yield from self._read(reader, scan, index, t_received_ns)

    def _look_at(self, reference: NDArray[Any]) -> ScanReader:
        self._reader = ScanReader(self._config, masks=self._masks, reference=reference)
        self._check = FieldCheck(
            self._config, masks=self._masks, reference=self._reader.reference_counts
        )
        return self._reader

    def _read(
        self, reader: ScanReader, scan: Scan, index: int, t_received_ns: int
    ) -> Iterator[Out]:
        was_lost = reader.guard.lost
        counts = reader.read(scan.pixels_counts)
        yield Fluorescence(
            f_counts=counts.f_counts,
            neuropil_counts=counts.neuropil_counts,
            number=scan.number,
            t_scan_ns=(scan.t_start_ns + scan.t_end_ns) // 2,
            shift_px=np.array([counts.shift.row_px, counts.shift.col_px], np.float32),
        )
        if reader.guard.lost != was_lost:
            yield _field_health(scan, counts, lost=reader.guard.lost)
        if self._check is not None:
            self._check.add(scan.pixels_counts, reader.moved_counts, doubtful=reader.guard.doubtful)
        estimator = self._estimator
        if estimator is None:
            yield from self._learn(reader, scan, counts)
        elif self._check is not None and self._check.scans >= self._config.reference_scans:
            self._pass()
        for done in self._activities(estimator, scan, index, counts):
            yield from self._responses(done, scan, t_received_ns)

    def _pass(self) -> None:
        """Let the field of view pass, or raise FieldMismatchError."""
        if self._check is not None:
            self._check.judge()
        self._check = None

    def _activities(
        self, estimator: ActivityEstimator | None, scan: Scan, index: int, counts: Counts
    ) -> Iterator[ScanActivity]:
        if estimator is None:
            nothing = np.zeros(self._masks.count, np.float32)
            yield ScanActivity(index, scan.t_start_ns, scan.t_end_ns, nothing, nothing > 0)
            return
        dff = estimator.dff(counts.corrected_counts, counts.neuropil_counts, counts.measured)
        yield from estimator.activities(
            dff,
            counts.measured,
            scan=index,
            t_start_ns=scan.t_start_ns,
            t_end_ns=scan.t_end_ns,
        )

    def _learn(self, reader: ScanReader, scan: Scan, counts: Counts) -> Iterator[Health]:
        self._learned.append(counts)
        if self._count.seconds_since_first(scan) < self._config.calibration_s:
            return
        self._pass()
        self.calibration = calibrated(
            self._config,
            self._learned,
            reference=reader.reference_counts,
            scan_rate_hz=self._count.scan_rate_hz,
        )
        self._estimator = ActivityEstimator(
            self._config, calibration=self.calibration, wanted=self._wanted
        )
        yield _calibration_health(self.calibration, scans=len(self._learned))
        self._learned = []

    def _responses(self, done: ScanActivity, scan: Scan, t_received_ns: int) -> Iterator[Responses]:
        for frame, activity, valid in self._resampler.frames(done):
            yield Responses(
                activity=activity,
                valid=valid,
                frame=frame,
                t_frame_ns=self._grid.start_ns(frame),
                t_scan_ns=(scan.t_start_ns + scan.t_end_ns) // 2,
                t_scan_end_ns=scan.t_end_ns,
                t_received_ns=t_received_ns,
                t_ready_ns=self._clock.now_ns(),
            )


def _calibration_health(found: Calibration, *, scans: int) -> Health:
    noise, decay_s = float(np.median(found.noise)), float(np.median(found.decay_tau_s))
    return Health(
        state="running",
        detail=f"calibrated {found.count} neurons on {scans} scans: noise {noise:.3f} dF/F, "
        f"decay {decay_s:.2f} s (medians)",
        counters={"scans": float(scans), "noise_dff": noise, "decay_tau_s": decay_s},
    )


def _field_health(scan: Scan, counts: Counts, *, lost: bool) -> Health:
    shift = counts.shift
    what = (
        f"field of view lost at scan {scan.number}: peak {shift.peak_sd:.1f} sd, "
        f"best shift {'at the edge of the search' if shift.at_edge else 'unclear'}; "
        f"move the objective back or start again with a new reference"
        if lost
        else f"field of view found again at scan {scan.number}"
    )
    return Health(
        state="running",
        detail=what,
        counters={"scan": float(scan.number), "peak_sd": shift.peak_sd},
    )
