"""Compiled loops of the compact twin's forward pass and of its vector–Jacobian products.

Numbers in parentheses are the equations of the package's docstring; a prime marks the
vector–Jacobian product (VJP). Each loop replaces several passes of torch over memory by one.
Maps are stored as (site, frame, feature), so that all frames of a site are adjacent. Arguments
named `grad_…` hold the gradient of the loss with respect to the quantity of that name.

No loop accumulates a sum and stores results at once: the compiler makes a vector and a scalar form
of such a loop and chooses by the arrays' addresses, and the order of the sum would follow them.
"""

import inspect
from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Loop = TypeVar("Loop", bound=Callable[..., object])

_ONE = np.float32(1)
_ZERO = np.float32(0)
_QUARTER = np.float32(0.25)
_TAPS = 3
"""Taps of a filter of the second layer along each side of the screen, see (10)."""


def compiled(loop: Loop) -> Loop:
    """Compile `loop` for one core, with a cache on disk; sums may be reordered, which is faster.

    Division by 0 gives what IEEE 754 says: a check for it would prevent vector instructions.
    """
    fast = {"reassoc", "contract", "nsz"}
    # the shape checks of the tests wrap functions, and numba compiles only a plain function
    plain = inspect.unwrap(loop)
    machine_code = numba.njit(cache=True, nogil=True, fastmath=fast, error_model="numpy")(plain)
    return cast(Loop, machine_code)


@compiled
def elu(value: np.float32) -> np.float32:
    """elu(v) = v for v > 0, exp(v) − 1 otherwise, with an absolute error below 2e-6.

    exp(v) = exp(v / 32)^32: a Taylor series of fifth order, squared five times. Unlike the
    library's exponential it is computed for eight values at once. Below v = −20 it is −1.
    """
    x = max(min(value, _ZERO), np.float32(-20)) / np.float32(32)
    # 1 + x (1 + x (1/2 + x (1/6 + x (1/24 + x / 120))))
    series = np.float32(1 / 24) + x * np.float32(1 / 120)
    power = _ONE + x * (_ONE + x * (np.float32(1 / 2) + x * (np.float32(1 / 6) + x * series)))
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    return max(value, _ZERO) + power - _ONE


@compiled
def filters_last(bank: F32, sites: F32) -> None:
    """Transpose (3) from the order of the matrix products to that of the mixing layer (4).

    `bank` is (y, row order, frame, stream, x, column order); `sites`, which is overwritten, is
    (y, x, frame, row order, stream, column order).
    """
    rows, row_orders, frames, streams, cols, col_orders = bank.shape
    for y in range(rows):
        for x in range(cols):
            for frame in range(frames):
                for i in range(row_orders):
                    for stream in range(streams):
                        for j in range(col_orders):
                            value = bank[y, i, frame, stream, x, j]
                            sites[y, x, frame, i, stream, j] = value


@compiled
def filters_last_vjp(grad_sites: F32, grad_bank: F32) -> None:
    """Transpose back: the gradient of `sites` becomes that of `bank`, which is overwritten."""
    rows, row_orders, frames, streams, cols, col_orders = grad_bank.shape
    for y in range(rows):
        for i in range(row_orders):
            for frame in range(frames):
                for stream in range(streams):
                    for x in range(cols):
                        for j in range(col_orders):
                            value = grad_sites[y, x, frame, i, stream, j]
                            grad_bank[y, i, frame, stream, x, j] = value


@compiled
def rectify_and_square(mixed: F32, subunits: F32, contrast: F32) -> None:
    """Compute the subunits (5) and their contrast (6) from the mixed filters z.

    `mixed` z and `subunits` u are (site, feature) and `contrast` c is (site,); u and c are
    overwritten. The first half of the features is rectified, the second squared.
    """
    sites, features = mixed.shape
    half = features // 2
    for site in range(sites):
        # (5)  u = elu(z)  for the first half
        for feature in range(half):
            subunits[site, feature] = elu(mixed[site, feature])
        # (5)  u = z² / (1 + |z|)  for the second half
        for feature in range(half, features):
            value = mixed[site, feature]
            subunits[site, feature] = value * value / (_ONE + abs(value))
        # (6)  c = mean over the features of |u|
        total = _ZERO
        for feature in range(features):
            total += abs(subunits[site, feature])
        contrast[site] = total / np.float32(features)


@compiled
def rectify_and_square_vjp(mixed: F32, subunits: F32, grad: F32, grad_contrast: F32) -> None:
    """Replace the gradient of u in `grad` by that of z: (6') and (5').

    `mixed`, `subunits`, `grad` are (site, feature), `grad_contrast` is (site,).
    """
    sites, features = mixed.shape
    half = features // 2
    for site in range(sites):
        each = grad_contrast[site] / np.float32(features)
        # (6')  ∂u += sign(u) ∂c / features;  (5')  elu'(z) = 1 for z > 0, else exp(z) = u + 1
        for feature in range(half):
            out = subunits[site, feature]
            rising = mixed[site, feature] > 0
            whole = grad[site, feature] + (each if out > 0 else -each)
            grad[site, feature] = whole if rising else whole * (out + _ONE)
        # here u ≥ 0, so sign(u) = 1;  (5')  du/dz = z (2 + |z|) / (1 + |z|)²
        for feature in range(half, features):
            value = mixed[site, feature]
            below = _ONE + abs(value)
            slope = value * (_ONE + below) / (below * below)
            grad[site, feature] = (grad[site, feature] + each) * slope


