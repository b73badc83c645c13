"""Filters that a compact twin starts from, and filters written as matrices."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def gamma_kernels(streams: int, *, taps: int) -> Float[Tensor, "kernel tap"]:
    """Causal kernels, newest tap last: one sustained, then transients that get slower."""
    age = torch.arange(taps, dtype=torch.float32).flip(0)
    kernels = []
    for stream in range(streams):
        pace = 1.5 + 0.7 * max(0, stream - 1)
        fast, slow = age.square() * torch.exp(-age / pace), age**3 * torch.exp(-age / (1.6 * pace))
        kernel = fast / fast.sum() - (0.8 * slow / slow.sum() if stream else 0)
        kernels.append(kernel / kernel.norm())
    return torch.stack(kernels)


def decay_kernel(taps: int) -> Float[Tensor, " tap"]:
    """A smear of about four frames, summing to 1, newest tap last."""
    age = torch.arange(taps, dtype=torch.float32).flip(0)
    kernel = (age + 1) * torch.exp(-age / 2)
    smear: Tensor = kernel / kernel.sum()
    return smear


def hermite_filters(orders: int, *, taps: int, width_px: float = 1.6) -> Float[Tensor, "order tap"]:
    """Derivatives of a Gaussian, orders 0 and up, of unit norm: a basis of smooth filters."""
    x = (torch.arange(taps, dtype=torch.float32) - (taps - 1) / 2) / width_px
    before, now = torch.zeros(taps), torch.ones(taps)
    filters = []
    for order in range(orders):
        filters.append(now * torch.exp(-x.square() / 2))
        before, now = now, x * now - order * before
    stacked = torch.stack(filters)
    unit: Tensor = stacked / stacked.norm(dim=1, keepdim=True)
    return unit


def strided_filters(
    filters: Float[Tensor, "order tap"], *, size: int, stride: int = 2
) -> Float[Tensor, "order out size"]:
    """Matrices that filter a line of `size` pixels at every `stride`-th of them, zero outside.

    Each is centred on the `stride` pixels that it stands for. With an even stride an odd filter
    would have its taps between pixels: each pixel then takes the nearest tap of even number, and
    half of the taps take no part.
    """
    taps = filters.shape[1]
    centre = torch.arange(0, size, stride, device=filters.device) + (stride - 1) / 2
    tap = torch.arange(size, device=filters.device)[None, :] - centre[:, None] + (taps - 1) / 2
    tap = tap.round().long()
    inside = (tap >= 0) & (tap < taps)
    return filters[:, tap.clamp(0, taps - 1)] * inside


def blur_matrix(size: int, *, width: float = 1.5) -> Float[Tensor, "size size"]:
    """Gaussian blur of a line, rows summing to 1."""
    at = torch.arange(size, dtype=torch.float32)
    matrix = torch.exp(-(at[:, None] - at[None, :]).square() / (2 * width * width))
    blur: Tensor = matrix / matrix.sum(1, keepdim=True)
    return blur


def steered_mix(streams: int, orders: int, *, hidden: int) -> Float[Tensor, "input hidden"]:
    """Mixing weights that make oriented subunits of a bank of row and column derivatives.

    An n-th derivative along direction a is the sum over k of binomial(n, k) cos(a)^k sin(a)^(n-k)
    times the product of the k-th derivative along the columns and the (n-k)-th along the rows
    (Freeman and Adelson 1991). Inputs are ordered (row order, stream, column order). The first
    half of the columns is to be rectified and holds both polarities, the second half squared.
    """
    rectified = [(n, turn, sign) for n in range(orders) for turn, sign in _views(n, both=True)]
    squared = [(n, turn, 1.0) for n in range(1, orders) for turn, _ in _views(n, both=False)]
    half = hidden // 2
    mix = torch.zeros(orders, streams, orders, hidden)
    for column in range(hidden):
        kinds, place = (rectified, column) if column < half else (squared, column - half)
        n, turn, sign = kinds[(place // streams) % len(kinds)]
        for k in range(n + 1):
            weight = math.comb(n, k) * math.cos(turn) ** k * math.sin(turn) ** (n - k)
            size = math.sqrt(math.factorial(k) * math.factorial(n - k))
            mix[n - k, place % streams, k, column] = sign * weight * size
    mix = mix.reshape(-1, hidden)
    unit: Tensor = mix / mix.norm(dim=0, keepdim=True)
    return unit


def _views(order: int, *, both: bool) -> list[tuple[float, float]]:
    """Directions, and polarities, at which an `order`-th derivative is looked at."""
    if order == 0:
        return [(0.0, 1.0), (0.0, -1.0)]
    count = 4 if both and order % 2 == 0 else (8 if both else 4)
    turns = [2 * math.pi * step / 8 for step in range(count)]
    signs = (1.0, -1.0) if both and order % 2 == 0 else (1.0,)
    return [(turn, sign) for turn in turns for sign in signs]
