"""What a window's activity should be: the twin, as an inversion asks it.

Of a window only the newest frames are free; the older ones stand still while steps are taken.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.twin import TailTwin, Twin, predict_tail
from rtdecode.decode.twins.compact import Compact
from rtdecode.decode.twins.compact_drive import CompactDrive
from rtdecode.decode.twins.temporal import causal_filters, newest_frames


@runtime_checkable
class Predictor(Protocol):
    """Predicts every `every`-th of the free frames, the newest among them."""

    @property
    def every(self) -> int: ...

    def __call__(
        self,
        old: Float[Tensor, "history row col"],
        free: Float[Tensor, "free row col"],
        behaviour: Float[Tensor, "window channel"],
    ) -> Float[Tensor, "compared neuron"]:
        """Expected activity in twin units; gradients flow to `free`."""
        ...


def predictor(twin: Twin, *, history: int, free: int, every: int | None = None) -> Predictor:
    """The fastest way to ask `twin` about the last `free` frames of history + free.

    It answers for each `every`-th of them, by default as many as the twin can without loss.
    """
    frozen_on_host = isinstance(twin, Compact) and not (
        twin.weights.requires_grad or twin.weights.is_cuda
    )
    if isinstance(twin, Compact) and frozen_on_host:
        return CompactPredictor(twin, history=history, free=free, every=every)
    return WholeWindow(twin, free=free, every=every)


class WholeWindow:
    """Any twin, asked about the whole window each time."""

    def __init__(self, twin: Twin, *, free: int, every: int | None = None) -> None:
        self.every = every or (twin.pace if isinstance(twin, TailTwin) else 1)
        self._twin, self._free = twin, free

    def __call__(
        self,
        old: Float[Tensor, "history row col"],
        free: Float[Tensor, "free row col"],
        behaviour: Float[Tensor, "window channel"],
    ) -> Float[Tensor, "compared neuron"]:
        video = torch.cat([old, free])[None]
        return predict_tail(
            self._twin, video, behaviour[None], frames=self._free, every=self.every
        )[0]


class CompactPredictor:
    """The compact twin; what it says of old frames is worked out once for all steps."""

    def __init__(self, twin: Compact, *, history: int, free: int, every: int | None = None) -> None:
        self.every, self._twin = every or twin.pace, twin
        total, compared = history + free, -(-free // self.every)
        kernel, spacing = twin.response_kernel.detach().abs(), twin.pace // self.every
        reach = (len(kernel) - 1) * spacing
        rated = newest_frames(total, count=compared + reach, every=self.every)
        before = [frame for frame in rated if frame < history]
        self._rated = rated
        self._old = CompactDrive(twin, frames_in=history, wanted=before) if before else None
        self._free = CompactDrive(twin, frames_in=total, wanted=rated[len(before) :])
        self._smear = causal_filters(
            kernel[None],
            frames_in=len(rated),
            wanted=torch.tensor(newest_frames(len(rated), count=compared, every=1)),
            spacing=spacing,
        )[0]
        self._settled_for: Tensor | None = None
        self._settled = twin.bias.new_zeros(0, twin.spec.neurons)

    def __call__(
        self,
        old: Float[Tensor, "history row col"],
        free: Float[Tensor, "free row col"],
        behaviour: Float[Tensor, "window channel"],
    ) -> Float[Tensor, "compared neuron"]:
        drive = torch.cat([self._drive_of(old), self._free(torch.cat([old, free]))])
        rate = drive * self._twin.gain(behaviour[None, self._rated])[0]
        return self._smear @ rate * self._twin.scale

    def _drive_of(self, old: Float[Tensor, "history row col"]) -> Float[Tensor, "before neuron"]:
        if self._old is not None and old is not self._settled_for:
            self._settled = self._old(old.detach())
            self._settled_for = old
        return self._settled
