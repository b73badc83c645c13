"""The newest frames of the window, which are still free, written as the prior's innovations."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.prior import VideoPrior


class EstimatedFrames:
    """Video of the last `frames` frames from their innovations u and from the frames before.

    x = mean + basis y, where y[t] follows the prior's autoregression driven by
    innovation_sd u[t]. Under the prior all u are independent, so that the prior's term of the
    objective is |u / u_sd|^2 / 2, whatever was decided about older frames.

    `u_sd` is 1, but for the first free frame: there u stands for as much as video varies at large.
    What was decided about the frames before is not certain, and an error in what changes slowly
    could else be mended only against the prior.
    """

    def __init__(self, prior: VideoPrior, *, frames: int) -> None:
        self.prior, self.frames = prior, frames
        self.order = len(prior.autoregression)
        self.basis, device = prior.basis, prior.mean.device
        self.u_sd = torch.ones(frames, *prior.power.shape, device=device)
        self.u_sd[0] = prior.power.sqrt() / prior.innovation_sd
        self._from_past = self._propagated_past()
        response = self._impulse_response() * prior.innovation_sd
        lag = torch.arange(frames)[:, None] - torch.arange(frames)[None, :]
        inside = (lag >= 0)[..., None, None].to(device)
        self._from_innovations = response[lag.clamp_min(0)] * inside

    def coefficients(
        self, u: Float[Tensor, "frame krow kcol"], past: Float[Tensor, "before krow kcol"]
    ) -> Float[Tensor, "frame krow kcol"]:
        """Cosine coefficients of the free frames, after those of the frames before, newest last."""
        driven = (self._from_innovations * u[None]).sum(1)
        return driven + (self._from_past * past[-self.order :]).sum(1)

    def _impulse_response(self) -> Float[Tensor, "frame krow kcol"]:
        """What an innovation of 1 makes of this frame and the next ones."""
        first = torch.ones_like(self.prior.power)
        response = [first]
        for _ in range(self.frames - 1):
            terms = zip(self.prior.autoregression, reversed(response[-self.order :]), strict=False)
            response.append(sum((a * y for a, y in terms), torch.zeros_like(first)))
        return torch.stack(response)

    def _propagated_past(self) -> Float[Tensor, "frame order krow kcol"]:
        """What the last `order` frames (oldest first) predict for the free ones."""
        flat = torch.eye(self.order, device=self.prior.power.device)
        known = [column[:, None, None] * torch.ones_like(self.prior.power) for column in flat]
        for _ in range(self.frames):
            recent = reversed(known[-self.order :])
            terms = zip(self.prior.autoregression, recent, strict=True)
            known.append(sum((a * y for a, y in terms), torch.zeros_like(known[0])))
        return torch.stack(known[self.order :])


@dataclass(frozen=True, slots=True)
class SolverState:
    """State of an inversion between frames.

    u: innovations of the free frames, the solution so far. velocity: of the optimiser. past: cosine
    coefficients of the frames before, oldest first, as far back as twin and prior see.
    """

    u: Float[Tensor, "frame krow kcol"]
    velocity: Float[Tensor, "frame krow kcol"]
    past: Float[Tensor, "before krow kcol"]


def initial_state(block: EstimatedFrames, *, history: int) -> SolverState:
    """Nothing seen yet: mean video."""
    u = torch.zeros_like(block.u_sd)
    past = u.new_zeros(max(block.order, history), *u.shape[1:])
    return SolverState(u, torch.zeros_like(u), past)


def shifted(state: SolverState, block: EstimatedFrames, *, frames: int) -> SolverState:
    """The same state after the window moved on by `frames`; by 0, `state` itself.

    The oldest free frames become past as they are. New frames start from the prior's prediction
    (innovation 0) without velocity. Those that stay keep their video and their motion exactly.
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
    """The same state with the newest frame at `coefficients`; all others keep their video."""
    newest = block.coefficients(state.u, state.past)[-1]
    u = state.u.clone()
    u[-1] += (coefficients - newest) / block.prior.innovation_sd
    return replace(state, u=u)
