"""Loops of the compact twin's inversion that torch would spread over many passes of memory.

Each is written once forward and once backward, over maps laid out (site, frame, feature), so
that all frames that a neuron looks at lie side by side.
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


def fused(loop: Loop) -> Loop:
    """Compile `loop` for one core, kept on disk; sums may be reordered, which makes them fast."""
    fast = {"reassoc", "contract", "nsz"}
    # what checks shapes in tests wraps functions, and numba can only compile the function itself
    plain = inspect.unwrap(loop)
    return cast(Loop, numba.njit(cache=True, nogil=True, fastmath=fast)(plain))


@fused
def bend(linear: F32, bent: F32, contrast: F32) -> None:
    """Rectify the first half of the features smoothly, square the second.

    `linear` and `bent` are (site, feature), `contrast`, the mean of `bent` in size, (site,).
    """
    sites, features = linear.shape
    half = features // 2
    for site in range(sites):
        total = np.float32(0)
        for feature in range(half):
            value = linear[site, feature]
            out = value if value > 0 else np.exp(value) - _ONE
            bent[site, feature] = out
            total += abs(out)
        for feature in range(half, features):
            value = linear[site, feature]
            out = value * value / (_ONE + abs(value))
            bent[site, feature] = out
            total += out
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
def look(maps: F32, cells: I64, shares: F32, weights: F32, drive: F32) -> None:
    """Add to `drive` what neurons read of `maps` at their positions.

    Parameters
    ----------
    maps
        (site, frame, feature)
    cells, shares
        (neuron, corner) sites around each neuron and their bilinear weights.
    weights
        (neuron, feature)
    drive
        (neuron, frame)
    """
    neurons, corners = cells.shape
    frames, features = maps.shape[1:]
    for neuron in range(neurons):
        for corner in range(corners):
            site, share = maps[cells[neuron, corner]], shares[neuron, corner]
            for frame in range(frames):
                total = np.float32(0)
                for feature in range(features):
                    total += site[frame, feature] * weights[neuron, feature]
                drive[neuron, frame] += share * total


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
