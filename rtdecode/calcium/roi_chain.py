"""The calcium stage of a rig whose own program reads its ROIs: their values in, responses out."""

from collections.abc import Iterator, Sequence

import numpy as np

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.counts_chain import CountsChain
from rtdecode.calcium.register import Shift
from rtdecode.calcium.scan_count import ScanCount, ScanTime
from rtdecode.calcium.scan_reader import Counts
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import CalibrationError, RoiCountError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Fluorescence, Health, Received, Responses

_STILL = Shift(0.0, 0.0, 0.0, False)
_NO_IMAGE = np.zeros((0, 0), np.float32)


class RoiChain:
    """Stage that takes Fluorescence as the microscope's program sends it, one neuron a ROI.

    Nothing is registered or demixed here: that is for the program to do, and so is telling when
    the field of view is lost. All ROIs count as seen in the middle of their scan.

    Parameters
    ----------
    grid
        Frames at which responses are given.
    scan_rate_hz
        Imaging rate; None learns it from the stamps of the first values.
    calibration, wanted
        As `CalciumChain` takes them.
    """

    def __init__(
        self,
        config: CalciumConfig,
        *,
        grid: FrameGrid,
        scan_rate_hz: float | None,
        calibration: Calibration | None,
        wanted: Calibration | None,
        clock: Clock,
    ) -> None:
        self._config, self._grid, self._clock = config, grid, clock
        self._given, self._wanted = calibration, wanted
        self._count = ScanCount(planes=1, scan_rate_hz=scan_rate_hz)
        self._counts: CountsChain | None = None
        self.neurons = None if calibration is None else calibration.count
        """How many ROIs there are; None before the first values where no calibration says it."""

    @property
    def calibration(self) -> Calibration | None:
        """The one in use; None while it is being made."""
        return self._given if self._counts is None else self._counts.calibration

    def step(self, items: Sequence[Received]) -> Iterator[Health | Responses]:
        for item in items:
            body = item.message.body
            if isinstance(body, Fluorescence):
                yield from self._take(body, item.t_received_ns)

    def _take(self, rois: Fluorescence, t_received_ns: int) -> Iterator[Health | Responses]:
        chain = self._begun(rois) if self._counts is None else self._counts
        if len(rois.f_raw) != self.neurons:
            raise RoiCountError(number=rois.number, got=len(rois.f_raw), before=self.neurons)
        time = ScanTime(rois.number, rois.t_scan_ns, rois.t_scan_ns)
        index = self._count.index_of(time)
        if index is None:
            return
        yield from chain.step(
            self._split(rois),
            time,
            index=index,
            reference=_NO_IMAGE,
            t_received_ns=t_received_ns,
        )

    def _begun(self, rois: Fluorescence) -> CountsChain:
        count = len(rois.f_raw)
        if self._given is not None and self._given.count != count:
            raise CalibrationError(
                expected=f"{count} neurons, one a ROI", got=str(self._given.count)
            )
        self.neurons = count
        self._counts = CountsChain(
            self._config,
            phase=np.zeros(count, np.float32),
            count=self._count,
            grid=self._grid,
            calibration=self._given,
            wanted=self._wanted,
            clock=self._clock,
        )
        return self._counts

    def _split(self, rois: Fluorescence) -> Counts:
        corrected = rois.f_raw - np.float32(self._config.neuropil_weight) * rois.f_neuropil
        return Counts(
            rois.f_raw,
            rois.f_neuropil,
            corrected.astype(np.float32),
            np.ones(len(corrected), bool),
            _STILL,
        )
