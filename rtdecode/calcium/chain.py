"""The calcium stage: scans in, fluorescence and responses on the frame grid out."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.counts_chain import CountsChain
from rtdecode.calcium.field_check import FieldCheck
from rtdecode.calcium.register import mean_of_aligned
from rtdecode.calcium.rois import Rois
from rtdecode.calcium.scan_count import ScanCount, ScanTime
from rtdecode.calcium.scan_reader import Counts, ScanReader
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import ScanValueError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Fluorescence, Health, Received, Responses, Scan

Out = Fluorescence | Responses | Health


class CalciumChain:
    """Stage that reads neurons out of raw scans, one scan at a time.

    Parameters
    ----------
    grid
        Frames at which responses are given.
    scan_rate_hz
        Imaging rate, all planes together; None learns it from the stamps of the first scans.
    reference
        (row, col) image on which the rois are drawn, in counts; None takes the calibration's,
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
    what a calibration found. The first scans are compared with reference and rois (all of the
    calibration, or `config.reference_scans` where one was given): FieldMismatchError.
    """

    def __init__(
        self,
        config: CalciumConfig,
        *,
        rois: Rois,
        grid: FrameGrid,
        scan_rate_hz: float | None,
        reference: NDArray[Any] | None,
        calibration: Calibration | None,
        clock: Clock,
        wanted: Calibration | None = None,
    ) -> None:
        if calibration is not None:
            calibration.check(rois)
            reference = calibration.reference_counts if reference is None else reference
        self._config, self._rois = config, rois
        (self._plane,) = config.decoded_planes
        self._count = ScanCount(planes=config.planes, scan_rate_hz=scan_rate_hz)
        phase = np.clip((rois.centers_px[:, 0] + 0.5) / rois.shape[0], 0, 1)
        self._counts = CountsChain(
            config,
            phase=phase.astype(np.float32),
            count=self._count,
            grid=grid,
            calibration=calibration,
            wanted=wanted,
            clock=clock,
        )
        self._reader: ScanReader | None = None
        self._check: FieldCheck | None = None
        if reference is not None:
            self._look_at(reference)
        self._first: list[tuple[Scan, int, int]] = []

    @property
    def calibration(self) -> Calibration | None:
        """The one in use; None while it is being made."""
        return self._counts.calibration

    @property
    def field_lost(self) -> bool:
        """Whether the scans no longer show the field of view of the reference."""
        return self._reader is not None and self._reader.guard.lost

    def step(self, items: Sequence[Received]) -> Iterator[Out]:
        for item in items:
            body = item.message.body
            if isinstance(body, Scan) and body.plane == self._plane:
                yield from self._take(body, item.t_received_ns)

    def _take(self, scan: Scan, t_received_ns: int) -> Iterator[Out]:
        if scan.pixels_counts.dtype.kind not in "iu":
            raise ScanValueError(number=scan.number, got=f"{scan.pixels_counts.dtype} values")
        index = self._count.index_of(_time(scan))
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
        self._reader = ScanReader(self._config, rois=self._rois, reference=reference)
        self._check = FieldCheck(
            self._config, rois=self._rois, reference=self._reader.reference_counts
        )
        return self._reader

    def _read(
        self, reader: ScanReader, scan: Scan, index: int, t_received_ns: int
    ) -> Iterator[Out]:
        was_lost = reader.guard.lost
        counts, time = reader.read(scan.pixels_counts), _time(scan)
        yield Fluorescence(
            f_raw=counts.f_counts,
            f_neuropil=counts.neuropil_counts,
            number=scan.number,
            t_scan_ns=time.t_middle_ns,
            shift_px=np.array([counts.shift.row_px, counts.shift.col_px], np.float32),
            plane=scan.plane,
        )
        if reader.guard.lost != was_lost:
            yield _field_health(scan, counts, lost=reader.guard.lost)
        if self._check is not None:
            self._look_closer(self._check, reader, scan, time)
        yield from self._counts.step(
            counts,
            time,
            index=index,
            reference=reader.reference_counts,
            t_received_ns=t_received_ns,
        )

    def _look_closer(
        self, check: FieldCheck, reader: ScanReader, scan: Scan, time: ScanTime
    ) -> None:
        """Let the field of view pass once enough was seen of it, or raise FieldMismatchError."""
        check.add(scan.pixels_counts, reader.moved_counts, doubtful=reader.guard.doubtful)
        if self.calibration is None:
            enough = self._counts.calibrates_at(time)
        else:
            enough = check.scans >= self._config.reference_scans
        if enough:
            check.judge()
            self._check = None


def _time(scan: Scan) -> ScanTime:
    return ScanTime(scan.number, scan.t_start_ns, scan.t_end_ns)


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