@compiled
def normalise_and_pool(subunits: F32, divisor: F32, fine: F32, pooled: F32) -> None:
    """Divide by the local contrast (8) and average two by two sites (9).

    `subunits` u and `fine` v, which is overwritten, are (y, x, frame, feature); `divisor` d is
    (y, x, frame). `pooled` w, which must hold zeros, has half as many sites along each side; a
    last odd row or column of sites has no part in it.
    """
    rows, cols, frames, features = subunits.shape
    coarse_rows, coarse_cols = pooled.shape[:2]
    for y in range(rows):
        for x in range(cols):
            inside = y // 2 < coarse_rows and x // 2 < coarse_cols
            for frame in range(frames):
                # (8)  v = u / d
                factor = _ONE / divisor[y, x, frame]
                for feature in range(features):
                    fine[y, x, frame, feature] = subunits[y, x, frame, feature] * factor
                # (9)  w = mean of v over two by two sites
                if inside:
                    for feature in range(features):
                        part = fine[y, x, frame, feature] * _QUARTER
                        pooled[y // 2, x // 2, frame, feature] += part


@compiled
def normalise_and_pool_vjp(
    fine: F32, divisor: F32, grad_pooled: F32, grad: F32, grad_divisor: F32
) -> None:
    """Replace the gradient of v in `grad` by that of u, and give that of d: (9') and (8').

    Shapes as in `normalise_and_pool`; `grad_divisor` is overwritten.
    """
    rows, cols, frames, features = fine.shape
    coarse_rows, coarse_cols = grad_pooled.shape[:2]
    for y in range(rows):
        for x in range(cols):
            inside = y // 2 < coarse_rows and x // 2 < coarse_cols
            for frame in range(frames):
                # (9')  ∂v += ∂w / 4
                if inside:
                    for feature in range(features):
                        part = grad_pooled[y // 2, x // 2, frame, feature] * _QUARTER
                        grad[y, x, frame, feature] += part
                # (8')  ∂u = ∂v / d
                factor, total = _ONE / divisor[y, x, frame], _ZERO
                for feature in range(features):
                    grad[y, x, frame, feature] *= factor
                # (8')  ∂d = −Σ ∂v u / d² = −Σ ∂u v
                for feature in range(features):
                    total += grad[y, x, frame, feature] * fine[y, x, frame, feature]
                grad_divisor[y, x, frame] = -total


@compiled
def convolve(products: F32, coarse: F32) -> None:
    """Sum the products of each tap into the site that it belongs to, and rectify: (10).

    `products` (y, x, frame, tap down, tap across, feature) holds Σ_h W w of each site for each
    tap. `coarse` (y, x, frame, feature) holds the bias and is replaced by e. Maps are 0 outside.
    """
    rows, cols, frames, features = coarse.shape
    for y in range(rows):
        for x in range(cols):
            for frame in range(frames):
                here = coarse[y, x, frame]
                # (10)  β + Σ over the taps of products at (y + down − 1, x + across − 1)
                for down in range(max(0, 1 - y), min(_TAPS, rows + 1 - y)):
                    for across in range(max(0, 1 - x), min(_TAPS, cols + 1 - x)):
                        part = products[y + down - 1, x + across - 1, frame, down, across]
                        for feature in range(features):
                            here[feature] += part[feature]
                # (10)  e = elu(…)
                for feature in range(features):
                    here[feature] = elu(here[feature])


@compiled
def convolve_vjp(grad_coarse: F32, grad_products: F32) -> None:
    """Copy the gradient of the sum in (10) to each product that is part of it: (10').

    `grad_coarse` (y + 2, x + 2, frame, feature) has a border of one site of zeros, for taps that
    fall outside the maps; `grad_products`, which is overwritten, is shaped as in `convolve`.
    """
    rows, cols, frames, _, _, features = grad_products.shape
    for y in range(rows):
        for x in range(cols):
            for frame in range(frames):
                for down in range(_TAPS):
                    for across in range(_TAPS):
                        # (10')  site (y + 1 − down, x + 1 − across), shifted by the border
                        grad = grad_coarse[y + 2 - down, x + 2 - across, frame]
                        for feature in range(features):
                            grad_products[y, x, frame, down, across, feature] = grad[feature]


@compiled
def bilinear_readout(maps: F32, corners: I64, bilinear: F32, weights: F32, drive: F32) -> None:
    """Add one of the two sums of (11), Σ_q α Σ_feature V v, to `drive`.

    Parameters
    ----------
    maps
        (site, frame, feature), v or e.
    corners, bilinear
        (neuron, 4) sites around each neuron's position and their bilinear weights α.
    weights
        (neuron, feature), V or U.
    drive
        (neuron, frame), o.
    """
    frames, features = maps.shape[1:]
    for neuron in range(len(corners)):
        at, alpha = corners[neuron], bilinear[neuron]
        first, second, third, fourth = maps[at[0]], maps[at[1]], maps[at[2]], maps[at[3]]
        for frame in range(frames):
            total = _ZERO
            for feature in range(features):
                upper = alpha[0] * first[frame, feature] + alpha[1] * second[frame, feature]
                lower = alpha[2] * third[frame, feature] + alpha[3] * fourth[frame, feature]
                total += (upper + lower) * weights[neuron, feature]
            drive[neuron, frame] += total


@compiled
def bilinear_readout_vjp(
    grad_drive: F32, corners: I64, bilinear: F32, weights: F32, grad_maps: F32
) -> None:
    """Add the gradient of the maps to `grad_maps`: (11'); shapes as in `bilinear_readout`."""
    neurons, count = corners.shape
    frames, features = grad_maps.shape[1:]
    for neuron in range(neurons):
        for corner in range(count):
            # (11')  ∂v at corner q += α_q V ∂o
            site, alpha = grad_maps[corners[neuron, corner]], bilinear[neuron, corner]
            for frame in range(frames):
                scale = alpha * grad_drive[neuron, frame]
                for feature in range(features):
                    site[frame, feature] += scale * weights[neuron, feature]
