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
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Runs = NDArray[Any]
"""An array of records, each a run of numbers that a loop moves as a whole."""
Width = tuple[None, ...]
"""A number of features as a tuple of that length."""
Loop = TypeVar("Loop", bound=Callable[..., object])

_ONE = np.float32(1)
_ZERO = np.float32(0)
_QUARTER = np.float32(0.25)


def compiled(loop: Loop) -> Loop:
    """Compile `loop` for one core, with a cache on disk; sums may be reordered, which is faster.

    Division by 0 gives what IEEE 754 says: a check for it would prevent vector instructions.
    """
    fast = {"reassoc", "contract", "nsz"}
    # the shape checks of the tests wrap functions, and numba compiles only a plain function
    plain = inspect.unwrap(loop)
    machine_code = numba.njit(cache=True, nogil=True, fastmath=fast, error_model="numpy")(plain)
    return cast(Loop, machine_code)


def width(features: int) -> Width:
    """`features` as a tuple of that length, which is a part of its type.

    So the compiler knows how often a loop over features runs, and makes no scalar code for what is
    left over by its vectors.
    """
    return (None,) * features


def runs(array: F32) -> Runs:
    """The contiguous `array` with its last axis as one record."""
    run = np.dtype([("run", np.float32, array.shape[-1:])])
    whole: Runs = array.view(run)[..., 0]
    return whole


