"""Operations that several twins share: causal filters as matrices, and reading maps at points."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

_PLACE_AXES = 2


@lru_cache(maxsize=64)
def _index(numbers: tuple[int, ...], device: torch.device) -> Int[Tensor, " number"]:
    return torch.tensor(numbers, device=device)


def index_on(device: torch.device, numbers: Sequence[int]) -> Int[Tensor, " number"]:
    """`numbers` as an index on `device`, copied there once: a copy makes the host wait for a GPU.

    The caller must not change it.
    """
    return _index(tuple(numbers), device)


def newest_frames(frames_in: int, *, count: int, stride: int) -> list[int]:
    """Indices of the last of `frames_in` frames and of each `stride`-th before it, oldest first.

    There are `count` of them, or as many as fit into `frames_in`.
    """
    count = min(count, 1 + (frames_in - 1) // stride)
    return [frames_in - 1 - stride * back for back in reversed(range(count))]


def causal_filters(
    kernels: Float[Tensor, "kernel tap"],
    *,
    frames_in: int,
    wanted: Int[Tensor, " out"],
    spacing: int = 1,
) -> Float[Tensor, "kernel out in"]:
    """Write causal filters of a segment of `frames_in` frames as matrices.

    Parameters
    ----------
    kernels
        Newest tap last.
    wanted
        Frames whose filtered value is computed, one a row.
    spacing
        Frames between neighbouring taps.

    Notes
    -----
    K[p, t] = Σ over ages a with max(p − a spacing, 0) = t of the kernel's tap of age a: before the
    segment its first frame is held, so that frame 0 gets the weight of all taps that reach further
    back.
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
    """The four sites around each position on maps of rows × cols, and their bilinear weights.

    A position is (x, y), from −1 at the centre of the first site to 1 at that of the last, as in
    torch's `grid_sample` with `align_corners`; what lies outside is moved to the border. Sites are
    numbered row by row; their weights sum to 1.
    """
    at = (position.clamp(-1, 1) + 1) / 2
    x, y = at[:, 0] * (cols - 1), at[:, 1] * (rows - 1)
    left, top = x.detach().floor().clamp_max(cols - 2), y.detach().floor().clamp_max(rows - 2)
    right_part, low_part = x - left, y - top
    first = (top * cols + left).long()
    corners = torch.stack([first, first + 1, first + cols, first + cols + 1], 1)
    across = torch.stack([1 - right_part, right_part], 1)
    down = torch.stack([1 - low_part, low_part], 1)
    return corners, (down[:, :, None] * across[:, None, :]).flatten(1)


def preferred_places(twin: object) -> NDArray[np.float32] | None:
    """(neuron, 2) place x and y on the screen that each neuron's readout has learned, or None.

    Both go from -1 (left, top) to 1 (right, bottom), as `corner_weights` takes them. A twin whose
    readout is not at one position, as the linear one, has none.
    """
    position = getattr(twin, "position", None)
    if not isinstance(position, nn.Parameter) or position.ndim != _PLACE_AXES:
        return None
    places: NDArray[np.float32] = position.detach().float().clamp(-1, 1).cpu().numpy()
    return places if places.shape[1] == _PLACE_AXES else None


def bilinear_interpolation(
    corners: Int[Tensor, "neuron corner"],
    weights: Float[Tensor, "neuron corner"],
    maps: Float[Tensor, "site value"],
) -> Float[Tensor, "neuron value"]:
    """Values of `maps` at each neuron's position: Σ over its corners of weight times value.

    `corners` and `weights` are those of `corner_weights`; gradients flow to `weights` and `maps`.
    """
    values: Tensor = _Interpolation.apply(corners, weights, maps)  # type: ignore[no-untyped-call]
    return values


class _Interpolation(torch.autograd.Function):
    """Product of a sparse matrix, given by `corners` and `weights`, and the maps.

    On a CPU this is ten times faster or more than `grid_sample` and its backward pass.
    """

    @staticmethod
    def forward(ctx: Any, corners: Tensor, weights: Tensor, maps: Tensor) -> Tensor:
        ctx.save_for_backward(corners, weights, maps)
        return embedding_bag(corners, maps, mode="sum", per_sample_weights=weights)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        corners, weights, maps = ctx.saved_tensors
        (grad,) = grads
        grad_weights = grad_maps = None
        if ctx.needs_input_grad[1]:
            parts = [(maps[corners[:, k]] * grad).sum(1) for k in range(corners.shape[1])]
            grad_weights = torch.stack(parts, 1)
        if ctx.needs_input_grad[2]:
            grad_maps = _transposed_product(corners, weights, grad, sites=len(maps))
        return None, grad_weights, grad_maps


def _transposed_product(corners: Tensor, weights: Tensor, grad: Tensor, *, sites: int) -> Tensor:
    """Gradient (site, value) of the maps: for each site the sum over neurons with a corner there.

    Sorting by site turns the scatter into one more sparse product, without atomic additions.
    """
    flat = corners.flatten()
    order = torch.argsort(flat)
    starts = torch.searchsorted(flat[order], torch.arange(sites, device=corners.device))
    neurons = order // corners.shape[1]
    scaled = weights.flatten()[order]
    return embedding_bag(neurons, grad, starts, mode="sum", per_sample_weights=scaled)
