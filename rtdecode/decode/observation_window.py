"""Recorded activity and behaviour in the frames of the horizon, for the decoder.

Duties: check that frames are in order and fit the twin, mark frames and neurons without a
measurement, and leave out stuck neurons. This module must not depend on twin, prior or solver.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.decode.stuck_neurons import StuckNeurons
from rtdecode.schema.errors import (
    BehaviourChannelsError,
    FrameOrderError,
    NeuronCountError,
    TwinRoisError,
)
from rtdecode.schema.messages import Responses, WindowFrame

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class WindowContents:
    """View of the frames of a horizon without a copy, oldest frame first.

    recorded: (frame, neuron) twin units. measured: (frame, neuron) 1 where there is a
    measurement, else 0. behaviour: (frame, channel).
    """

    recorded: F32
    measured: F32
    behaviour: F32


class ObservationWindow:
    """Ring buffer of the last `frames` frames of the frame grid.

    A frame whose number was skipped is missing: it has no measurement, and the behaviour of the
    frame before. The contents depend on the frames alone, not on how the stream was divided into
    batches.

    Stuck neurons have no measurement in any frame of the horizon. They are recognised from scans,
    not from frames, because frames between two slow scans repeat the newest value.

    Parameters
    ----------
    twin
        Name of the twin in messages.
    rois_hash
        Content hash of the ROIs that all responses must belong to; empty where it is not compared.
    """

    def __init__(
        self, *, neurons: int, channels: int, frames: int, twin: str = "", rois_hash: str = ""
    ) -> None:
        self._neurons, self._channels, self._frames, self._twin = neurons, channels, frames, twin
        self._rois_hash = rois_hash
        self._recorded = np.zeros((2 * frames, neurons), np.float32)
        self._measured = np.zeros((2 * frames, neurons), np.float32)
        self._behaviour = np.zeros((2 * frames, channels), np.float32)
        self._sources: list[Responses | None] = [None] * frames
        self._oldest = 0
        self._newest: int | None = None
        self._stuck_neurons, self._t_scan_ns = StuckNeurons(neurons=neurons), -1
        self._stuck = np.zeros(neurons, np.bool_)

    @property
    def stuck(self) -> NDArray[np.bool_]:
        """(neuron,) True for neurons that are left out as stuck."""
        return self._stuck

    @property
    def newest(self) -> int | None:
        """Number of the newest frame; None before the first."""
        return self._newest

    def missing_before(self, item: WindowFrame) -> int:
        """Number of frames between the newest frame and `item`.

        Raises
        ------
        FrameOrderError
            If `item` is not newer than what came before it.
        """
        if self._newest is None:
            return 0
        missing = item.responses.frame - self._newest - 1
        if missing < 0:
            raise FrameOrderError(newest=self._newest, got=item.responses.frame)
        return missing

    def absorb(self, items: Sequence[WindowFrame]) -> int:
        """Append `items` in order; return the number of frames by which the horizon was shifted.

        Raises
        ------
        FrameOrderError, NeuronCountError, TwinRoisError, BehaviourChannelsError
            If an item does not follow, or has other neurons or channels than the twin.
        """
        moved = 0
        for item in items:
            self._check(item)
            missing = self.missing_before(item)
            for _ in range(min(missing, self._frames)):
                self._push(None)
            self._leave_out_stuck(item.responses)
            self._push(item)
            self._newest = item.responses.frame
            moved += missing + 1
        return moved

    def contents(self) -> WindowContents:
        """All frames of the horizon, oldest first; valid until the next `absorb`."""
        rows = slice(self._oldest, self._oldest + self._frames)
        return WindowContents(self._recorded[rows], self._measured[rows], self._behaviour[rows])

    def source_of(self, frame: int) -> Responses | None:
        """Responses of `frame`; None if they are missing, or outside the horizon."""
        age = -1 if self._newest is None else self._newest - frame
        return self._sources[self._frames - 1 - age] if 0 <= age < self._frames else None

    def _leave_out_stuck(self, responses: Responses) -> None:
        if responses.t_scan_ns == self._t_scan_ns:
            return
        self._t_scan_ns = responses.t_scan_ns
        self._stuck = self._stuck_neurons.update(responses.activity, responses.valid)
        self._measured[:, self._stuck] = 0

    def _push(self, item: WindowFrame | None) -> None:
        """Write one frame at both places of the doubled buffer, so that a view needs no copy."""
        for row in (self._oldest, self._oldest + self._frames):
            if item is None:
                self._recorded[row], self._measured[row] = 0, 0
                self._behaviour[row] = self._behaviour[(row - 1) % (2 * self._frames)]
                continue
            measured = item.responses.valid & np.isfinite(item.responses.activity) & ~self._stuck
            self._recorded[row] = np.where(measured, item.responses.activity, 0)
            self._measured[row] = measured
            self._behaviour[row] = item.behaviour
        if self._newest is None and item is not None:
            self._behaviour[:] = item.behaviour
        self._oldest = (self._oldest + 1) % self._frames
        self._sources = [*self._sources[1:], None if item is None else item.responses]

    def _check(self, item: WindowFrame) -> None:
        if len(item.responses.activity) != self._neurons:
            raise NeuronCountError(
                streamed=len(item.responses.activity), trained=self._neurons, twin=self._twin
            )
        streamed = item.responses.rois_hash
        if self._rois_hash and streamed not in ("", self._rois_hash):
            raise TwinRoisError(streamed=streamed, trained=self._rois_hash, twin=self._twin)
        if len(item.behaviour) != self._channels:
            raise BehaviourChannelsError(got=len(item.behaviour), expected=self._channels)
