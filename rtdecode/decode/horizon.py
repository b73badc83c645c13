"""Estimated frames of the horizon in innovations of the prior, with arrival cost, for the solver.

Duties: map innovations to cosine coefficients, eq. (2) of docs/decoder.md, hold the solver's state
between frames, and shift it when frames arrive (warm start). This module must not depend on the
twin or on recorded activity.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from rtdecode.decode.compute import Kernels, kernels_of
from rtdecode.decode.prior import VideoPrior
from rtdecode.decode.step_loops import extrapolated, moved, responded, responded_vjp

_MOMENTUM = 0.6
"""β of eq. (7)."""


@dataclass(frozen=True, slots=True)
class SolverState:
    """State of the solver between frames.

    u: innovations of the estimated frames, the current solution. velocity: v of eq. (7). past:
    cosine coefficients of the history, oldest first, as many frames as twin and prior need.
    """

    u: Float[Tensor, "frame krow kcol"]
    velocity: Float[Tensor, "frame krow kcol"]
    past: Float[Tensor, "before krow kcol"]


class EstimatedFrames:
    """Video of the newest `frames` frames from their innovations u and from the history.

    By eq. (2) x = mean + D y with y[t] = Σ_j a_j y[t-j] + s u[t]. Under the prior all u are
    independent, so that its term of the objective, eq. (6), is ½ Σ_t |u[t] / u_sd[t]|².

    `u_sd` is 1 except in the first estimated frame, where s u_sd is the marginal standard deviation
    of video. Past estimates are uncertain, so this arrival cost is weak: with u_sd = 1 an error in
    slowly changing frequencies could only be corrected against the prior.

    Attributes
    ----------
    u_sd
        (frame, krow, kcol) prior standard deviation of the innovations.
    order
        Number of frames of history that the prior's autoregression needs.
    """

    def __init__(self, prior: VideoPrior, *, frames: int, kernels: Kernels | None = None) -> None:
        self.prior, self.frames = prior, frames
        self._kernels = kernels or kernels_of(prior.mean.device)
        self.order = len(prior.autoregression)
        self.basis, device = prior.basis, prior.mean.device
        self.u_sd = torch.ones(frames, *prior.power.shape, device=device)
        # arrival cost, eq. (6): s u_sd[0] = standard deviation of y
        self.u_sd[0] = prior.power.sqrt() / prior.innovation_sd
        self._from_past = self._propagated_past()
        response = self._response = self._impulse_response() * prior.innovation_sd
        each = torch.arange(frames, device=device)
        lag = each[:, None] - each[None, :]
        inside = (lag >= 0)[..., None, None]
        self._from_innovations = response[lag.clamp_min(0)] * inside

    def coefficients(
        self, u: Float[Tensor, "frame krow kcol"], past: Float[Tensor, "before krow kcol"]
    ) -> Float[Tensor, "frame krow kcol"]:
        """Cosine coefficients y of the estimated frames, newest last; `past` holds the history's.

        y[t] = Σ_k h[t-k] s u[k] + Σ_j g[t, j] past[-j]: eq. (2), solved for y.
        """
        return (self._from_innovations * u[None]).sum(1) + self.carried(past)

    def carried(self, past: Float[Tensor, "before krow kcol"]) -> Float[Tensor, "frame krow kcol"]:
        """Σ_j g[t, j] past[-j]: `coefficients` of innovations 0."""
        return (self._from_past * past[-self.order :]).sum(1)

    def responded(
        self, u: Float[Tensor, "frame krow kcol"], carried: Float[Tensor, "frame krow kcol"]
    ) -> Float[Tensor, "frame krow kcol"]:
        """`coefficients` with the part of the history given, without a gradient."""
        if self._kernels is Kernels.TORCH:
            return (self._from_innovations * u[None]).sum(1) + carried
        video = torch.empty_like(u)
        responded(*(_by_frame(array) for array in (self._response, u, carried, video)))
        return video

    def adjoint(self, grad: Float[Tensor, "frame krow kcol"]) -> Float[Tensor, "frame krow kcol"]:
        """Gradient by u from that by `coefficients`: Σ_{t ≥ k} h[t-k] s grad[t]."""
        if self._kernels is Kernels.TORCH:
            return (self._from_innovations * grad[:, None]).sum(0)
        grad_u = torch.empty_like(grad, memory_format=torch.contiguous_format)
        responded_vjp(*(_by_frame(array) for array in (self._response, grad, grad_u)))
        return grad_u

    def extrapolated(self, state: SolverState) -> Float[Tensor, "frame krow kcol"]:
        """The point u + β v of eq. (7), without a gradient."""
        if self._kernels is Kernels.TORCH:
            return torch.add(state.u, state.velocity, alpha=_MOMENTUM)
        ahead = torch.empty_like(state.u)
        extrapolated(_flat(state.u), _flat(state.velocity), _MOMENTUM, _flat(ahead))
        return ahead

    def moved(
        self,
        state: SolverState,
        ahead: Float[Tensor, "frame krow kcol"],
        back: Float[Tensor, "frame krow kcol"],
        *,
        step_size: Float[Tensor, ""],
    ) -> tuple[SolverState, Float[Tensor, ""]]:
        """The state after a step η of eq. (7), and the prior part of the objective (6) at `ahead`.

        `back` is J' score at `ahead`. There is no gradient.
        """
        if self._kernels is Kernels.TORCH:
            whitened = ahead / self.u_sd
            gradient = whitened / self.u_sd - back  # eq. (5)
            # v ← β v - η gradient, u ← u + v
            velocity = _MOMENTUM * state.velocity - step_size * gradient
            moved_state = SolverState(state.u + velocity, velocity, state.past)
            return moved_state, whitened.square().sum() / 2
        u, velocity = torch.empty_like(state.u), torch.empty_like(state.u)
        prior_term = moved(
            _flat(state.u),
            _flat(state.velocity),
            _flat(ahead),
            _flat(back),
            _flat(self.u_sd),
            _MOMENTUM,
            float(step_size),
            _flat(u),
            _flat(velocity),
        )
        return SolverState(u, velocity, state.past), u.new_tensor(prior_term)

    def innovations(
        self, coefficients: Float[Tensor, "frame krow kcol"]
    ) -> Float[Tensor, "frame krow kcol"]:
        """The u whose `coefficients` are given, with a history at the prior's mean.

        u[t] = (y[t] - Σ_j a_j y[t-j]) / s: eq. (2), solved for u.
        """
        predicted = torch.zeros_like(coefficients)
        for back, weight in enumerate(self.prior.autoregression, start=1):
            predicted[back:] += weight * coefficients[:-back]
        return (coefficients - predicted) / self.prior.innovation_sd

    def white(self, generator: torch.Generator) -> Float[Tensor, "frame krow kcol"]:
        """A draw of u / u_sd from the prior; of `generator` on the CPU, the same on any device."""
        return torch.randn(self.u_sd.shape, generator=generator).to(self.u_sd)

    def _impulse_response(self) -> Float[Tensor, "frame krow kcol"]:
        """h: response of this frame and the next ones to an innovation of 1."""
        first = torch.ones_like(self.prior.power)
        response = [first]
        for _ in range(self.frames - 1):
            terms = zip(self.prior.autoregression, reversed(response[-self.order :]), strict=False)
            response.append(sum((a * y for a, y in terms), torch.zeros_like(first)))
        return torch.stack(response)

    def _propagated_past(self) -> Float[Tensor, "frame order krow kcol"]:
        """g: prediction of the estimated frames from the last `order` of history, oldest first."""
        flat = torch.eye(self.order, device=self.prior.power.device)
        known = [column[:, None, None] * torch.ones_like(self.prior.power) for column in flat]
        for _ in range(self.frames):
            recent = reversed(known[-self.order :])
            terms = zip(self.prior.autoregression, recent, strict=True)
            known.append(sum((a * y for a, y in terms), torch.zeros_like(known[0])))
        return torch.stack(known[self.order :])


def _by_frame(array: Float[Tensor, "frame krow kcol"]) -> NDArray[np.float32]:
    """(frame, frequency), without a copy where `array` is contiguous."""
    by_frame: NDArray[np.float32] = array.detach().numpy().reshape(len(array), -1)
    return by_frame


def _flat(array: Float[Tensor, "frame krow kcol"]) -> NDArray[np.float32]:
    """All numbers of `array`, without a copy where it is contiguous."""
    flat: NDArray[np.float32] = array.numpy().reshape(-1)
    return flat


def initial_state(block: EstimatedFrames, *, history: int) -> SolverState:
    """The state before any measurement: the prior's mean video."""
    u = torch.zeros_like(block.u_sd)
    past = u.new_zeros(max(block.order, history), *u.shape[1:])
    return SolverState(u, torch.zeros_like(u), past)


def shifted(state: SolverState, block: EstimatedFrames, *, frames: int) -> SolverState:
    """The state after the horizon was shifted by `frames`; `state` itself for 0.

    The oldest estimated frames become history unchanged. New frames start from the prior's
    prediction (innovation 0) with velocity 0. All other frames keep their video and velocity.
    """
    if frames == 0:
        return state
    if frames > block.frames:
        return shifted(
            shifted(state, block, frames=block.frames), block, frames=frames - block.frames
        )
    settled = block.coefficients(state.u, state.past)[:frames]
    added = state.u.new_zeros(frames, *state.u.shape[1:])
    return SolverState(
        u=torch.cat([state.u[frames:], added]),
        velocity=torch.cat([state.velocity[frames:], added]),
        past=torch.cat([state.past, settled])[frames:],
    )


def with_newest_frame(
    state: SolverState, block: EstimatedFrames, coefficients: Float[Tensor, "krow kcol"]
) -> SolverState:
    """The state with the newest frame at `coefficients`; all others keep their video."""
    newest = block.coefficients(state.u, state.past)[-1]
    u = state.u.clone()
    u[-1] += (coefficients - newest) / block.prior.innovation_sd
    return replace(state, u=u)
