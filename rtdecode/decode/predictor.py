"""Predicted activity in the horizon as a function of the estimated frames, for the solver.

Duties: f of eq. (1) of docs/decoder.md in each stride-th estimated frame, with gradients. History
is constant while steps are taken, so that its part of the prediction is computed once for each new
frame. This module must not depend on prior, likelihood or recorded activity.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.compute import Kernels
from rtdecode.twins.basis import Basis
from rtdecode.twins.compact.drive import CompactDrive, DriveState
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.readout import causal_filters, newest_frames
from rtdecode.twins.twin import TailTwin, Twin, predict_tail

Coefficients = Float[Tensor, "frame krow kcol"]
Adjoint = Callable[[Float[Tensor, "compared neuron"]], Coefficients]
"""Product of the transposed derivative J' of a prediction with a vector."""


@runtime_checkable
class Prediction(Protocol):
    """Predicted activity in twin units as a function of the estimated frames."""

    def __call__(self, estimated: Coefficients) -> Float[Tensor, "compared neuron"]:
        """The prediction, differentiable."""
        ...

    def linearised(
        self, estimated: Coefficients
    ) -> tuple[Float[Tensor, "compared neuron"], Adjoint]:
        """The prediction, and products with J' at `estimated`; valid until the next call."""
        ...


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
    ) -> Prediction:
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
    twin: Twin,
    basis: Basis,
    *,
    history: int,
    estimated: int,
    stride: int | None = None,
    kernels: Kernels | None = None,
) -> Predictor:
    """The fastest predictor of `twin` for a horizon of `history` + `estimated` frames.

    Parameters
    ----------
    basis
        Basis of the coefficients of frames.
    stride
        Temporal stride: frames from one compared frame to the next, by default that of the twin.
    kernels
        What predicts; by default compiled loops for a frozen compact twin on the host, else torch.
    """
    if kernels is not Kernels.TORCH and isinstance(twin, Compact) and _is_frozen_on_host(twin):
        return CompactPredictor(twin, basis, history=history, estimated=estimated, stride=stride)
    return HorizonPredictor(twin, basis, estimated=estimated, stride=stride)


def _is_frozen_on_host(twin: Compact) -> bool:
    return twin.weights.device.type == "cpu" and not twin.weights.requires_grad


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
    ) -> Prediction:
        old_video = self._basis.video(old.detach())

        def predicted(estimated: Coefficients) -> Float[Tensor, "compared neuron"]:
            video = torch.cat([old_video, self._basis.video(estimated)])[None]
            return predict_tail(
                self._twin, video, behaviour[None], frames=self._estimated, stride=self.stride
            )[0]

        return DifferentiablePrediction(predicted)


@dataclass(frozen=True, slots=True, eq=False)
class DifferentiablePrediction:
    """A prediction whose derivative is found by automatic differentiation."""

    predicted: Callable[[Coefficients], Float[Tensor, "compared neuron"]]

    def __call__(self, estimated: Coefficients) -> Float[Tensor, "compared neuron"]:
        return self.predicted(estimated)

    def linearised(
        self, estimated: Coefficients
    ) -> tuple[Float[Tensor, "compared neuron"], Adjoint]:
        at = estimated.detach().requires_grad_()
        with torch.enable_grad():
            predicted = self.predicted(at)

        def adjoint(score: Float[Tensor, "compared neuron"]) -> Coefficients:
            return torch.autograd.grad(predicted, at, score)[0]

        return predicted.detach(), adjoint


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
        self._old: dict[int, tuple[CompactDrive, DriveState]] = {}
        # memory of all steps
        self._state = self._estimated_drive.state()
        neurons = twin.spec.neurons
        self._rate = torch.empty(len(rated) - len(before), neurons)
        self._predicted = torch.empty(compared, neurons)
        self._behaviour = torch.full((total, len(twin.spec.behaviour_channels)), torch.nan)
        self._gain = torch.empty(total, neurons)

    def given(
        self,
        old: Coefficients,
        behaviour: Float[Tensor, "horizon channel"],
        *,
        moved: int | None = None,
    ) -> Prediction:
        old = old.detach()
        self._update_history_drive(old, new=self._history if moved is None else moved)
        factor = self._gains(behaviour, moved=moved or 0)[self._rated]
        before = len(self._before)
        # part of f[t] = Σ_a kernel[a] drive[t - a] gain[t - a] that is due to the history
        known = self._response_kernel_history @ (
            self._history_drive[self._before] * factor[:before]
        )
        return CompactPrediction(
            self._estimated_drive,
            self._estimated_drive.history_term(old),
            known,
            factor[before:],
            self._response_kernel_estimated,
            self._state,
            self._rate,
            self._predicted,
        )

    def _gains(
        self, behaviour: Float[Tensor, "horizon channel"], *, moved: int
    ) -> Float[Tensor, "horizon neuron"]:
        """γ S of (13) and (14) of the compact twin; computed where behaviour is not as before."""
        if moved:
            self._behaviour = torch.roll(self._behaviour, -moved, 0)
            self._gain = torch.roll(self._gain, -moved, 0)
        changed = (self._behaviour != behaviour).any(1)
        if bool(changed.any()):
            gain = self._twin.gain(behaviour[None, changed])[0]
            self._gain[changed] = gain * self._twin.scale
            self._behaviour[changed] = behaviour[changed]
        return self._gain

    def _update_history_drive(self, old: Coefficients, *, new: int) -> None:
        """Compute the drive of the `new` newest frames of history within the response kernel."""
        count = min(new, self._kept)
        if not count:
            return
        if count not in self._old:
            newest = list(range(self._history - count, self._history))
            made = CompactDrive(
                self._twin, self._basis, history=0, free=self._history, wanted=newest
            )
            self._old[count] = made, made.state()
        drive, state = self._old[count]
        found = drive.forward(old, drive.history_term(old[:0]), state)
        self._history_drive = torch.cat([self._history_drive, found])[-self._kept :]


@dataclass(frozen=True, slots=True, eq=False)
class CompactPrediction:
    """Prediction of a frozen compact twin, with its derivative written by hand.

    history_term: that of `CompactDrive`. known: part of the prediction that is due to the history.
    factor: γ S of (13) and (14) of the compact twin, and kernel: its response kernel, both at the
    estimated frames. state, rate, predicted: memory that `linearised` overwrites.
    """

    drive: CompactDrive
    history_term: Tensor
    known: Float[Tensor, "compared neuron"]
    factor: Float[Tensor, "rated neuron"]
    kernel: Float[Tensor, "compared rated"]
    state: DriveState
    rate: Float[Tensor, "rated neuron"]
    predicted: Float[Tensor, "compared neuron"]

    def __call__(self, estimated: Coefficients) -> Float[Tensor, "compared neuron"]:
        drive = self.drive(estimated, self.history_term)
        return torch.addmm(self.known, self.kernel, drive * self.factor)

    def linearised(
        self, estimated: Coefficients
    ) -> tuple[Float[Tensor, "compared neuron"], Adjoint]:
        drive = self.drive.forward(estimated.detach(), self.history_term, self.state)
        torch.mul(drive, self.factor, out=self.rate)
        torch.addmm(self.known, self.kernel, self.rate, out=self.predicted)
        return self.predicted, self._adjoint

    def _adjoint(self, score: Float[Tensor, "compared neuron"]) -> Coefficients:
        torch.mm(self.kernel.T, score, out=self.rate)
        return self.drive.vjp(self.rate.mul_(self.factor), self.state)
