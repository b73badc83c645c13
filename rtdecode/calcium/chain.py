"""The calcium stage of the decoder: raw scans in, fluorescence and responses on the grid out.

Duties: extract the fluorescence of every ROI from each scan, check the field of view, calibrate on
the first scans where no calibration is given, and convert fluorescence to responses in twin units.
The stage does not depend on the microscope that sends the scans, on sockets or files, on the twin,
or on the system's time: its clock only stamps when responses are ready. The steps are described in
docs/calcium.md; each has a module in this package.

>>> from rtdecode.calcium.rois import rois_from_lists
>>> from rtdecode.runtime.clock import HostClock
>>> from rtdecode.schema.messages import Stamped
>>> image = np.random.default_rng(0).poisson(50, (32, 32)).astype(np.uint16)
>>> rois = rois_from_lists((32, 32), [(np.arange(528, 532), np.ones(4))])
>>> config = CalciumConfig(reference_scans=2, calibration_s=0.1)
>>> chain = CalciumChain(
...     config, rois=rois, grid=FrameGrid(30.0), scan_rate_hz=30.0,
...     reference=None, calibration=None, clock=HostClock(),
... )
>>> ends_ns = [round((k + 1) * 1e9 / 30) for k in range(6)]
>>> scans = [Scan(image, k, 0, round(k * 1e9 / 30), end) for k, end in enumerate(ends_ns)]
>>> received = [Received(Stamped("bridge", k, 0, "host", scans[k]), 0) for k in range(6)]
>>> [body.kind for body in chain.step(received)].count("fluorescence")
6
>>> chain.calibration.count
1
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.counts_chain import CountsChain
from rtdecode.calcium.field_check import BlackStart, FieldCheck, is_black, leading_dark
from rtdecode.calcium.field_picture import PlaneField
from rtdecode.calcium.register import mean_of_aligned
from rtdecode.calcium.rois import Rois
from rtdecode.calcium.scan_count import ScanCount, ScanTime
from rtdecode.calcium.scan_reader import RoiSignals, ScanReader
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import ScanValueError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Fluorescence, Received, Responses, Scan

Out = Fluorescence | Responses | Event


class CalciumChain:
    """Stage that computes fluorescence and responses from raw scans, one scan at a time.

    Parameters
    ----------
    grid
        Grid of the frames at which responses are given.
    scan_rate_hz
        Imaging rate in Hz, all planes together; None estimates it from the first time stamps.
    reference
        (row, col) image in counts on which the ROIs are drawn; None uses the calibration's, or,
        without one, the mean of the first `config.reference_scans` scans after alignment.
    calibration
        Calibration of an earlier run on this field of view; None calibrates on the first
        `config.calibration_s` seconds, during which all neurons of all frames are invalid.
    target
        Statistics of the twin's training data for `config.rescale`.

    Raises
    ------
    CalibrationError
        If calibration or target belong to other ROIs.
    FieldMismatchError
        From `step`, if the first scans (all of the calibration, or `config.reference_scans` where
        one was given) do not show the field of view of reference and ROIs.
    ScanShapeError, ScanValueError
        From `step`, for a scan of another size, or of values that are no integer counts.

    Notes
    -----
    Each Scan yields one Fluorescence. Each frame of the grid yields one Responses as soon as every
    neuron has final activity at or after the frame's start; frames beside a lost scan are invalid
    and never interpolated. Scans without light are left out until the field of view is known, and
    an Event reports them. Events also report a field of view that is lost or found again, and the
    result of a calibration.
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
        target: Calibration | None = None,
    ) -> None:
        if calibration is not None:
            calibration.check(rois)
            reference = calibration.reference_counts if reference is None else reference
        self._config, self._rois = config, rois
        (self._plane,) = config.decoded_planes
        self._count = ScanCount(planes=config.planes, scan_rate_hz=scan_rate_hz)
        # a row is scanned after the fraction (row + ½) / rows of the scan
        phase = np.clip((rois.centers_px[:, 0] + 0.5) / rois.shape[0], 0, 1)
        self._counts = CountsChain(
            config,
            phase=phase.astype(np.float32),
            count=self._count,
            grid=grid,
            calibration=calibration,
            target=target,
            clock=clock,
            rois_hash=rois.hash,
        )
        self._rois_hash = rois.hash
        self._reader: ScanReader | None = None
        self._check: FieldCheck | None = None
        if reference is not None:
            self._set_reference(reference)
        self._first: list[tuple[Scan, int, int]] = []
        self._black = BlackStart()
        self._newest = ScanTime(-1, 0, 0)

    @property
    def calibration(self) -> Calibration | None:
        """The calibration in use; None until the first scans have been calibrated."""
        return self._counts.calibration

    @property
    def field_lost(self) -> bool:
        """Whether recent scans could not be registered onto the reference."""
        return self._reader is not None and self._reader.guard.lost

    @property
    def field(self) -> PlaneField:
        """The field of view after the newest scan; its counts are overwritten by the next one."""
        nothing = np.zeros(self._rois.shape, np.float32)
        counts = nothing if self._reader is None else self._reader.registered_counts
        newest = self._newest
        return PlaneField(self._plane, self._rois, counts, newest.number, newest.t_middle_ns)

    def accept_field(self) -> None:
        """Do not check the field of view, which an earlier chain of this session has checked."""
        self._check = None

    def step(self, items: Sequence[Received]) -> Iterator[Out]:
        for item in items:
            body = item.message.body
            if isinstance(body, Scan) and body.plane == self._plane:
                yield from self._outputs_of(body, item.t_received_ns)

    def _outputs_of(self, scan: Scan, t_received_ns: int) -> Iterator[Out]:
        if scan.pixels_counts.dtype.kind not in "iu":
            raise ScanValueError(number=scan.number, got=f"{scan.pixels_counts.dtype} values")
        if self._awaits_light:
            if scan.pixels_counts.shape == self._rois.shape and is_black(scan.pixels_counts):
                yield from self._black.add(1)
                return
            yield from self._black.rest()
        # repeated and old scans must not reach the baseline a second time
        index = self._count.index_of(_time(scan))
        if index is None:
            return
        if self._reader is not None:
            yield from self._read_scan(self._reader, scan, index, t_received_ns)
            return
        self._first.append((scan, index, t_received_ns))
        if len(self._first) >= self._config.reference_scans:
            yield from self._begin()

    @property
    def _awaits_light(self) -> bool:
        return self._reader is None or self._check is not None

    def _begin(self) -> Iterator[Out]:
        dark = leading_dark([scan.pixels_counts for scan, *_ in self._first])
        if dark:
            del self._first[:dark]
            yield from self._black.add(dark)
            return
        reference = mean_of_aligned(
            [scan.pixels_counts for scan, *_ in self._first],
            max_shift_px=self._config.max_shift_px,
        )
        reader = self._set_reference(reference)
        first, self._first = self._first, []
        for scan, index, t_received_ns in first:
            yield from self._read_scan(reader, scan, index, t_received_ns)

    def _set_reference(self, reference: NDArray[Any]) -> ScanReader:
        self._reader = ScanReader(self._config, rois=self._rois, reference=reference)
        self._check = FieldCheck(
            self._config, rois=self._rois, reference=self._reader.reference_counts
        )
        return self._reader

    def _read_scan(
        self, reader: ScanReader, scan: Scan, index: int, t_received_ns: int
    ) -> Iterator[Out]:
        was_lost = reader.guard.lost
        signals, time = reader.read(scan.pixels_counts), _time(scan)
        self._newest = time
        yield Fluorescence(
            f_raw=signals.f_raw,
            f_neuropil=signals.f_neuropil,
            number=scan.number,
            t_scan_ns=time.t_middle_ns,
            shift_px=np.array([signals.shift.row_px, signals.shift.col_px], np.float32),
            plane=scan.plane,
            rois_hash=self._rois_hash,
        )
        if reader.guard.lost != was_lost:
            yield _lost(scan, signals) if reader.guard.lost else _found(scan)
        if self._check is not None:
            self._check_field(self._check, reader, scan, time)
        yield from self._counts.outputs(
            signals,
            time,
            index=index,
            reference=reader.reference_counts,
            t_received_ns=t_received_ns,
        )

    def _check_field(
        self, check: FieldCheck, reader: ScanReader, scan: Scan, time: ScanTime
    ) -> None:
        """Accept the field of view after enough scans, or raise FieldMismatchError."""
        check.add(scan.pixels_counts, reader.registered_counts, rejected=reader.guard.rejected)
        if self.calibration is None:
            enough = self._counts.calibrates_at(time)
        else:
            enough = check.scans >= self._config.reference_scans
        if enough:
            check.check()
            self._check = None


def _time(scan: Scan) -> ScanTime:
    return ScanTime(scan.number, scan.t_start_ns, scan.t_end_ns)


def _lost(scan: Scan, signals: RoiSignals) -> Event:
    shift = signals.shift
    best = "at the edge of the search" if shift.at_edge else "unclear"
    text = (
        f"field of view lost at scan {scan.number}: correlation peak {shift.peak_sd:.1f} SD, best "
        f"shift {best}; move the objective back or start again with a new reference"
    )
    return Event("alarm", "decoder", "field_lost", text)


def _found(scan: Scan) -> Event:
    text = f"field of view found again at scan {scan.number}"
    return Event("info", "decoder", "field_found", text)
