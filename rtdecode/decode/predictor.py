"""Predicted activity in the horizon as a function of the estimated frames, for the solver.

Duties: f of eq. (1) of docs/decoder.md in each stride-th estimated frame, with gradients. History
is constant while steps are taken, so that its part of the prediction is computed once for each new
frame. This module must not depend on prior, likelihood or recorded activity.
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
"""Predicted activity in twin units as a differentiable function of the estimated frames."""


@runtime_checkable
class Predictor(Protocol):
    """Predicts activity in each `stride`-th estimated frame, counted back from the newest."""

    @property
    def stride(self) -> int: ...

    def given(
        self,
        old: Coefficients,
        behaviour: Float[Tensor, "horizon channel"],
        *,
        moved: int | None = None,
    ) -> Predict:
        """The prediction as a function of the estimated frames, given history and behaviour.

        Parameters
        ----------
        old
            Cosine coefficients of the history, oldest first.
        behaviour
            That of all frames of the horizon, history and estimated ones.
        moved
            Number of frames by which the horizon was shifted since the last call; the other frames
            of the history are then the same. None: all frames may differ.
        """
        ...


def predictor(
    twin: Twin, basis: Basis, *, history: int, estimated: int, stride: int | None = None
) -> Predictor:
    """The fastest predictor of `twin` for a horizon of `history` + `estimated` frames.

    Parameters
    ----------
    basis
        Basis of the coefficients of frames.
    stride
        Temporal stride: frames from one compared frame to the next, by default that of the twin.
    """
    frozen_on_host = isinstance(twin, Compact) and not (
        twin.weights.requires_grad or twin.weights.is_cuda
    )
    if isinstance(twin, Compact) and frozen_on_host:
        return CompactPredictor(twin, basis, history=history, estimated=estimated, stride=stride)
    return HorizonPredictor(twin, basis, estimated=estimated, stride=stride)


class HorizonPredictor:
    """Prediction of any twin, which is computed from the whole horizon at each call."""

    def __init__(
        self, twin: Twin, basis: Basis, *, estimated: int, stride: int | None = None
    ) -> None:
        self.stride = stride or (twin.temporal_stride if isinstance(twin, TailTwin) else 1)
        self._twin, self._basis, self._estimated = twin, basis, estimated

    def given(
        self,
        old: Coefficients,
        behaviour: Float[Tensor, "horizon channel"],
        *,
        moved: int | None = None,
    ) -> Predict:
        return partial(self._predicted, self._basis.video(old.detach()), behaviour)

    def _predicted(
        self,
        old: Float[Tensor, "history row col"],
        behaviour: Float[Tensor, "horizon channel"],
        estimated: Coefficients,
    ) -> Float[Tensor, "compared neuron"]:
        video = torch.cat([old, self._basis.video(estimated)])[None]
        return predict_tail(
            self._twin, video, behaviour[None], frames=self._estimated, stride=self.stride
        )[0]


class CompactPredictor:
    """Prediction of the compact twin, whose drive in a frame of the history is computed once."""

    def __init__(
        self,
        twin: Compact,
        basis: Basis,
        *,
        history: int,
        estimated: int,
        stride: int | None = None,
    ) -> None:
        self.stride, self._twin, self._basis = stride or twin.temporal_stride, twin, basis
        total, compared = history + estimated, -(-estimated // self.stride)
        kernel, spacing = twin.response_kernel.detach().abs(), twin.temporal_stride // self.stride
        reach = (len(kernel) - 1) * spacing
        rated = newest_frames(total, count=compared + reach, stride=self.stride)
        before = [frame for frame in rated if frame < history]
        self._history, self._rated = history, rated
        self._before = [frame - history for frame in before]
        self._kept = -min(self._before, default=0)
        self._estimated_drive = CompactDrive(
            twin, basis, history=history, free=estimated, wanted=rated[len(before) :]
        )
        response_kernel = causal_filters(
            kernel[None],
            frames_in=len(rated),
            wanted=torch.tensor(newest_frames(len(rated), count=compared, stride=1)),
            spacing=spacing,
        )[0]
        self._response_kernel_history = response_kernel[:, : len(before)]
        self._response_kernel_estimated = response_kernel[:, len(before) :]
        self._history_drive = twin.bias.new_zeros(0, twin.spec.neurons)
        self._old: dict[int, CompactDrive] = {}

    def given(
        self,
        old: Coefficients,
        behaviour: Float[Tensor, "horizon channel"],
        *,
        moved: int | None = None,
    ) -> Predict:
        self._update_history_drive(old.detach(), new=self._history if moved is None else moved)
        factor = self._twin.gain(behaviour[None, self._rated])[0] * self._twin.scale
        before = len(self._before)
        # part of f[t] = Σ_a kernel[a] drive[t - a] gain[t - a] that is due to the history
        known = self._response_kernel_history @ (
            self._history_drive[self._before] * factor[:before]
        )
        return partial(
            self._predicted,
            known,
            factor[before:],
            self._estimated_drive.history_term(old.detach()),
        )

    def _predicted(
        self,
        known: Float[Tensor, "compared neuron"],
        factor: Float[Tensor, "rated neuron"],
        before: Tensor,
        estimated: Coefficients,
    ) -> Float[Tensor, "compared neuron"]:
        return torch.addmm(
            known,
            self._response_kernel_estimated,
            self._estimated_drive(estimated, before) * factor,
        )

    def _update_history_drive(self, old: Coefficients, *, new: int) -> None:
        """Compute the drive of the `new` newest frames of history within the response kernel."""
        count = min(new, self._kept)
        if not count:
            return
        if count not in self._old:
            newest = list(range(self._history - count, self._history))
            self._old[count] = CompactDrive(
                self._twin, self._basis, history=0, free=self._history, wanted=newest
            )
        drive = self._old[count]
        history_drive = torch.cat([self._history_drive, drive(old, drive.history_term(old[:0]))])
        self._history_drive = history_drive[-self._kept :]