@compiled
def exp_below_zero(value: np.float32) -> np.float32:
    """exp(min(v, 0)), with an absolute error below 2e-6.

    exp(v) = exp(v / 32)^32: a Taylor series of fifth order, squared five times. Unlike the
    library's exponential it is computed for eight values at once. Below v = −20 it is 0 nearly.
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
    return power


@compiled
def elu(value: np.float32) -> np.float32:
    """elu(v) = v for v > 0, exp(v) − 1 otherwise."""
    return max(value, _ZERO) + exp_below_zero(value) - _ONE


@compiled
def rectify(values: F32) -> None:
    """Replace each of the `values`, (n,), by its elu: (10)."""
    for place in range(len(values)):
        values[place] = elu(values[place])


@compiled
def rectify_vjp(rectified: F32, grad: F32) -> None:
    """Replace the gradient of e in `grad` by that of its argument: (10'); both (n,)."""
    for place in range(len(grad)):
        grad[place] *= min(rectified[place], _ZERO) + _ONE


@compiled
def filters_last(bank: Runs, sites: Runs) -> None:
    """Transpose (3) from the order of the matrix products to that of the mixing layer (4).

    `bank` is (frame, stream, y, row order, x) and `sites`, which is overwritten, (y, x, frame,
    row order, stream), both of `runs` over the column orders.
    """
    frames, streams, rows, row_orders, cols = bank.shape
    for y in range(rows):
        for frame in range(frames):
            for stream in range(streams):
                for i in range(row_orders):
                    for x in range(cols):
                        sites[y, x, frame, i, stream] = bank[frame, stream, y, i, x]


@compiled
def filters_last_vjp(grad_sites: Runs, grad_bank: Runs) -> None:
    """Transpose back: the gradient of `sites` becomes that of `bank`, which is overwritten."""
    frames, streams, rows, row_orders, cols = grad_bank.shape
    for y in range(rows):
        for frame in range(frames):
            for stream in range(streams):
                for i in range(row_orders):
                    for x in range(cols):
                        grad_bank[frame, stream, y, i, x] = grad_sites[y, x, frame, i, stream]


@compiled
def rectify_and_square(mixed: F32, rectified: F32, subunits: F32, contrast: F32) -> None:
    """Compute the subunits (5) and their contrast (6) from the mixed filters z.

    `mixed` z and `subunits` u are (y, x, frame, feature) and `contrast` c is (y, frame, x); u and c
    are overwritten. `rectified` (x_frame_feature,) is 1 for features that are rectified and 0 for
    those that are squared: both are computed for each, and one is chosen, so that one loop runs
    over a row of sites.
    """
    rows, cols, frames, features = mixed.shape
    for y in range(rows):
        z, u = mixed[y].reshape(-1), subunits[y].reshape(-1)
        for k in range(len(z)):
            # (5)  u = elu(z), or u = z² / (1 + |z|)
            linear, squared = elu(z[k]), z[k] * z[k] / (_ONE + abs(z[k]))
            u[k] = linear if rectified[k] > _ZERO else squared
        for x in range(cols):
            for frame in range(frames):
                # (6)  c = mean over the features of |u|
                total = _ZERO
                for feature in range(features):
                    total += abs(subunits[y, x, frame, feature])
                contrast[y, frame, x] = total / np.float32(features)


@compiled
def rectify_and_square_vjp(  # noqa: PLR0917 - compiled loops take no keywords
    mixed: F32, fine: F32, divisor: F32, grad: F32, grad_contrast: F32, half_width: Width
) -> None:
    """Replace the gradient of u in `grad` by that of z: (6') and (5').

    `mixed` z, `fine` v, `grad` are (y, x, frame, feature), `divisor` d and `grad_contrast`
    (y, frame, x). The first half of the features is rectified, the second squared.
    """
    rows, cols, frames, features = mixed.shape
    half = len(half_width)
    for y in range(rows):
        for x in range(cols):
            for frame in range(frames):
                z, v, back = mixed[y, x, frame], fine[y, x, frame], grad[y, x, frame]
                each = grad_contrast[y, frame, x] / np.float32(features)
                below_one = divisor[y, frame, x]
                # (6')  ∂u += sign(u) ∂c / features;  (5')  elu'(z) = 1 for z > 0, else u + 1
                for feature in range(half):
                    whole = back[feature] + (each if v[feature] > 0 else -each)
                    slope = v[feature] * below_one + _ONE  # u = v d
                    back[feature] = whole if z[feature] > 0 else whole * slope
                # here u ≥ 0, so sign(u) = 1;  (5')  du/dz = z (2 + |z|) / (1 + |z|)²
                for feature in range(half, 2 * half):
                    below = _ONE + abs(z[feature])
                    slope = z[feature] * (_ONE + below) / (below * below)
                    back[feature] = (back[feature] + each) * slope


@compiled
def normalise_and_pool(  # noqa: C901 - two loops over all sites, compiled
    fine: F32, divisor: F32, pooled: F32
) -> None:
    """Divide by the local contrast (8) in place and average two by two sites (9).

    `fine` (y, x, frame, feature) holds u and is replaced by v; `divisor` d is (y, frame, x).
    `pooled` w, which is overwritten, has half as many sites along each side, and a border of one
    site, which is left as it is; a last odd row or column of sites has no part in it.
    """
    rows, cols, frames, features = fine.shape
    for y in range(rows):
        for x in range(cols):
            for frame in range(frames):
                here = fine[y, x, frame]
                # (8)  v = u / d
                factor = _ONE / divisor[y, frame, x]
                for feature in range(features):
                    here[feature] *= factor
    # (9)  w = mean of v over two by two sites
    for y in range(rows // 2):
        for x in range(cols // 2):
            for frame in range(frames):
                first, second = fine[2 * y, 2 * x, frame], fine[2 * y, 2 * x + 1, frame]
                third, fourth = fine[2 * y + 1, 2 * x, frame], fine[2 * y + 1, 2 * x + 1, frame]
                mean = pooled[y + 1, x + 1, frame]
                for feature in range(features):
                    upper = first[feature] + second[feature]
                    mean[feature] = (upper + third[feature] + fourth[feature]) * _QUARTER


@compiled
def normalise_and_pool_vjp(
    fine: F32, divisor: F32, grad_pooled: F32, grad: F32, grad_divisor: F32
) -> None:
    """Replace the gradient of v in `grad` by that of u, and give that of d: (9') and (8').

    Shapes as in `normalise_and_pool`, but `grad_pooled` begins with site (0, 0) and may have more
    columns than there are; `grad_divisor` is overwritten.
    """
    rows, cols, frames, features = fine.shape
    for y in range(rows):
        for x in range(cols):
            inside = y // 2 < rows // 2 and x // 2 < cols // 2
            for frame in range(frames):
                here, value = grad[y, x, frame], fine[y, x, frame]
                # (9')  ∂v += ∂w / 4;  (8')  ∂u = ∂v / d
                factor, total = _ONE / divisor[y, frame, x], _ZERO
                if inside:
                    part = grad_pooled[y // 2, x // 2, frame]
                    for feature in range(features):
                        here[feature] = (here[feature] + part[feature] * _QUARTER) * factor
                else:
                    for feature in range(features):
                        here[feature] *= factor
                # (8')  ∂d = −Σ ∂v u / d² = −Σ ∂u v
                for feature in range(features):
                    total += here[feature] * value[feature]
                grad_divisor[y, frame, x] = -total
