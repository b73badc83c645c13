"""The newest frames of the window, which are still free, written as the prior's innovations."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.prior import VideoPrior


class FreeBlock:
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
class Memory:
    """State of an inversion between frames.

    u: innovations of the free frames, the solution so far. velocity: of the optimiser. past: cosine
    coefficients of the frames before, oldest first, as far back as twin and prior see.
    """

    u: Float[Tensor, "frame krow kcol"]
    velocity: Float[Tensor, "frame krow kcol"]
    past: Float[Tensor, "before krow kcol"]


def fresh_memory(block: FreeBlock, *, history: int) -> Memory:
    """Nothing seen yet: mean video."""
    u = torch.zeros_like(block.u_sd)
    past = u.new_zeros(max(block.order, history), *u.shape[1:])
    return Memory(u, torch.zeros_like(u), past)


def shifted(memory: Memory, block: FreeBlock, *, frames: int) -> Memory:
    """The same state after the window moved on by `frames`; by 0, `memory` itself.

    The oldest free frames become past as they are. New frames start from the prior's prediction
    (innovation 0) without velocity. Those that stay keep their video and their motion exactly.
    """
    if frames == 0:
        return memory
    if frames > block.frames:
        return shifted(
            shifted(memory, block, frames=block.frames), block, frames=frames - block.frames
        )
    settled = block.coefficients(memory.u, memory.past)[:frames]
    added = memory.u.new_zeros(frames, *memory.u.shape[1:])
    return Memory(
        u=torch.cat([memory.u[frames:], added]),
        velocity=torch.cat([memory.velocity[frames:], added]),
        past=torch.cat([memory.past, settled])[frames:],
    )


def begun_from(
    memory: Memory, block: FreeBlock, coefficients: Float[Tensor, "krow kcol"]
) -> Memory:
    """The same state with the newest frame at `coefficients`; all others keep their video."""
    newest = block.coefficients(memory.u, memory.past)[-1]
    u = memory.u.clone()
    u[-1] += (coefficients - newest) / block.prior.innovation_sd
    return replace(memory, u=u)
