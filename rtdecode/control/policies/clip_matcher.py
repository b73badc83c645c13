"""Running correlation of the newest reconstructed frames with all frames of known clips.

Duties: state, after each reconstruction, how well its window of frames agrees with each clip at
each offset. It must not decide anything, and must not depend on displayed frames.

With the window y[i, p] of n frames, i = 0 … n−1, and a clip x[t, p], the correlation at offset o is
that of `video_r`, over pixels and frames at once,

    r(o) = Σ (x[o+i, p] − mean x) (y[i, p] − mean y) / √(Σ (x − mean x)² Σ (y − mean y)²).

Only the products of the newest frame with all frames of the clips are new in a step; the sums over
the window are sums of products of earlier steps along the diagonal. Pixels are averaged over blocks
of 2 x 2, because a reconstruction has no finer detail that would tell clips apart.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.messages import Reconstruction

_BLOCK_PX = 2
_GREY = 127.5
"""Subtracted from all grey levels, which leaves r as it is and keeps sums of squares small."""
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class ClipMatch:
    """The best agreement of the window with one clip."""

    clip: str
    r: float
    frame: int
    """Frame of the clip that agrees with the newest reconstruction."""


class ClipMatcher:
    """Correlation of the last `window_frames` reconstructions with each clip, at its best offset.

    Parameters
    ----------
    clips
        (frame, row, col) grey levels by name, each of at least `window_frames` frames.
    mask
        (row, col) pixels that are compared.
    window_frames
        Length of the window.
    """

    def __init__(
        self,
        clips: Mapping[str, NDArray[np.generic]],
        mask: NDArray[np.bool_],
        *,
        window_frames: int,
    ) -> None:
        self._mask, self._window = mask, window_frames
        self._names = tuple(clips)
        self._block, self._per_block = _blocks(mask)
        lengths = [len(frames) for frames in clips.values()]
        self._first = np.concatenate([[0], np.cumsum(lengths)])
        pooled = [self._pooled(frame) for frames in clips.values() for frame in frames]
        self._templates = np.stack(pooled).astype(np.float32)
        sums, squares = self._templates.sum(1, np.float64), (self._templates**2).sum(1, np.float64)
        self._x, self._xx = _windowed(sums, window_frames), _windowed(squares, window_frames)
        self._products: deque[NDArray[np.float32]] = deque(maxlen=window_frames)
        self._moments: deque[tuple[float, float]] = deque(maxlen=window_frames)
        self._newest: int | None = None

    def add(self, decoded: Reconstruction) -> list[ClipMatch]:
        """Best match of each clip, best first; empty until the window is full.

        A missing frame, and one before the estimation window of the decoder is full, empties the
        window.
        """
        if self._newest is None or decoded.frame != self._newest + 1 or not decoded.warm:
            self._products.clear()
            self._moments.clear()
        self._newest = decoded.frame
        if not decoded.warm:
            return []
        frame = self._pooled(decoded.luminance).astype(np.float32)
        self._products.append(self._templates @ frame)
        self._moments.append((float(frame.sum()), float(frame @ frame)))
        if len(self._products) < self._window:
            return []
        return sorted(self._best(self._correlations()), key=lambda match: -match.r)

    def _correlations(self) -> NDArray[np.float64]:
        """(frame,) r of the window with the frames of all clips from each frame on."""
        most = len(self._templates) - self._window + 1
        # Σxy(o) = Σ_i x[o + i] · y[i]: the products of step i, shifted by i frames of the clip
        xy = np.zeros(most)
        for i, products in enumerate(self._products):
            xy += products[i : i + most]
        y, yy = np.sum(self._moments, axis=0)
        n = self._window * self._per_block.size
        squares_x, square_y = self._xx - self._x**2 / n, yy - y**2 / n
        scale = np.sqrt(np.maximum(squares_x * square_y, 0))
        varies = scale > _TINY
        return np.where(varies, (xy - self._x * y / n) / np.where(varies, scale, 1), 0.0)

    def _best(self, r: NDArray[np.float64]) -> list[ClipMatch]:
        matches = []
        for k, clip in enumerate(self._names):
            first, end = int(self._first[k]), int(self._first[k + 1])
            within = r[first : end - self._window + 1]
            offset = int(within.argmax())
            matches.append(ClipMatch(clip, float(within[offset]), offset + self._window - 1))
        return matches

    def _pooled(self, frame: NDArray[np.generic]) -> NDArray[np.float64]:
        """(block,) mean of the compared pixels of each block."""
        levels = frame[self._mask].astype(np.float64) - _GREY
        sums = np.bincount(self._block, levels, minlength=self._per_block.size)
        pooled: NDArray[np.float64] = sums / self._per_block
        return pooled


def _blocks(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Block of each compared pixel, and the number of compared pixels of each block."""
    rows, cols = np.nonzero(mask)
    wide = mask.shape[1] // _BLOCK_PX + 1
    label = (rows // _BLOCK_PX) * wide + cols // _BLOCK_PX
    _, block, counts = np.unique(label, return_inverse=True, return_counts=True)
    return block, counts


def _windowed(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Sum of `window` consecutive values from each one on."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    windowed: NDArray[np.float64] = total[window:] - total[:-window]
    return windowed
