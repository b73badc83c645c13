"""Causal filtering over frames as one matrix product."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def newest_frames(frames_in: int, *, count: int, every: int) -> list[int]:
    """Up to `count` frames, oldest first: the last of `frames_in` and each `every`-th before it."""
    count = min(count, 1 + (frames_in - 1) // every)
    return [frames_in - 1 - every * back for back in reversed(range(count))]


def causal_filters(
    kernels: Float[Tensor, "kernel tap"],
    *,
    frames_in: int,
    wanted: Int[Tensor, " out"],
    spacing: int = 1,
) -> Float[Tensor, "kernel out in"]:
    """Matrices that filter a stretch of `frames_in` frames and keep the `wanted` ones.

    `kernels` have their newest tap last and their taps `spacing` frames apart. Before the
    stretch its first frame is held: it takes the weight of all taps that reach further back.
    """
    taps = kernels.shape[1]
    reach = torch.arange(taps - 1, -1, -1, device=kernels.device) * spacing
    source = (wanted[:, None] - reach[None, :]).clamp_min(0)
    matrix = kernels.new_zeros(len(kernels), len(wanted), frames_in)
    index = source[None].expand(len(kernels), -1, -1)
    return matrix.scatter_add(2, index, kernels[:, None].expand_as(index))
