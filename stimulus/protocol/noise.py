"""Gaussian noise by spatial and temporal scale, and sparse noise, from a given generator."""

import math
from collections import deque
from collections.abc import Iterator
from itertools import count

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from rtdecode.schema.config.protocol import GaussianNoise, SparseNoise
from stimulus.protocol.degrees import F64, Geometry
from stimulus.protocol.gratings import grey_levels

_NODES_PER_SCALE = 3
"""Nodes of the grid on which noise is made; between them it is interpolated."""
_INTERPOLATED = math.sqrt(_NODES_PER_SCALE**2 - 1 / 3)
"""Scale of noise at the nodes, in nodes. Linear interpolation adds 1/3 to its square: it convolves
the correlation with two triangles of the variance 1/6."""
_KERNEL_SD = 4
"""Half width of a kernel in its standard deviations."""


def gaussian_noise_frames(
    noise: GaussianNoise,
    geometry: Geometry,
    *,
    frames: int,
    frame_rate_hz: float,
    rng: Generator,
) -> Iterator[NDArray[np.uint8]]:
    """(row, col) frames of noise with the correlation exp(-d^2 / (2 scale^2)).

    White noise on a grid of degrees and time is convolved with a Gaussian of the standard
    deviation scale / sqrt(2), whose autocorrelation has the standard deviation `scale`, and is
    interpolated linearly at the pixels and frames. Distances d are in degrees of azimuth and of
    altitude. Every value has unit variance before it is scaled by the contrast.
    """
    space = _SpatialGrid(geometry, noise.spatial_scale_deg)
    scale_frames = noise.temporal_scale_s * frame_rate_hz
    values = _in_time((space.drawn(rng) for _ in iter(int, 1)), scale_frames)
    for _ in range(frames):
        yield grey_levels(noise.contrast * next(values))


def sparse_noise_frames(
    noise: SparseNoise,
    geometry: Geometry,
    *,
    frames: int,
    frame_rate_hz: float,
    rng: Generator,
) -> Iterator[NDArray[np.uint8]]:
    """(row, col) frames with `spots` discs, which change every `frame_s`.

    The centre of a disc is a pixel, drawn in proportion to its solid angle.
    """
    held = max(1, round(noise.frame_s * frame_rate_hz))
    chances = geometry.solid_angles().ravel()
    luminance = grey_levels(np.zeros(geometry.azimuth_deg.shape))
    for frame in range(frames):
        if frame % held == 0:
            luminance = _spots(noise, geometry, chances, rng)
        yield luminance


def _spots(
    noise: SparseNoise, geometry: Geometry, chances: F64, rng: Generator
) -> NDArray[np.uint8]:
    contrast = np.zeros(geometry.azimuth_deg.shape)
    centres = rng.choice(chances.size, noise.spots, p=chances)
    light = rng.random(noise.spots) < noise.light_fraction
    for centre, is_light in zip(centres, light, strict=True):
        azimuth, altitude = geometry.azimuth_deg.flat[centre], geometry.altitude_deg.flat[centre]
        inside = geometry.angle_from(azimuth, altitude) <= noise.spot_deg / 2
        contrast[inside] = noise.contrast if is_light else -noise.contrast
    return grey_levels(contrast)


def _kernel(scale_nodes: float) -> F64:
    """Gaussian kernel for a correlation of the scale `scale_nodes`, with unit sum of squares."""
    sd = scale_nodes / math.sqrt(2)
    half = math.ceil(_KERNEL_SD * sd)
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / sd) ** 2)
    return np.asarray(kernel / np.linalg.norm(kernel))


def _interpolation_sd(right: F64, neighbours_r: float) -> F64:
    """Standard deviation of (1 - w) x + w y for unit variances and the correlation of x and y."""
    left = 1 - right
    return np.asarray(np.sqrt(left**2 + right**2 + 2 * left * right * neighbours_r))


class _SpatialGrid:
    """A grid of azimuth and altitude over the screen, for noise of unit variance at its pixels."""

    def __init__(self, geometry: Geometry, scale_deg: float) -> None:
        step = scale_deg / _NODES_PER_SCALE
        self._kernel = _kernel(_INTERPOLATED)
        neighbours_r = float(self._kernel[1:] @ self._kernel[:-1])
        self._rows, self._down, rows_sd = _placed(geometry.altitude_deg, step, neighbours_r)
        self._cols, self._across, cols_sd = _placed(geometry.azimuth_deg, step, neighbours_r)
        self._gain = 1 / (rows_sd * cols_sd)
        self._nodes = (int(self._rows.max()) + 2, int(self._cols.max()) + 2)
        self._filters = tuple(_banded(self._kernel, nodes) for nodes in self._nodes)

    def drawn(self, rng: Generator) -> F64:
        """(row, col) one field of noise; independent of all others."""
        white = rng.standard_normal([matrix.shape[1] for matrix in self._filters], np.float32)
        grid: F64 = self._filters[0] @ white @ self._filters[1].T
        upper = self._at(grid, self._rows)
        lower = self._at(grid, self._rows + 1)
        return np.asarray((upper * (1 - self._down) + lower * self._down) * self._gain)

    def _at(self, grid: F64, rows: NDArray[np.intp]) -> F64:
        left, right = grid[rows, self._cols], grid[rows, self._cols + 1]
        return np.asarray(left * (1 - self._across) + right * self._across)


def _placed(angles_deg: F64, step: float, neighbours_r: float) -> tuple[NDArray[np.intp], F64, F64]:
    """Node before each pixel, fraction of the way to the next, and standard deviation there."""
    place = (angles_deg - angles_deg.min()) / step
    node = np.floor(place).astype(np.intp)
    return node, place - node, _interpolation_sd(place - node, neighbours_r)


def _banded(kernel: F64, nodes: int) -> NDArray[np.float32]:
    """(nodes, nodes + kernel - 1) matrix that convolves with `kernel`."""
    matrix = np.zeros((nodes, nodes + kernel.size - 1), np.float32)
    for row in range(nodes):
        matrix[row, row : row + kernel.size] = kernel
    return matrix


def _in_time(fields: Iterator[F64], scale_frames: float) -> Iterator[F64]:
    """Fields correlated over `scale_frames`, one for each frame; independent ones for 0."""
    if not scale_frames:
        yield from fields
        return
    step = max(1.0, scale_frames / _NODES_PER_SCALE)
    kernel = _kernel(scale_frames if step == 1 else _INTERPOLATED)
    neighbours_r = float(kernel[1:] @ kernel[:-1])
    recent = deque((next(fields) for _ in range(kernel.size)), kernel.size)
    before, after = _weighted(recent, kernel), _weighted(recent, kernel, next(fields))
    node = 0
    for frame in count():
        place = frame / step
        if place - node >= 1:
            before, after, node = after, _weighted(recent, kernel, next(fields)), node + 1
        right = np.asarray(place - node)
        yield ((1 - right) * before + right * after) / _interpolation_sd(right, neighbours_r)


def _weighted(recent: deque[F64], kernel: F64, newest: F64 | None = None) -> F64:
    """Sum of the recent fields by the kernel, after `newest` has joined them."""
    if newest is not None:
        recent.append(newest)
    return np.asarray(sum(weight * one for weight, one in zip(kernel, recent, strict=True)))
