"""Initial filters of the compact twin, and filters along one axis written as matrices.

The temporal, row and column filters, the mixing matrix and the response kernel are starting points
that training changes; the Gaussian blur of the contrast is fixed.

They are computed on the CPU, also for a twin that is outlined on the meta device: there `arange`
and what follows from it are traced by torch's compiler, whose import takes longer than torch's own.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

_CPU = torch.device("cpu")


def gamma_kernels(streams: int, *, taps: int) -> Float[Tensor, "kernel tap"]:
    """Causal temporal kernels of unit norm, newest tap last.

    With age a in frames and time constant τ: a² exp(−a/τ) for the first, sustained stream, and for
    the later, transient ones a² exp(−a/τ) − 0.8 a³ exp(−a/(1.6 τ)), each term scaled to sum 1. τ is
    1.5 frames for the first two and 0.7 frames longer for each one after them.
    """
    age = torch.arange(taps, dtype=torch.float32, device=_CPU).flip(0)
    kernels = []
    for stream in range(streams):
        tau = 1.5 + 0.7 * max(0, stream - 1)
        fast, slow = age.square() * torch.exp(-age / tau), age**3 * torch.exp(-age / (1.6 * tau))
        kernel = fast / fast.sum() - (0.8 * slow / slow.sum() if stream else 0)
        kernels.append(kernel / kernel.norm())
    return torch.stack(kernels)


def initial_response_kernel(taps: int) -> Float[Tensor, " tap"]:
    """Kernel (a + 1) exp(−a/2) over the age a in taps, scaled to sum 1, newest tap last.

    It stands for what remains of the indicator's dynamics and of scanning in the activity.
    """
    age = torch.arange(taps, dtype=torch.float32, device=_CPU).flip(0)
    kernel = (age + 1) * torch.exp(-age / 2)
    scaled: Tensor = kernel / kernel.sum()
    return scaled


def hermite_filters(orders: int, *, taps: int, width_px: float = 1.6) -> Float[Tensor, "order tap"]:
    """Derivatives of a Gaussian of SD `width_px`, orders 0 and up, each of unit norm.

    He_n(x) exp(−x²/2), with the Hermite polynomials from He_{n+1}(x) = x He_n(x) − n He_{n−1}(x).
    """
    x = (torch.arange(taps, dtype=torch.float32, device=_CPU) - (taps - 1) / 2) / width_px
    previous, current = torch.zeros(taps, device=_CPU), torch.ones(taps, device=_CPU)
    filters = []
    for order in range(orders):
        filters.append(current * torch.exp(-x.square() / 2))
        previous, current = current, x * current - order * previous
    stacked = torch.stack(filters)
    unit: Tensor = stacked / stacked.norm(dim=1, keepdim=True)
    return unit


def strided_filters(
    filters: Float[Tensor, "order tap"], *, size: int, stride: int = 2
) -> Float[Tensor, "order out size"]:
    """Matrices that filter a line of `size` pixels with a stride; the line is 0 outside.

    The filter of output o is centred on the middle of the `stride` pixels from o × stride on. With
    an even stride the taps of a filter of odd length lie between pixels: each pixel then takes the
    nearest tap (ties to even), so that about half of the taps are not used.
    """
    taps = filters.shape[1]
    centre = torch.arange(0, size, stride, device=filters.device) + (stride - 1) / 2
    tap = torch.arange(size, device=filters.device)[None, :] - centre[:, None] + (taps - 1) / 2
    tap = tap.round().long()
    inside = (tap >= 0) & (tap < taps)
    return filters[:, tap.clamp(0, taps - 1)] * inside


def blur_matrix(
    size: int, *, width: float = 1.5, device: torch.device = _CPU
) -> Float[Tensor, "size size"]:
    """Gaussian blur of a line with SD `width` sites; rows sum to 1, so edges keep the level."""
    at = torch.arange(size, dtype=torch.float32, device=device)
    matrix = torch.exp(-(at[:, None] - at[None, :]).square() / (2 * width * width))
    blur: Tensor = matrix / matrix.sum(1, keepdim=True)
    return blur


def steered_mix(streams: int, orders: int, *, hidden: int) -> Float[Tensor, "input hidden"]:
    """Mixing weights that make oriented subunits of products of row and column derivatives.

    The n-th derivative along direction φ is the sum over k of
    binomial(n, k) cos(φ)^k sin(φ)^(n−k) ∂_x^k ∂_y^(n−k)
    (steerable filters, Freeman & Adelson 1991, IEEE PAMI 13). The weights are multiplied by
    √(k! (n−k)!), because `hermite_filters` have unit norm and the norm of He_k exp(−x²/2) grows
    about as √k!; then each column is scaled to unit norm. Inputs are ordered (row order, stream,
    column order), and each column uses one stream. The first half of the columns, which the twin
    rectifies, has both polarities of each direction; the second half is squared and needs one.
    """
    rectified = [(n, *view) for n in range(orders) for view in _directions(n, both=True)]
    squared = [(n, turn, 1.0) for n in range(1, orders) for turn, _ in _directions(n, both=False)]
    half = hidden // 2
    mix = torch.zeros(orders, streams, orders, hidden, device=_CPU)
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


def _directions(order: int, *, both: bool) -> list[tuple[float, float]]:
    """Directions in radians and polarities of the subunits of one order.

    Turned by half a circle, an odd derivative changes its polarity, and an even one is the same.
    """
    if order == 0:
        return [(0.0, 1.0), (0.0, -1.0)]
    count = 4 if both and order % 2 == 0 else (8 if both else 4)
    turns = [2 * math.pi * step / 8 for step in range(count)]
    signs = (1.0, -1.0) if both and order % 2 == 0 else (1.0,)
    return [(turn, sign) for turn in turns for sign in signs]
