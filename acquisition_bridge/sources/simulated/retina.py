"""The simulated eye: displayed frames after the retinal delay, projected onto receptive fields."""

from collections import deque

import numba
import numpy as np
from numpy.typing import NDArray

from acquisition_bridge.sources.simulated.receptive_fields import F32, I32, ReceptiveFields
from rtdecode.schema.errors import ShapeError

DELAY_NS = 25_000_000
"""Delay of photoreceptors and retina; a frame may be reported this much later than its flip."""

_MEAN_GREY = np.float32(110.0)
_SD_GREY = np.float32(60.0)
_BLOCK_PX = 4
_POOL_SD_PX = 7.0


class Retina:
    """Input of the cortex from the displayed frames.

    Attributes
    ----------
    drive
        (neuron, 2) float32, projection of the current frame onto the even and odd patches.
    contrast
        (neuron,) float32, standard deviation of luminance around each receptive field, in units
        of the typical standard deviation of natural scenes.
    late_frames
        Number of frames that were reported later than the retinal delay.
    """

    def __init__(self, fields: ReceptiveFields, *, rows_px: int, cols_px: int) -> None:
        self._fields = fields
        self._shape = (rows_px, cols_px)
        self._pending: deque[tuple[int, NDArray[np.uint8]]] = deque()
        self._pool = _pooling(fields.center_px, rows_px=rows_px, cols_px=cols_px)
        neurons = len(fields.center_px)
        self.drive = np.zeros((neurons, 2), np.float32)
        self.contrast = np.zeros(neurons, np.float32)
        self.late_frames = 0
        self.project(np.full(self._shape, int(_MEAN_GREY), np.uint8))

    def show(self, luminance: NDArray[np.uint8], t_ns: int) -> None:
        """Show `luminance`, (row, col) grey levels, from `t_ns` on.

        Raises
        ------
        ShapeError
            If the frame has another shape than the screen.
        """
        if luminance.shape != self._shape:
            raise ShapeError(
                "the displayed frame", expected=f"the screen's shape {self._shape}", got=luminance
            )
        self._pending.append((t_ns + DELAY_NS, luminance))

    def advance_to(self, t_ns: int, *, step_ns: int) -> None:
        """Project the newest frame due at `t_ns`, the end of a step of `step_ns`."""
        newest = None
        while self._pending and self._pending[0][0] <= t_ns:
            due_ns, newest = self._pending.popleft()
            self.late_frames += due_ns < t_ns - step_ns
        if newest is not None:
            self.project(newest)

    def project(self, luminance: NDArray[np.uint8]) -> None:
        """Project `luminance` onto all receptive fields immediately."""
        seen = (luminance - _MEAN_GREY) / _SD_GREY
        fields = self._fields
        _project(seen, fields.bounds, fields.offsets, fields.weights, self.drive)
        mean, square = _block_moments(seen)
        _pooled_contrast(self._pool, mean, square, self.contrast)


def _block_moments(seen: F32) -> tuple[F32, F32]:
    rows, cols = (side // _BLOCK_PX for side in seen.shape)
    blocks = seen[: rows * _BLOCK_PX, : cols * _BLOCK_PX].reshape(rows, _BLOCK_PX, cols, _BLOCK_PX)
    return blocks.mean((1, 3)).ravel(), (blocks * blocks).mean((1, 3)).ravel()


def _pooling(center_px: F32, *, rows_px: int, cols_px: int) -> F32:
    """(neuron, block) weights of the gain-control pool, summing to 1."""
    row, col = (
        np.arange(side // _BLOCK_PX) * _BLOCK_PX + (_BLOCK_PX - 1) / 2
        for side in (rows_px, cols_px)
    )
    d2: F32 = (row[None, :, None] - center_px[:, 0, None, None]) ** 2
    d2 = d2 + (col[None, None, :] - center_px[:, 1, None, None]) ** 2
    # Gaussian pool of local contrast
    weight: F32 = np.exp(-d2 / (2 * _POOL_SD_PX**2)).reshape(len(center_px), -1)
    share: F32 = (weight / weight.sum(1, keepdims=True)).astype(np.float32)
    return share


@numba.njit(cache=True, fastmath=True)
def _project(seen: F32, bounds: I32, offsets: I32, weights: F32, out: F32) -> None:
    even, odd = weights
    for n in range(out.shape[0]):
        top, bottom, left, right = bounds[n]
        at = offsets[n]
        a, b = np.float32(0), np.float32(0)
        width = right - left
        for row in range(top, bottom):
            for k in range(width):
                a += seen[row, left + k] * even[at + k]
                b += seen[row, left + k] * odd[at + k]
            at += width
        out[n, 0], out[n, 1] = a, b


@numba.njit(cache=True, fastmath=True)
def _pooled_contrast(pool: F32, mean: F32, square: F32, out: F32) -> None:
    for n in range(pool.shape[0]):
        m, s = np.float32(0), np.float32(0)
        for k in range(pool.shape[1]):
            m += pool[n, k] * mean[k]
            s += pool[n, k] * square[k]
        out[n] = np.sqrt(max(np.float32(0), s - m * m))
