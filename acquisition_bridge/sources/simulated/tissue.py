"""The simulated tissue under the objective: cell bodies, neuropil, blood vessels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from acquisition_bridge.sources.simulated.receptive_fields import F32, I32

_FIELD_UM = 800.0
_SOMA_RADIUS_UM = 7.5
_FOOTPRINT_FLOOR = 0.15
_VESSELS = 5
_CLEAR_OF_VESSELS = 0.7
_PROFILE_FLOOR = 0.02


@dataclass(frozen=True, slots=True)
class Tissue:
    """Brightness of cells and neuropil, in photons per pixel and scan at rest, on a padded field.

    The field of view lies `pad_px` inside the padded field of shape `shape`.  `pixels` are flat
    indices into the padded field, `weights` each cell's profile (1 at its brightest pixel);
    neuron n has the range `[indptr[n], indptr[n + 1])` of both.
    """

    shape: tuple[int, int]
    pad_px: int
    center_px: F32
    indptr: I32
    pixels: I32
    weights: F32
    brightness: F32
    neuropil: F32
    silhouette: F32


def grow_tissue(
    rng: np.random.Generator,
    *,
    neurons: int,
    rows_px: int,
    cols_px: int,
    pad_px: int,
    photons: float,
    neuropil_fraction: float,
) -> Tissue:
    """Draw the tissue of one mouse; the field of view is about 800 um wide."""
    shape = (rows_px + 2 * pad_px, cols_px + 2 * pad_px)
    um_px = _FIELD_UM / max(rows_px, cols_px)
    radius = _SOMA_RADIUS_UM / um_px
    vessels = _vessel_transmission(rng, shape, width_px=2.2 * radius)
    border = pad_px + radius + 2
    center = _cell_centers(rng, neurons, vessels, border_px=border, spacing_px=1.9 * radius)
    indptr, pixels, weights = _cell_profiles(rng, center, shape, radius_px=radius)
    bright = photons * np.exp(rng.normal(-0.045, 0.3, neurons))
    texture = _neuropil_texture(rng, shape, grain_px=radius)
    return Tissue(
        shape=shape,
        pad_px=pad_px,
        center_px=center,
        indptr=indptr,
        pixels=pixels,
        weights=weights,
        brightness=bright.astype(np.float32),
        neuropil=(photons * neuropil_fraction * texture * vessels).astype(np.float32),
        silhouette=vessels,
    )


def footprints(tissue: Tissue) -> list[tuple[I32, F32]]:
    """Flat pixel indices in the field of view and weights that sum to 1, for each neuron."""
    rows, cols = (side - 2 * tissue.pad_px for side in tissue.shape)
    found = []
    for first, last in zip(tissue.indptr[:-1], tissue.indptr[1:], strict=True):
        row, col = np.divmod(tissue.pixels[first:last], tissue.shape[1])
        row, col, weight = row - tissue.pad_px, col - tissue.pad_px, tissue.weights[first:last]
        kept = (weight >= _FOOTPRINT_FLOOR) & (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
        index = (row[kept] * cols + col[kept]).astype(np.int32)
        found.append((index, (weight[kept] / weight[kept].sum()).astype(np.float32)))
    return found


def _vessel_transmission(
    rng: np.random.Generator, shape: tuple[int, int], *, width_px: float
) -> F32:
    """(row, col) transmission of light, 0..1, reduced along winding vessels of random width."""
    dark = np.zeros(shape)
    for width in width_px * rng.uniform(0.4, 1.3, _VESSELS):
        line = np.zeros(shape)
        angle, place = rng.uniform(0, np.pi), rng.random(2) * shape
        steps = np.arange(-2 * max(shape), 2 * max(shape)) / 2
        lateral = np.cumsum(
            np.cumsum(rng.normal(0, 0.0015, steps.size)) + rng.normal(0, 0.1, steps.size)
        )
        row = place[0] + steps * np.sin(angle) + lateral * np.cos(angle)
        col = place[1] + steps * np.cos(angle) - lateral * np.sin(angle)
        inside = (row >= 0) & (row < shape[0] - 1) & (col >= 0) & (col < shape[1] - 1)
        line[row[inside].astype(int), col[inside].astype(int)] = 1
        distance = ndimage.distance_transform_edt(line == 0)
        dark = np.maximum(dark, 0.75 * np.exp(-((distance / width) ** 2)))
    return (1 - dark).astype(np.float32)


def _cell_centers(
    rng: np.random.Generator, neurons: int, vessels: F32, *, border_px: float, spacing_px: float
) -> F32:
    """(neuron, 2) row and column, off vessels and, where space permits, without overlap."""
    rows, cols = vessels.shape
    taken = np.zeros(vessels.shape, np.int64)
    grid_row, grid_col = np.mgrid[:rows, :cols]
    centers: list[tuple[float, float]] = []
    reach = spacing_px
    while len(centers) < neurons:
        free = (taken == 0) & (vessels > _CLEAR_OF_VESSELS)
        free &= (grid_row >= border_px) & (grid_row < rows - border_px)
        free &= (grid_col >= border_px) & (grid_col < cols - border_px)
        candidates = rng.permutation(np.flatnonzero(free))
        before = len(centers)
        for flat in candidates:
            row, col = divmod(int(flat), cols)
            if taken[row, col] or len(centers) == neurons:
                continue
            centers.append((row + rng.uniform(-0.5, 0.5), col + rng.uniform(-0.5, 0.5)))
            _take_disc(taken, row, col, reach)
        # where no position is left, cells may come closer
        if len(centers) == before or not candidates.size:
            reach *= 0.8
            taken[:] = 0
            for row_px, col_px in centers:
                _take_disc(taken, round(row_px), round(col_px), reach)
    return np.array(centers, np.float32)


def _take_disc(taken: NDArray[np.int64], row: int, col: int, reach: float) -> None:
    r = int(np.ceil(reach))
    top, left = max(0, row - r), max(0, col - r)
    view = taken[top : row + r + 1, left : col + r + 1]
    dr = np.arange(top, top + view.shape[0])[:, None] - row
    dc = np.arange(left, left + view.shape[1])[None] - col
    view |= dr * dr + dc * dc < reach * reach


def _cell_profiles(
    rng: np.random.Generator, center: F32, shape: tuple[int, int], *, radius_px: float
) -> tuple[I32, I32, F32]:
    """Each cell's pixels and profile: a soft, slightly oval disc with a dimmer nucleus."""
    reach = int(np.ceil(1.6 * radius_px + 1))
    pixels, weights = [], []
    for row_px, col_px in center:
        row = np.arange(int(row_px) - reach, int(row_px) + reach + 1)[:, None]
        col = np.arange(int(col_px) - reach, int(col_px) + reach + 1)[None]
        oval, turn = rng.uniform(0.9, 1.1), rng.uniform(0, np.pi)
        along = (row - row_px) * np.cos(turn) + (col - col_px) * np.sin(turn)
        across = (col - col_px) * np.cos(turn) - (row - row_px) * np.sin(turn)
        r = np.hypot(along * oval, across / oval) / (radius_px * rng.uniform(0.85, 1.1))
        profile = (1 - 0.3 * np.exp(-((r / 0.5) ** 2))) / (1 + np.exp(6 * (r - 1)))
        profile /= profile.max()
        kept = profile > _PROFILE_FLOOR
        pixels.append((row * shape[1] + col)[kept])
        weights.append(profile[kept])
    indptr = np.concatenate([[0], np.cumsum([p.size for p in pixels])])
    return (
        indptr.astype(np.int32),
        np.concatenate(pixels).astype(np.int32),
        np.concatenate(weights).astype(np.float32),
    )


def _neuropil_texture(
    rng: np.random.Generator, shape: tuple[int, int], *, grain_px: float
) -> NDArray[np.float64]:
    """(row, col) relative brightness around 1: slow variation and fine processes."""
    broad = ndimage.gaussian_filter(rng.normal(size=shape), max(shape) / 8, mode="wrap")
    fine = ndimage.gaussian_filter(rng.normal(size=shape), 0.4 * grain_px, mode="wrap")
    texture = 1 + 0.15 * broad / broad.std() + 0.25 * fine / fine.std()
    clipped: NDArray[np.float64] = np.clip(texture, 0.2, None)
    return clipped
