"""Looking at maps from the position of each neuron."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag


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


def corner_weights(
    position: Float[Tensor, "neuron 2"], *, rows: int, cols: int
) -> tuple[Int[Tensor, "neuron 4"], Float[Tensor, "neuron 4"]]:
    """The four cells around each (x, y) position in -1..1, and their bilinear weights."""
    at = (position.clamp(-1, 1) + 1) / 2
    x, y = at[:, 0] * (cols - 1), at[:, 1] * (rows - 1)
    left, top = x.detach().floor().clamp_max(cols - 2), y.detach().floor().clamp_max(rows - 2)
    right_part, low_part = x - left, y - top
    first = (top * cols + left).long()
    cells = first[:, None] + torch.tensor([0, 1, cols, cols + 1], device=position.device)
    across = torch.stack([1 - right_part, right_part], 1)
    down = torch.stack([1 - low_part, low_part], 1)
    return cells, (down[:, :, None] * across[:, None, :]).flatten(1)


class Looked(torch.autograd.Function):
    """Weighted sums of few rows of a matrix: (neuron, corner) cells and weights, (cell, value).

    A sparse product: ten times faster or more on a CPU than `grid_sample` and its backward.
    """

    @staticmethod
    def forward(ctx: Any, cells: Tensor, weights: Tensor, maps: Tensor) -> Tensor:
        ctx.save_for_backward(cells, weights, maps)
        return embedding_bag(cells, maps, mode="sum", per_sample_weights=weights)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        cells, weights, maps = ctx.saved_tensors
        (grad,) = grads
        to_weights = to_maps = None
        if ctx.needs_input_grad[1]:
            parts = [(maps[cells[:, k]] * grad).sum(1) for k in range(cells.shape[1])]
            to_weights = torch.stack(parts, 1)
        if ctx.needs_input_grad[2]:
            to_maps = _given_back(cells, weights, grad, size=len(maps))
        return None, to_weights, to_maps


def looked_up(
    cells: Int[Tensor, "neuron corner"],
    weights: Float[Tensor, "neuron corner"],
    maps: Float[Tensor, "cell value"],
) -> Float[Tensor, "neuron value"]:
    """What each neuron sees of `maps`; gradients flow to `weights` and `maps`."""
    seen: Tensor = Looked.apply(cells, weights, maps)  # type: ignore[no-untyped-call]
    return seen


def _given_back(cells: Tensor, weights: Tensor, grad: Tensor, *, size: int) -> Tensor:
    """The transposed product: what each of `size` cells gets back from those who looked at it."""
    flat = cells.flatten()
    order = torch.argsort(flat)
    starts = torch.searchsorted(flat[order], torch.arange(size, device=cells.device))
    lookers = order // cells.shape[1]
    scaled = weights.flatten()[order]
    return embedding_bag(lookers, grad, starts, mode="sum", per_sample_weights=scaled)
