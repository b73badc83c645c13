"""Compiled loops of the readout of the compact twin's neurons, and their VJPs: (11) and (12).

A *place* is that of a neuron in the order of its sites: neurons with neighbouring positions follow
each other, so that their sites are still in cache. As in `loops`, no loop accumulates a sum and
stores results at once.
"""

import numpy as np

from rtdecode.twins.compact.loops import F32, I64, Width, compiled, exp_below_zero

_ZERO = np.float32(0)


@compiled
def bilinear_readout(  # noqa: PLR0917 - compiled loops take no keywords
    maps: F32, drive: F32, corners: I64, bilinear: F32, weights: F32, features: Width
) -> None:
    """Add one of the two sums of (11), Σ_q α Σ_feature V v, to `drive`.

    Parameters
    ----------
    maps
        (site, frame, feature), v or e.
    drive
        (place, frame), o.
    corners, bilinear
        (place, 4) sites around the position of the neuron at each place and their bilinear
        weights α.
    weights
        (place, feature), V or U.
    features
        `width` of the features.
    """
    frames = drive.shape[1]
    for place in range(len(corners)):
        at, alpha, weight = corners[place], bilinear[place], weights[place]
        first, second, third, fourth = maps[at[0]], maps[at[1]], maps[at[2]], maps[at[3]]
        for frame in range(frames):
            total = _ZERO
            for k in range(len(features)):
                upper = alpha[0] * first[frame, k] + alpha[1] * second[frame, k]
                lower = alpha[2] * third[frame, k] + alpha[3] * fourth[frame, k]
                total += (upper + lower) * weight[k]
            drive[place, frame] += total


@compiled
def bilinear_readout_vjp(  # noqa: PLR0917 - compiled loops take no keywords
    grad_drive: F32, grad_maps: F32, corners: I64, bilinear: F32, weights: F32, features: Width
) -> None:
    """Add the gradient of the maps to `grad_maps`: (11'); shapes as in `bilinear_readout`."""
    places, count = corners.shape
    frames = grad_drive.shape[1]
    for place in range(places):
        weight = weights[place]
        # two corners at once: a loop of less is unrolled by the compiler before it finds vectors
        for corner in range(0, count, 2):
            # (11')  ∂v at corner q += α_q V ∂o
            left, right = grad_maps[corners[place, corner]], grad_maps[corners[place, corner + 1]]
            alpha_left, alpha_right = bilinear[place, corner], bilinear[place, corner + 1]
            for frame in range(frames):
                here, there = left[frame], right[frame]
                scale_left = alpha_left * grad_drive[place, frame]
                scale_right = alpha_right * grad_drive[place, frame]
                for k in range(len(features)):
                    here[k] += scale_left * weight[k]
                    there[k] += scale_right * weight[k]


@compiled
def visual_drive(drive: F32, order: I64, rate: F32) -> None:
    """ρ = elu(o) + 1 of (12).

    `drive` o is (place, frame), and `order` (place,) the neuron at each place; `rate`, which is
    overwritten, is (frame, neuron).
    """
    here = np.empty_like(drive)
    o, rho = drive.reshape(-1), here.reshape(-1)
    for k in range(len(o)):
        rho[k] = max(o[k], _ZERO) + exp_below_zero(o[k])
    places, frames = drive.shape
    for place in range(places):
        for frame in range(frames):
            rate[frame, order[place]] = here[place, frame]


@compiled
def visual_drive_vjp(drive: F32, order: I64, grad_rate: F32, grad_drive: F32) -> None:
    """∂o = ∂ρ exp(min(o, 0)) of (12'); shapes as in `visual_drive`, `grad_drive` that of o."""
    places, frames = drive.shape
    for place in range(places):
        for frame in range(frames):
            grad_drive[place, frame] = grad_rate[frame, order[place]]
    o, grad = drive.reshape(-1), grad_drive.reshape(-1)
    for k in range(len(o)):
        grad[k] *= exp_below_zero(o[k])
