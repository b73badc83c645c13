"""The simulated two-photon microscope: scans of the tissue with motion and photon noise."""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from acquisition_bridge.sources.simulated.receptive_fields import F32, I32
from acquisition_bridge.sources.simulated.tissue import Tissue

_DRIFT_TAU_S, _JITTER_TAU_S = 60.0, 0.25


class Motion:
    """Rigid displacement of the tissue, scan by scan; about `sd_px` in standard deviation."""

    def __init__(
        self, rng: np.random.Generator, *, sd_px: float, limit_px: float, period_s: float
    ) -> None:
        self._rng = rng
        self._sd_px = sd_px
        self._limit_px = limit_px
        self._drift_kept = math.exp(-period_s / _DRIFT_TAU_S)
        self._jitter_kept = math.exp(-period_s / _JITTER_TAU_S)
        self._drift = np.zeros(2)
        self._jitter = np.zeros(2)

    def next_shift_px(self, running_cm_s: float) -> F32:
        """(2,) rows and columns by which the tissue is displaced in this scan."""
        noise = self._rng.normal(size=(2, 2)) * self._sd_px
        shaking = 0.25 + 0.5 * min(1.0, running_cm_s / 20.0)
        self._drift = self._drift_kept * self._drift + _innovation(self._drift_kept) * noise[0]
        self._jitter = self._jitter_kept * self._jitter
        self._jitter += _innovation(self._jitter_kept) * shaking * noise[1]
        total = np.clip(0.8 * self._drift + self._jitter, -self._limit_px, self._limit_px)
        return total.astype(np.float32)


def _innovation(kept: float) -> float:
    return math.sqrt(1 - kept * kept)


DARK_COUNTS = 200.0
COUNTS_PER_PHOTON = 20.0
_READ_NOISE_PHOTONS = 0.4
_KNOTS = 5
_POOL_ITEMS = 1 << 18
_NEUROPIL_GAIN = np.float32(0.5)

U16 = NDArray[np.uint16]


class Scope:
    """Scans of `rows_px` x `cols_px` pixels, uint16 counts.

    A pixel with expectation m photons yields m + sqrt(m) z + (z^2 - 1) / 6 with z standard normal:
    the Poisson quantile to second order (Cornish & Fisher 1938), with the distribution's mean,
    variance and skewness. The normals are read from a pool at a random offset in each line, because
    drawing them anew would take longer than the rest of the scan.
    """

    def __init__(self, tissue: Tissue, rng: np.random.Generator) -> None:
        self._tissue = tissue
        self._rng = rng
        self._pool = rng.standard_normal(_POOL_ITEMS + tissue.shape[1], np.float32)
        self._regions = _regions(tissue)
        self._expected = np.empty(tissue.shape, np.float32)

    def scan(self, dff: F32, *, shared: float, shift_px: F32, bleached: float) -> U16:
        """One scan.

        Parameters
        ----------
        dff
            (neuron,) dF/F of each neuron at the time at which its line is scanned.
        shared
            Slow activity common to all neuropil, in dF/F.
        shift_px
            (2,) rows and columns by which the tissue is displaced.
        bleached
            Fraction of the fluorescence that remains after bleaching, 0..1.
        """
        tissue = self._tissue
        rows, cols = (side - 2 * tissue.pad_px for side in tissue.shape)
        local = _NEUROPIL_GAIN * (self._regions @ dff) + np.float32(shared)
        knots = (bleached * (1 + local)).astype(np.float32).reshape(_KNOTS, _KNOTS)
        light = np.float32(bleached) * tissue.brightness * (1 + dff)
        _light_up(tissue.neuropil, knots, self._expected)
        _add_cells(tissue.indptr, tissue.pixels, tissue.weights, light, self._expected)
        counts = np.empty((rows, cols), np.uint16)
        starts = self._rng.integers(0, _POOL_ITEMS, rows)
        corner = (tissue.pad_px - shift_px).astype(np.float32)
        _expose(self._expected, corner, self._pool, starts, counts)
        return counts


def _regions(tissue: Tissue) -> F32:
    """(knot, neuron) weights of the mean of dF/F around each knot of a coarse grid."""
    row, col = (np.linspace(0, side - 1, _KNOTS) for side in tissue.shape)
    knot = np.stack(np.meshgrid(row, col, indexing="ij"), -1).reshape(-1, 1, 2)
    d2 = ((knot - tissue.center_px[None]) ** 2).sum(-1)
    weight: F32 = np.exp(-d2 / (2 * (max(tissue.shape) / _KNOTS) ** 2))
    share: F32 = (weight / weight.sum(1, keepdims=True)).astype(np.float32)
    return share


@numba.njit(cache=True, fastmath=True)
def _light_up(neuropil: F32, knots: F32, out: F32) -> None:
    """Neuropil times its activity, interpolated bilinearly between the knots of a coarse grid."""
    rows, cols = out.shape
    last = knots.shape[0] - 1
    for row in range(rows):
        at = np.float32(row) * np.float32(last) / np.float32(rows)
        k = int(at)
        part = at - np.float32(k)
        for piece in range(last):
            left = knots[k, piece] * (1 - part) + knots[k + 1, piece] * part
            right = knots[k, piece + 1] * (1 - part) + knots[k + 1, piece + 1] * part
            first, end = piece * cols // last, (piece + 1) * cols // last
            slope = (right - left) / np.float32(end - first)
            for col in range(first, end):
                out[row, col] = neuropil[row, col] * (left + slope * np.float32(col - first))


@numba.njit(cache=True, fastmath=True)
def _add_cells(indptr: I32, pixels: I32, weights: F32, light: F32, out: F32) -> None:
    flat = out.ravel()
    for n in range(light.size):
        for k in range(indptr[n], indptr[n + 1]):
            flat[pixels[k]] += weights[k] * light[n]


@numba.njit(cache=True, fastmath=True)
def _expose(expected: F32, corner: F32, pool: F32, starts: NDArray[np.int64], out: U16) -> None:
    """Sample the displaced tissue bilinearly, add photon noise, convert to counts."""
    rows, cols = out.shape
    r0, c0 = int(corner[0]), int(corner[1])
    down, right = corner[0] - np.float32(r0), corner[1] - np.float32(c0)
    floor = np.float32(_READ_NOISE_PHOTONS**2)
    for row in range(rows):
        above, below = expected[row + r0], expected[row + r0 + 1]
        normal = pool[starts[row] : starts[row] + cols]
        for col in range(cols):
            a = above[col + c0] + right * (above[col + c0 + 1] - above[col + c0])
            b = below[col + c0] + right * (below[col + c0 + 1] - below[col + c0])
            mean = a + down * (b - a)
            z = normal[col]
            photons = mean + np.sqrt(mean + floor) * z + (z * z - 1) * np.float32(1 / 6)
            counts = np.float32(DARK_COUNTS) + np.float32(COUNTS_PER_PHOTON) * photons
            out[row, col] = np.uint16(min(max(counts, np.float32(0)), np.float32(65535)))
