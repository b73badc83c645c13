"""Compiled loops of a solver step on the host: momentum, quasi-score, video from innovations.

Each computes what `likelihood.quasi_score` and `EstimatedFrames` define in torch, for one core and
in one pass over memory. Numbers in parentheses are equations of docs/decoder.md. As in
`twins.compact.loops`, no loop accumulates a sum and stores results at once.
"""

import numpy as np
from numpy.typing import NDArray

from rtdecode.twins.compact.loops import compiled

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
_ONE, _ZERO = np.float32(1), np.float32(0)


@compiled
def responded(response: F32, u: F32, carried: F32, video: F32) -> None:
    """y[t] = Σ_{k ≤ t} h[t - k] s u[k] + what history carries on, eq. (2) solved for y.

    `response` h s, `u`, `carried` and `video` y, which is overwritten, are (frame, frequency).
    """
    frames, frequencies = u.shape
    video[:] = carried
    for before in range(frames):
        innovation = u[before]
        for frame in range(before, frames):
            kernel, here = response[frame - before], video[frame]
            for q in range(frequencies):
                here[q] += kernel[q] * innovation[q]


@compiled
def responded_vjp(response: F32, grad_video: F32, grad_u: F32) -> None:
    """∂u[k] = Σ_{t ≥ k} h[t - k] s ∂y[t]; shapes as in `responded`, `grad_u` is overwritten."""
    frames, frequencies = grad_u.shape
    for frame in range(frames):
        here = grad_u[frame]
        here[:] = _ZERO
        for after in range(frame, frames):
            kernel, grad = response[after - frame], grad_video[after]
            for q in range(frequencies):
                here[q] += kernel[q] * grad[q]


@compiled
def extrapolated(u: F32, velocity: F32, momentum: float, ahead: F32) -> None:
    """The point u + β v of eq. (7); all (n,), `ahead` is overwritten."""
    beta = np.float32(momentum)
    for k in range(len(u)):
        ahead[k] = u[k] + beta * velocity[k]


@compiled
def moved(  # noqa: PLR0917 - compiled loops take no keywords
    u: F32,
    velocity: F32,
    ahead: F32,
    back: F32,
    u_sd: F32,
    momentum: float,
    step_size: float,
    next_u: F32,
    next_velocity: F32,
) -> float:
    """The next u and v of eq. (7), given J' score in `back`; ½ |(u + β v) / u_sd|².

    All (n,); `next_u` and `next_velocity` are overwritten.
    """
    beta, eta = np.float32(momentum), np.float32(step_size)
    for k in range(len(u)):
        gradient = ahead[k] / (u_sd[k] * u_sd[k]) - back[k]  # eq. (5)
        faster = beta * velocity[k] - eta * gradient
        next_velocity[k] = faster
        next_u[k] = u[k] + faster
    total = np.float32(0)
    for k in range(len(u)):
        whitened = ahead[k] / u_sd[k]
        total += whitened * whitened
    return float(total) / 2


@compiled
def scaled_residuals(  # noqa: PLR0917 - compiled loops take no keywords
    predicted: F32, recorded: F32, weight: F32, floor: F32, largest: float, inverse_sd: F32, z: F32
) -> None:
    """S √λ and z √λ of (3) with σ = 1; all (frame, neuron), but `floor` (neuron,).

    `inverse_sd` and `z` are overwritten.
    """
    bound = np.float32(largest)
    frames, neurons = predicted.shape
    for frame in range(frames):
        f, r, w = predicted[frame], recorded[frame], weight[frame]
        scale, out = inverse_sd[frame], z[frame]
        for n in range(neurons):
            inverse = np.sqrt(w[n] / (max(f[n], _ZERO) + floor[n]))
            scale[n] = inverse
            out[n] = min(max(inverse * (r[n] - f[n]), -bound), bound)


