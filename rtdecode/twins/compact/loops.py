"""Loops of the compact twin's inversion that torch would spread over many passes of memory.

Each is written once forward and once backward, over maps laid out (site, frame, feature), so
that all frames that a neuron looks at lie side by side. No loop sums up and writes at once: which
of its compiled forms runs, and with it the order of the sum, would depend on where in memory its
arrays happen to lie.
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
_SIDE = 3
"""Taps of a filter of the second layer along each side of the screen."""


def fused(loop: Loop) -> Loop:
    """Compile `loop` for one core, kept on disk; sums may be reordered, which makes them fast.

    A division by 0 gives what IEEE 754 says: looking out for it would cost all vector instructions.
    """
    fast = {"reassoc", "contract", "nsz"}
    # what checks shapes in tests wraps functions, and numba can only compile the function itself
    plain = inspect.unwrap(loop)
    compiled = numba.njit(cache=True, nogil=True, fastmath=fast, error_model="numpy")(plain)
    return cast(Loop, compiled)


@fused
def elu(value: np.float32) -> np.float32:
    """`value` above 0, exp(value) - 1 below, to 2e-6.

    The exponential is that of a 32nd of the value, by its series, squared five times: unlike the
    library's it is computed for eight values at once.
    """
    x = max(min(value, _ZERO), np.float32(-20)) / np.float32(32)
    series = np.float32(1 / 24) + x * np.float32(1 / 120)
    power = _ONE + x * (_ONE + x * (np.float32(1 / 2) + x * (np.float32(1 / 6) + x * series)))
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    return max(value, _ZERO) + power - _ONE


@fused
def by_site(bank: F32, sites: F32) -> None:
    """Lay what filters give side by side at each site.

    `bank` is (y, row order, frame, stream, x, column order), `sites` (y, x, frame, row order,
    stream, column order).
    """
    rows, row_orders, frames, streams, cols, col_orders = bank.shape
    for y in range(rows):
        for x in range(cols):
            for frame in range(frames):
                for down in range(row_orders):
                    for stream in range(streams):
                        for across in range(col_orders):
                            value = bank[y, down, frame, stream, x, across]
                            sites[y, x, frame, down, stream, across] = value


@fused
def by_site_back(to_sites: F32, to_bank: F32) -> None:
    """Lay the gradient of `sites` out as that of `bank`."""
    rows, row_orders, frames, streams, cols, col_orders = to_bank.shape
    for y in range(rows):
        for down in range(row_orders):
            for frame in range(frames):
                for stream in range(streams):
                    for x in range(cols):
                        for across in range(col_orders):
                            value = to_sites[y, x, frame, down, stream, across]
                            to_bank[y, down, frame, stream, x, across] = value


@fused
def bend(linear: F32, bent: F32, contrast: F32) -> None:
    """Rectify the first half of the features smoothly, square the second.

    `linear` and `bent` are (site, feature), `contrast`, the mean of `bent` in size, (site,).
    """
    sites, features = linear.shape
    half = features // 2
    for site in range(sites):
        for feature in range(half):
            bent[site, feature] = elu(linear[site, feature])
        for feature in range(half, features):
            value = linear[site, feature]
            bent[site, feature] = value * value / (_ONE + abs(value))
        total = _ZERO
        for feature in range(features):
            total += abs(bent[site, feature])
        contrast[site] = total / np.float32(features)


@fused
def bend_back(linear: F32, bent: F32, to_bent: F32, to_contrast: F32) -> None:
    """Turn the gradient of `bent` into that of `linear`, in place of `to_bent`."""
    sites, features = linear.shape
    half = features // 2
    for site in range(sites):
        each = to_contrast[site] / np.float32(features)
        for feature in range(half):
            out = bent[site, feature]
            rising = linear[site, feature] > 0
            whole = to_bent[site, feature] + (each if out > 0 else -each)
            to_bent[site, feature] = whole if rising else whole * (out + _ONE)
        for feature in range(half, features):
            value = linear[site, feature]
            below = _ONE + abs(value)
            slope = value * (_ONE + below) / (below * below)
            to_bent[site, feature] = (to_bent[site, feature] + each) * slope


@fused
def divide(bent: F32, below: F32, fine: F32, pooled: F32) -> None:
    """Divide `bent` by `below` and add the means of two by two sites to `pooled`.

    `bent` and `fine` are (y, x, frame, feature), `below` is (y, x, frame), and `pooled` has half
    as many sites along each side; sites that make no whole four are not in it.
    """
    rows, cols, frames, features = bent.shape
    coarse_rows, coarse_cols = pooled.shape[:2]
    for y in range(rows):
        for x in range(cols):
            inside = y // 2 < coarse_rows and x // 2 < coarse_cols
            for frame in range(frames):
                factor = _ONE / below[y, x, frame]
                for feature in range(features):
                    fine[y, x, frame, feature] = bent[y, x, frame, feature] * factor
                if inside:
                    for feature in range(features):
                        part = fine[y, x, frame, feature] * _QUARTER
                        pooled[y // 2, x // 2, frame, feature] += part


@fused
def divide_back(fine: F32, below: F32, to_pooled: F32, to_fine: F32, to_below: F32) -> None:
    """Turn the gradients of `fine` and `pooled` into that of `bent`, in place of `to_fine`."""
    rows, cols, frames, features = fine.shape
    coarse_rows, coarse_cols = to_pooled.shape[:2]
    for y in range(rows):
        for x in range(cols):
            inside = y // 2 < coarse_rows and x // 2 < coarse_cols
            for frame in range(frames):
                if inside:
                    for feature in range(features):
                        part = to_pooled[y // 2, x // 2, frame, feature] * _QUARTER
                        to_fine[y, x, frame, feature] += part
                factor, total = _ONE / below[y, x, frame], _ZERO
                for feature in range(features):
                    to_fine[y, x, frame, feature] *= factor
                for feature in range(features):
                    total += to_fine[y, x, frame, feature] * fine[y, x, frame, feature]
                to_below[y, x, frame] = -total


@fused
def join(spread: F32, coarse: F32) -> None:
    """Second layer: add to each site what each tap has of the site that it looks at, and rectify.

    `spread` is (y, x, frame, tap down, tap across, feature): what the taps make of each site.
    `coarse`, which holds the bias, is (y, x, frame, feature). Outside the maps there is nothing.
    """
    rows, cols, frames, features = coarse.shape
    for y in range(rows):
        for x in range(cols):
            for frame in range(frames):
                here = coarse[y, x, frame]
                for down in range(max(0, 1 - y), min(_SIDE, rows + 1 - y)):
                    for across in range(max(0, 1 - x), min(_SIDE, cols + 1 - x)):
                        part = spread[y + down - 1, x + across - 1, frame, down, across]
                        for feature in range(features):
                            here[feature] += part[feature]
                for feature in range(features):
                    here[feature] = elu(here[feature])


@fused
def join_back(to_coarse: F32, to_spread: F32) -> None:
    """Hand the gradient of what `join` sums to each tap of `spread` that looked at a site.

    `to_coarse` has one more site on each side, of zeros: nobody looks from there.
    """
    rows, cols, frames, _, _, features = to_spread.shape
    for y in range(rows):
        for x in range(cols):
            for frame in range(frames):
                for down in range(_SIDE):
                    for across in range(_SIDE):
                        back = to_coarse[y + 2 - down, x + 2 - across, frame]
                        for feature in range(features):
                            to_spread[y, x, frame, down, across, feature] = back[feature]


@fused
def look(maps: F32, cells: I64, shares: F32, weights: F32, drive: F32) -> None:
    """Add to `drive` what neurons read of `maps` at their positions.

    Parameters
    ----------
    maps
        (site, frame, feature)
    cells, shares
        (neuron, 4) sites around each neuron and their bilinear weights.
    weights
        (neuron, feature)
    drive
        (neuron, frame)
    """
    frames, features = maps.shape[1:]
    for neuron in range(len(cells)):
        cell, share = cells[neuron], shares[neuron]
        first, second, third, fourth = maps[cell[0]], maps[cell[1]], maps[cell[2]], maps[cell[3]]
        for frame in range(frames):
            total = _ZERO
            for feature in range(features):
                upper = share[0] * first[frame, feature] + share[1] * second[frame, feature]
                lower = share[2] * third[frame, feature] + share[3] * fourth[frame, feature]
                total += (upper + lower) * weights[neuron, feature]
            drive[neuron, frame] += total


@fused
def look_back(to_drive: F32, cells: I64, shares: F32, weights: F32, to_maps: F32) -> None:
    """Add to `to_maps` what comes back from the gradient of `drive`."""
    neurons, corners = cells.shape
    frames, features = to_maps.shape[1:]
    for neuron in range(neurons):
        for corner in range(corners):
            site, share = to_maps[cells[neuron, corner]], shares[neuron, corner]
            for frame in range(frames):
                scale = share * to_drive[neuron, frame]
                for feature in range(features):
                    site[frame, feature] += scale * weights[neuron, feature]
