"""Receptive fields of a simulated V1 population: luminance blobs, simple and complex cells.

Sizes follow mouse V1 at 36 x 64 px over about 120 deg x 70 deg to 200 deg x 120 deg (2 to 3.4
deg/px): preferred spatial frequencies around 0.03 cycles/deg (Niell & Stryker 2008, J. Neurosci.)
are wavelengths of 8 to 25 px here.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
Bool = NDArray[np.bool_]

_SUPPORT_SD = 2.3
_BLOB_SHARE = 0.35
_COMPLEX_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class ReceptiveFields:
    """Space-time receptive fields of all neurons, with patches packed one after the other.

    `weights`, (2, pixel), holds each neuron's even patch and its odd quadrature partner (0 for
    luminance blobs), row by row, from `offsets[neuron]`; `bounds` are the patch's (first row, end
    row, first column, end column) on the screen. `direction` in -1..1 is the weight with which the
    two are combined in space-time (0: not direction selective); `transience` in 0..1 the weight
    with which the slow response is subtracted from the fast one; `stage_tau_s` the time constant
    of the filter cascade.
    """

    center_px: F32
    bounds: I32
    offsets: I32
    weights: F32
    is_blob: Bool
    is_complex: Bool
    direction: F32
    transience: F32
    stage_tau_s: F32


class _Patch(NamedTuple):
    bounds: tuple[int, int, int, int]
    pair: F32


def draw_receptive_fields(
    rng: np.random.Generator, neurons: int, *, rows_px: int, cols_px: int
) -> ReceptiveFields:
    """Draw the receptive fields of one mouse for a screen of `rows_px` x `cols_px` pixels."""
    scale = cols_px / 64.0
    center = _spread_centers(rng, neurons, rows_px=rows_px, cols_px=cols_px)
    is_blob = rng.random(neurons) < _BLOB_SHARE
    is_complex = ~is_blob & (rng.random(neurons) < _COMPLEX_SHARE / (1 - _BLOB_SHARE))
    patches = [
        _blob(rng, c, rows_px=rows_px, cols_px=cols_px, scale=scale)
        if blob
        else _gabor(rng, c, rows_px=rows_px, cols_px=cols_px, scale=scale)
        for c, blob in zip(center, is_blob, strict=True)
    ]
    sizes = [patch.pair.shape[1] for patch in patches]
    return ReceptiveFields(
        center_px=center,
        bounds=np.array([patch.bounds for patch in patches], np.int32),
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
        weights=np.concatenate([patch.pair for patch in patches], 1),
        is_blob=is_blob,
        is_complex=is_complex,
        direction=_directions(rng, is_blob),
        transience=_transience(rng, is_blob),
        stage_tau_s=rng.uniform(0.010, 0.018, neurons).astype(np.float32),
    )


def _spread_centers(rng: np.random.Generator, neurons: int, *, rows_px: int, cols_px: int) -> F32:
    """(neuron, 2) row and column, evenly spread: a jittered golden-ratio lattice."""
    number = np.arange(neurons)
    row = (number + 0.5) / neurons
    col = (number * 0.6180339887498949) % 1.0
    unit = np.stack([row, col], 1) + rng.normal(0, 0.02, (neurons, 2))
    shuffled: F32 = (np.clip(unit, 0, 1) * [rows_px - 1, cols_px - 1]).astype(np.float32)
    return rng.permutation(shuffled)


def _directions(rng: np.random.Generator, is_blob: Bool) -> F32:
    strength = rng.beta(0.8, 1.6, is_blob.size) * rng.choice([-1.0, 1.0], is_blob.size)
    return np.where(is_blob, 0.0, strength).astype(np.float32)


def _transience(rng: np.random.Generator, is_blob: Bool) -> F32:
    """(neuron,) transience; a third of the cells is nearly sustained, for still images."""
    gabor = rng.beta(1.2, 1.2, is_blob.size)
    blob = 0.7 * rng.beta(1.0, 2.0, is_blob.size)
    return np.where(is_blob, blob, gabor).astype(np.float32)


def _grid(
    center: F32, sd_px: float, *, rows_px: int, cols_px: int
) -> tuple[tuple[int, int, int, int], F32, F32]:
    reach = _SUPPORT_SD * sd_px
    top, left = (max(0, int(np.floor(c - reach))) for c in center)
    bottom = min(rows_px, int(np.ceil(center[0] + reach)) + 1)
    right = min(cols_px, int(np.ceil(center[1] + reach)) + 1)
    row, col = np.mgrid[top:bottom, left:right].astype(np.float32)
    return (top, bottom, left, right), row - center[0], col - center[1]


def _blob(
    rng: np.random.Generator, center: F32, *, rows_px: int, cols_px: int, scale: float
) -> _Patch:
    """An ON or OFF luminance cell: a Gaussian with a weak, wider surround."""
    sd = scale * float(np.clip(np.exp(rng.normal(np.log(2.6), 0.35)), 1.3, 6.0))
    surround = float(rng.uniform(0.0, 0.6))
    sign = float(rng.choice([-1.0, 1.0]))
    bounds, row, col = _grid(center, 1.6 * sd, rows_px=rows_px, cols_px=cols_px)
    square = row**2 + col**2
    middle = np.exp(-square / (2 * sd**2))
    around = np.exp(-square / (2 * (2 * sd) ** 2)) / 4
    even = sign * (middle - surround * around) / sd**2
    return _Patch(bounds, _packed(even, np.zeros_like(even)))


def _gabor(
    rng: np.random.Generator, center: F32, *, rows_px: int, cols_px: int, scale: float
) -> _Patch:
    """A Gabor patch and its quadrature partner, both without response to uniform light."""
    wavelength = scale * float(np.clip(np.exp(rng.normal(np.log(12.0), 0.45)), 5.0, 36.0))
    sd = wavelength * float(rng.uniform(0.28, 0.45))
    angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
    bounds, row, col = _grid(center, sd, rows_px=rows_px, cols_px=cols_px)
    envelope = np.exp(-(row**2 + col**2) / (2 * sd**2)) / sd**2
    wave = 2 * np.pi * (np.cos(angle) * col + np.sin(angle) * row) / wavelength + phase
    # the weighted mean of each carrier is removed, so uniform light has no effect
    weight = envelope / envelope.sum()
    even, odd = (
        envelope * (carrier - (weight * carrier).sum()) for carrier in (np.cos(wave), np.sin(wave))
    )
    return _Patch(bounds, _packed(even, odd))


def _packed(even: F32, odd: F32) -> F32:
    return np.stack([even.ravel(), odd.ravel()]).astype(np.float32)
