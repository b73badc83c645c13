"""Causal filtering over frames as one matrix product."""

import torch
from jaxtyping import Float
from torch import Tensor


def toeplitz_filters(
    kernels: Float[Tensor, "kernel tap"], *, frames_in: int, frames_out: int
) -> Float[Tensor, "kernel out in"]:
    """Matrices that filter a stretch of `frames_in` frames and keep its last `frames_out`.

    `kernels` have their newest tap last. Before the stretch the first frame is held, so its
    column takes the weight of all taps that would reach further back.
    """
    taps = kernels.shape[1]
    newest = torch.arange(frames_in - frames_out, frames_in, device=kernels.device)
    age = newest[:, None] - torch.arange(frames_in, device=kernels.device)[None, :]
    inside = (age >= 0) & (age < taps)
    matrix = kernels[:, (taps - 1 - age).clamp(0, taps - 1)] * inside
    reach = torch.cat([kernels.new_zeros(len(kernels), 1), kernels.cumsum(1)], 1)
    held = reach[:, (taps - 1 - newest).clamp(0, taps)]
    first = torch.cat([held[:, :, None], matrix.new_zeros(*matrix.shape[:2], frames_in - 1)], 2)
    return matrix + first


def causal_basis_responses(
    video: Float[Tensor, "batch frame row col"],
    kernels: Float[Tensor, "kernel tap"],
    *,
    frames: int,
) -> Float[Tensor, "batch tail kernel row col"]:
    """The last `frames` frames of `video`, filtered by each of `kernels`."""
    matrix = toeplitz_filters(kernels, frames_in=video.shape[1], frames_out=frames)
    batch, _, rows, cols = video.shape
    flat = torch.matmul(matrix.permute(1, 0, 2).flatten(0, 1), video.flatten(2))
    return flat.reshape(batch, frames, len(kernels), rows, cols)