@compiled
def noise_scales(z: F32, rank: I64, thinning: int, normal: float, noise_scale: F32) -> None:
    """σ of each frame: the value at `rank` of |z| of each `thinning`-th neuron, over `normal`.

    `z` is (frame, neuron), `rank` (frame,), and `noise_scale`, which is overwritten, (frame,).
    """
    frames, neurons = z.shape
    count = -(-neurons // thinning)
    size = np.empty(count, np.float32)
    for frame in range(frames):
        for k in range(count):
            size[k] = abs(z[frame, k * thinning])
        noise_scale[frame] = max(_ONE, _at_rank(size, rank[frame]) / np.float32(normal))


@compiled
def _at_rank(values: F32, rank: int) -> float:
    """The value at `rank` of the sorted `values`, whose order is changed (Hoare 1961, FIND)."""
    first, last = 0, len(values) - 1
    while first < last:
        pivot, low, high = values[rank], first, last
        while low <= high:
            while values[low] < pivot:
                low += 1
            while pivot < values[high]:
                high -= 1
            if low <= high:
                values[low], values[high] = values[high], values[low]
                low, high = low + 1, high - 1
        if high < rank:
            first = low
        if rank < low:
            last = high
    found: float = values[rank]
    return found


@compiled
def robust_weights(  # noqa: PLR0917 - compiled loops take no keywords
    z: F32, weight: F32, noise_scale: F32, tail_squared: float, robust: F32, omega: F32
) -> None:
    """Divide `z` by σ, and give the diagonal of Ω of (5), in `omega` 0 where not measured.

    All (frame, neuron), but `noise_scale` (frame,); `tail_squared` is k² λ.
    """
    inverse_tail = np.float32(1 / tail_squared)
    frames, neurons = z.shape
    for frame in range(frames):
        inverse = _ONE / noise_scale[frame]
        row, w, out, measured = z[frame], weight[frame], robust[frame], omega[frame]
        for n in range(neurons):
            value = row[n] * inverse
            ratio = value * value * inverse_tail
            row[n] = value
            out[n] = _ONE / (_ONE + ratio * ratio)
            measured[n] = out[n] if w[n] > _ZERO else _ZERO


@compiled
def solved(products: F32, right: F32) -> None:
    """Replace `right` (frame, factor) by (I + C)⁻¹ right, C (frame, factor, factor) the products.

    By Cholesky's decomposition of each matrix I + C, which takes the place of `products`.
    """
    frames, factors = right.shape
    for frame in range(frames):
        root, b = products[frame], right[frame]
        for j in range(factors):
            root[j, j] += _ONE
        _decompose(root)
        for i in range(factors):
            for k in range(i):
                b[i] -= root[i, k] * b[k]
            b[i] /= root[i, i]
        for i in range(factors - 1, -1, -1):
            for k in range(i + 1, factors):
                b[i] -= root[k, i] * b[k]
            b[i] /= root[i, i]


@compiled
def _decompose(matrix: F32) -> None:
    """Replace the lower triangle of a positive definite matrix by its Cholesky factor."""
    factors = len(matrix)
    for j in range(factors):
        for k in range(j):
            for i in range(j, factors):
                matrix[i, j] -= matrix[i, k] * matrix[j, k]
        root = np.sqrt(matrix[j, j])
        for i in range(j, factors):
            matrix[i, j] /= root


@compiled
def whitened_scores(  # noqa: PLR0917 - compiled loops take no keywords
    z: F32, omega: F32, inverse_sd: F32, noise_scale: F32, common: F32, score: F32
) -> float:
    """The score of (5), λ S Ω (z - L c), and ½ Σ z' Ω (z - L c) over all measurements.

    `common` holds L c; all are (frame, neuron), but `noise_scale` (frame,). `common` is replaced by
    the whitened residuals, and `score` is overwritten.
    """
    frames, neurons = z.shape
    total = 0.0
    for frame in range(frames):
        inverse, misfit = _ONE / noise_scale[frame], np.float32(0)
        row, part, scale = z[frame], common[frame], inverse_sd[frame]
        weight, out = omega[frame], score[frame]
        for n in range(neurons):
            part[n] = weight[n] * (row[n] - part[n])
        for n in range(neurons):
            out[n] = part[n] * scale[n] * inverse
        for n in range(neurons):
            misfit += part[n] * row[n]
        total += float(misfit) / 2
    return total
