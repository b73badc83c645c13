"""Correlation of two videos at several shifts in time, from sums that are updated per frame."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_MIDDLE_GREY = np.float32(127.5)
_TINY = 1e-6


class ShiftMoments:
    """Contribution of each new frame to the correlation at every shift of -reach..reach frames.

    Row `reach + s` pairs the ground truth a of a frame with the reconstruction b `s` frames later.
    Its six columns are n, Σa, Σb, Σa², Σb² and Σab over the pixels, with grey levels about the
    middle grey, which limits rounding errors. Moments of frames are additive: over a window, over a
    clip, over hours.

    Parameters
    ----------
    reach_frames
        Largest shift either way.
    """

    def __init__(self, reach_frames: int) -> None:
        self._reach = reach_frames
        self._shown = _Ring(reach_frames)
        self._decoded = _Ring(reach_frames)

    @property
    def shifts(self) -> NDArray[np.int64]:
        """(shift,) in frames; positive where the reconstruction is late."""
        return np.arange(-self._reach, self._reach + 1)

    def add(self, frame: int, *, shown: NDArray[np.generic], decoded: NDArray[np.generic]) -> F64:
        """(shift, 6) moments of one more frame; both arguments are (pixel,) in grey levels.

        Frame numbers must increase; frames may be missing.
        """
        a, b = (p.astype(np.float32) - _MIDDLE_GREY for p in (shown, decoded))
        moments = np.zeros((2 * self._reach + 1, 6))
        moments[self._reach] = _pairs(a[None], b)[0]
        earlier_a, back_a = self._shown.before(frame)
        moments[self._reach + back_a] = _pairs(earlier_a, b)
        earlier_b, back_b = self._decoded.before(frame)
        moments[self._reach - back_b] = _pairs(earlier_b, a)[:, [0, 2, 1, 4, 3, 5]]
        self._shown.put(frame, a)
        self._decoded.put(frame, b)
        return moments


def r_at_shifts(moments: F64) -> F64:
    """(shift,) Pearson correlations of summed moments.

    r = (Σab − Σa Σb / n) / sqrt((Σa² − (Σa)² / n) (Σb² − (Σb)² / n)). It is 0 where the
    reconstruction has no variance, and NaN where the ground truth has none.
    """
    n, sum_a, sum_b, square_a, square_b, product = moments.T
    with np.errstate(divide="ignore", invalid="ignore"):
        left_a, left_b = square_a - sum_a**2 / n, square_b - sum_b**2 / n
        r = (product - sum_a * sum_b / n) / np.sqrt(left_a * left_b)
    r = np.where(left_b > _TINY * n, np.clip(r, -1, 1), 0.0)
    return np.where(left_a > _TINY * n, r, np.nan)


def best_shift(r: F64, shifts: NDArray[np.int64]) -> float:
    """Shift in frames with the highest correlation, refined by a parabola; NaN where no r > 0."""
    if not np.any(r > 0):
        return float("nan")
    best = int(np.nanargmax(r))
    return float(shifts[best]) + _parabola_peak(r, best)


class _Ring:
    """Ring buffer of the last frames and their numbers."""

    def __init__(self, size: int) -> None:
        self._frames = np.full(size, -1, np.int64)
        self._pictures = np.zeros((size, 0), np.float32)

    def put(self, frame: int, picture: F32) -> None:
        if self._pictures.shape[1] != picture.size:
            self._pictures = np.zeros((len(self._frames), picture.size), np.float32)
        if len(self._frames):
            self._frames[frame % len(self._frames)] = frame
            self._pictures[frame % len(self._frames)] = picture

    def before(self, frame: int) -> tuple[F32, NDArray[np.int64]]:
        """(frame, pixel) stored frames before `frame`, and how many frames back each one is."""
        back = frame - self._frames
        within = (self._frames >= 0) & (back >= 1) & (back <= len(self._frames))
        return self._pictures[within], back[within]


def _pairs(many: F32, one: F32) -> F64:
    """(frame, 6) moments of each of `many` frames with `one`."""
    moments = np.empty((len(many), 6))
    moments[:, 0] = one.size
    moments[:, 1] = many.sum(1, dtype=np.float64)
    moments[:, 2] = one.sum(dtype=np.float64)
    moments[:, 3] = np.einsum("kp,kp->k", many, many)
    moments[:, 4] = one @ one
    moments[:, 5] = many @ one if len(many) else 0
    return moments


def _parabola_peak(r: F64, best: int) -> float:
    """Offset in frames, within ±0.5, of the vertex of the parabola through three neighbours."""
    if not 0 < best < len(r) - 1:
        return 0.0
    before, peak, after = r[best - 1 : best + 2]
    # vertex of the parabola through (−1, before), (0, peak), (1, after)
    curvature = before - 2 * peak + after
    return float((before - after) / (2 * curvature)) if curvature < 0 else 0.0
