"""What an inversion remembers, and how it moves on when the window does."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.free_block import FreeBlock


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
