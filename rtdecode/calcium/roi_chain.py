"""The calcium stage for rigs whose own program extracts the ROIs: values in, responses out."""

from collections.abc import Iterator, Sequence

import numpy as np

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.counts_chain import CountsChain
from rtdecode.calcium.register import Shift
from rtdecode.calcium.scan_count import ScanCount, ScanTime
from rtdecode.calcium.scan_reader import RoiSignals
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import CalibrationError, RoiCountError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Fluorescence, Received, Responses

_STILL = Shift(0.0, 0.0, 0.0, False)
_NO_IMAGE = np.zeros((0, 0), np.float32)


class RoiChain:
    """Stage that converts the Fluorescence of the rig's program to responses, one neuron per ROI.

    Registration, demixing and the detection of a lost field of view are left to that program.
    All ROIs are assigned to the middle of their scan.

    Parameters
    ----------
    grid
        Grid of the frames at which responses are given.
    scan_rate_hz
        Imaging rate in Hz; None estimates it from the first time stamps.
    calibration, target
        As for `CalciumChain`.

    Raises
    ------
    CalibrationError
        From `step`, if the calibration has another number of neurons.
    RoiCountError
        From `step`, if the number of ROIs changes during the run.
    """

    def __init__(
        self,
        config: CalciumConfig,
        *,
        grid: FrameGrid,
        scan_rate_hz: float | None,
        calibration: Calibration | None,
        target: Calibration | None,
        clock: Clock,
    ) -> None:
        self._config, self._grid, self._clock = config, grid, clock
        self._given, self._target = calibration, target
        self._count = ScanCount(planes=1, scan_rate_hz=scan_rate_hz)
        self._counts: CountsChain | None = None
        self.neurons = None if calibration is None else calibration.count
        """Number of ROIs; None before the first values, unless a calibration is given."""

    @property
    def calibration(self) -> Calibration | None:
        """The calibration in use; None until the first scans have been calibrated."""
        return self._given if self._counts is None else self._counts.calibration

    def step(self, items: Sequence[Received]) -> Iterator[Event | Responses]:
        for item in items:
            body = item.message.body
            if isinstance(body, Fluorescence):
                yield from self._outputs_of(body, item.t_received_ns)

    def _outputs_of(self, rois: Fluorescence, t_received_ns: int) -> Iterator[Event | Responses]:
        chain = self._made(rois) if self._counts is None else self._counts
        if len(rois.f_raw) != self.neurons:
            raise RoiCountError(number=rois.number, got=len(rois.f_raw), before=self.neurons)
        time = ScanTime(rois.number, rois.t_scan_ns, rois.t_scan_ns)
        index = self._count.index_of(time)
        if index is None:
            return
        yield from chain.outputs(
            self._signals(rois),
            time,
            index=index,
            reference=_NO_IMAGE,
            t_received_ns=t_received_ns,
        )

    def _made(self, rois: Fluorescence) -> CountsChain:
        count = len(rois.f_raw)
        if self._given is not None and self._given.count != count:
            raise CalibrationError(
                expected=f"{count} neurons, one per ROI", got=str(self._given.count)
            )
        self.neurons = count
        self._counts = CountsChain(
            self._config,
            phase=np.zeros(count, np.float32),
            count=self._count,
            grid=self._grid,
            calibration=self._given,
            target=self._target,
            clock=self._clock,
        )
        return self._counts

    def _signals(self, rois: Fluorescence) -> RoiSignals:
        # f_corrected = f_raw - w f_neuropil, as in ScanReader
        f_corrected = rois.f_raw - np.float32(self._config.neuropil_weight) * rois.f_neuropil
        return RoiSignals(
            rois.f_raw,
            rois.f_neuropil,
            f_corrected.astype(np.float32),
            np.ones(len(f_corrected), bool),
            _STILL,
        )
