"""What a window's activity should be: the twin, as an inversion asks it.

Of a window only the newest frames are free; the older ones stand still while steps are taken.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.twins.basis import Basis
from rtdecode.twins.compact.drive import CompactDrive
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.readout import causal_filters, newest_frames
from rtdecode.twins.twin import TailTwin, Twin, predict_tail

Coefficients = Float[Tensor, "frame krow kcol"]
Predict = Callable[[Coefficients], Float[Tensor, "compared neuron"]]
"""Expected activity, in twin units, from the free frames alone; gradients flow to them."""


@runtime_checkable
class Predictor(Protocol):
    """Predicts every `every`-th of the free frames, the newest among them."""

    @property
    def every(self) -> int: ...

    def given(
        self,
        old: Coefficients,
        behaviour: Float[Tensor, "window channel"],
        *,
        moved: int | None = None,
    ) -> Predict:
        """What follows from free frames after these `old` ones, with all behaviour of the window.

        `moved` says by how many frames the window moved on since it was last asked: the other
        old frames are the same as then. Without it they are all new.
        """
        ...


def predictor(
    twin: Twin, basis: Basis, *, history: int, free: int, every: int | None = None
) -> Predictor:
    """The fastest way to ask `twin` about the last `free` frames of history + free.

    Frames are told in `basis`. It answers for each `every`-th of the free ones, by default as many
    as the twin can without loss.
    """
    frozen_on_host = isinstance(twin, Compact) and not (
        twin.weights.requires_grad or twin.weights.is_cuda
    )
    if isinstance(twin, Compact) and frozen_on_host:
        return CompactPredictor(twin, basis, history=history, free=free, every=every)
    return WholeWindow(twin, basis, free=free, every=every)


class WholeWindow:
    """Any twin, asked about the whole window each time."""

    def __init__(self, twin: Twin, basis: Basis, *, free: int, every: int | None = None) -> None:
        self.every = every or (twin.temporal_stride if isinstance(twin, TailTwin) else 1)
        self._twin, self._basis, self._free = twin, basis, free

    def given(
        self,
        old: Coefficients,
        behaviour: Float[Tensor, "window channel"],
        *,
        moved: int | None = None,
    ) -> Predict:
        return partial(self._predicted, self._basis.video(old.detach()), behaviour)

    def _predicted(
        self,
        old: Float[Tensor, "history row col"],
        behaviour: Float[Tensor, "window channel"],
        free: Coefficients,
    ) -> Float[Tensor, "compared neuron"]:
        video = torch.cat([old, self._basis.video(free)])[None]
        return predict_tail(
            self._twin, video, behaviour[None], frames=self._free, stride=self.every
        )[0]


class CompactPredictor:
    """The compact twin; what it says of an old frame is worked out once, when it has become old."""

    def __init__(
        self, twin: Compact, basis: Basis, *, history: int, free: int, every: int | None = None
    ) -> None:
        self.every, self._twin, self._basis = every or twin.temporal_stride, twin, basis
        total, compared = history + free, -(-free // self.every)
        kernel, spacing = twin.response_kernel.detach().abs(), twin.temporal_stride // self.every
        reach = (len(kernel) - 1) * spacing
        rated = newest_frames(total, count=compared + reach, stride=self.every)
        before = [frame for frame in rated if frame < history]
        self._history, self._rated = history, rated
        self._before = [frame - history for frame in before]
        self._kept = -min(self._before, default=0)
        self._free = CompactDrive(
            twin, basis, history=history, free=free, wanted=rated[len(before) :]
        )
        smear = causal_filters(
            kernel[None],
            frames_in=len(rated),
            wanted=torch.tensor(newest_frames(len(rated), count=compared, stride=1)),
            spacing=spacing,
        )[0]
        self._smear_before, self._smear_free = smear[:, : len(before)], smear[:, len(before) :]
        self._settled = twin.bias.new_zeros(0, twin.spec.neurons)
        self._old: dict[int, CompactDrive] = {}

    def given(
        self,
        old: Coefficients,
        behaviour: Float[Tensor, "window channel"],
        *,
        moved: int | None = None,
    ) -> Predict:
        self._settle(old.detach(), new=self._history if moved is None else moved)
        factor = self._twin.gain(behaviour[None, self._rated])[0] * self._twin.scale
        before = len(self._before)
        known = self._smear_before @ (self._settled[self._before] * factor[:before])
        return partial(
            self._predicted, known, factor[before:], self._free.history_term(old.detach())
        )

    def _predicted(
        self,
        known: Float[Tensor, "compared neuron"],
        factor: Float[Tensor, "rated neuron"],
        before: Tensor,
        free: Coefficients,
    ) -> Float[Tensor, "compared neuron"]:
        return torch.addmm(known, self._smear_free, self._free(free, before) * factor)

    def _settle(self, old: Coefficients, *, new: int) -> None:
        """Work out the drive of the `new` newest old frames that the response's kernel reaches."""
        count = min(new, self._kept)
        if not count:
            return
        if count not in self._old:
            newest = list(range(self._history - count, self._history))
            self._old[count] = CompactDrive(
                self._twin, self._basis, history=0, free=self._history, wanted=newest
            )
        drive = self._old[count]
        settled = torch.cat([self._settled, drive(old, drive.history_term(old[:0]))])
        self._settled = settled[-self._kept :]
