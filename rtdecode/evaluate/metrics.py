"""Metrics of a reconstruction against the ground truth: video_r, frame_r, ssim and shift_ms.

Duties: compute these four from two videos, with a bootstrap interval over clips. Every table of
results and the live score use them. This module must not depend on where the videos come from:
no messages, sessions or twins.

Both videos are (frame, row, col) in grey levels 0..255. The screen mask is (row, col) bool and
selects the scored pixels. Frames with a NaN inside the bounding box of the mask, in either video,
are left out. A reconstruction without variance scores 0; ground truth without variance cannot be
scored and gives NaN.

>>> truth = np.random.default_rng(0).uniform(0, 255, (40, 8, 8))
>>> mask = np.ones((8, 8), bool)
>>> round(video_r(truth, 0.5 * truth + 20, mask), 6)
1.0
>>> late = np.roll(truth, 3, axis=0)
>>> round(shift_ms(truth, late, mask, frame_rate_hz=30.0))
100
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from rtdecode.evaluate.shift_moments import ShiftMoments, best_shift, r_at_shifts
from rtdecode.schema.errors import ShapeError

Video = NDArray[np.floating] | NDArray[np.uint8]
Mask = NDArray[np.bool_]

FIRST_SCORED_FRAME = 30
"""The first 30 frames of a clip fill the estimation window and are not scored."""
_GREY_LEVELS = 255.0
_SSIM_SIDE_PX = 7
_SHORTEST_OVERLAP = 2
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class ClipScores:
    """All metrics of one clip."""

    video_r: float
    frame_r: float
    ssim: float
    shift_ms: float
    n_frames: int


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over clips with its bootstrap 95 % interval."""

    mean: float
    low: float
    high: float


def clip_scores(
    truth: Video,
    reconstruction: Video,
    mask: Mask,
    *,
    frame_rate_hz: float,
    first_frame: int = FIRST_SCORED_FRAME,
) -> ClipScores:
    """All metrics over the frames from `first_frame` on; ShapeError where shapes do not agree."""
    check_shapes(truth, reconstruction, mask)
    truth, reconstruction = truth[first_frame:], reconstruction[first_frame:]
    return ClipScores(
        video_r=video_r(truth, reconstruction, mask),
        frame_r=frame_r(truth, reconstruction, mask),
        ssim=ssim(truth, reconstruction, mask),
        shift_ms=shift_ms(truth, reconstruction, mask, frame_rate_hz=frame_rate_hz),
        n_frames=int(scorable(truth, reconstruction, mask).sum()),
    )


def video_r(truth: Video, reconstruction: Video, mask: Mask) -> float:
    """Pearson correlation over all pixels inside the mask and all frames at once.

    With x[t, p] the ground truth and y[t, p] the reconstruction of frame t and pixel p, and means
    over all t and p:

        r = Σ (x[t, p] − mean x) (y[t, p] − mean y)
            / sqrt(Σ (x[t, p] − mean x)² · Σ (y[t, p] − mean y)²)

    The main metric of Bauer, Margrie & Clopath (eLife 2026, 10.7554/eLife.105081).
    """
    check_shapes(truth, reconstruction, mask)
    kept = scorable(truth, reconstruction, mask)
    return pearson_r(truth[kept][:, mask], reconstruction[kept][:, mask])


def frame_r(truth: Video, reconstruction: Video, mask: Mask) -> float:
    """Mean over frames of the Pearson correlation over the pixels inside the mask.

    (1/T) Σ_t r(x[t, :], y[t, :]): unlike video_r it ignores the mean luminance and the contrast of
    each frame. Frames whose ground truth is uniform are left out.
    """
    check_shapes(truth, reconstruction, mask)
    kept = np.flatnonzero(scorable(truth, reconstruction, mask))
    return mean_of_finite([pearson_r(truth[k][mask], reconstruction[k][mask]) for k in kept])


def ssim(truth: Video, reconstruction: Video, mask: Mask) -> float:
    """Mean over frames of the structural similarity on the bounding box of the mask."""
    check_shapes(truth, reconstruction, mask)
    box = bounding_box(mask)
    kept = np.flatnonzero(scorable(truth, reconstruction, mask))
    return mean_of_finite([frame_ssim(truth[k][box], reconstruction[k][box]) for k in kept])


def shift_ms(
    truth: Video,
    reconstruction: Video,
    mask: Mask,
    *,
    frame_rate_hz: float,
    reach_frames: int = 10,
) -> float:
    """Shift in time that maximises video_r, in ms; positive where the reconstruction is late.

    s* = argmax over s of r(x[t], y[t + s]) for whole frames |s| <= `reach_frames`, refined by the
    vertex of the parabola through the best shift and its two neighbours. NaN where no shift has a
    positive correlation.
    """
    check_shapes(truth, reconstruction, mask)
    moments = ShiftMoments(min(reach_frames, max(0, len(truth) - _SHORTEST_OVERLAP)))
    summed = np.zeros((len(moments.shifts), 6))
    for k in np.flatnonzero(scorable(truth, reconstruction, mask)):
        summed += moments.add(int(k), shown=truth[k][mask], decoded=reconstruction[k][mask])
    return best_shift(r_at_shifts(summed), moments.shifts) / frame_rate_hz * 1000


def bootstrap_interval(
    per_clip: Sequence[float], *, rng: np.random.Generator, draws: int = 10_000
) -> Interval:
    """Mean over clips, and the percentiles 2.5 and 97.5 of means over resampled clips."""
    values = np.asarray(per_clip, np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return Interval(float("nan"), float("nan"), float("nan"))
    means = values[rng.integers(0, values.size, (draws, values.size))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))


def pearson_r(truth: NDArray[np.generic], reconstruction: NDArray[np.generic]) -> float:
    """Pearson correlation over all items, in float64; 0 and NaN as in the module docstring."""
    a, b = truth.astype(np.float64).ravel(), reconstruction.astype(np.float64).ravel()
    if a.size < _SHORTEST_OVERLAP:
        return float("nan")
    # r = Σ (a − mean a)(b − mean b) / sqrt(Σ (a − mean a)² Σ (b − mean b)²)
    a, b = a - a.mean(), b - b.mean()
    squares_a, squares_b = float(a @ a), float(b @ b)
    if not squares_a > _TINY:
        return float("nan")
    if not squares_b > _TINY:
        return 0.0
    return float(np.clip(a @ b / np.sqrt(squares_a * squares_b), -1, 1))


def frame_ssim(truth: NDArray[np.generic], reconstruction: NDArray[np.generic]) -> float:
    """Structural similarity of two (row, col) frames in grey levels.

    Mean over uniform windows of 7 x 7 pixels (fewer in smaller frames, NaN below 3 x 3) of

        (2 μx μy + C1) (2 σxy + C2) / ((μx² + μy² + C1) (σx² + σy² + C2)),

    C1 = (0.01 · 255)², C2 = (0.03 · 255)² (Wang et al. 2004, IEEE Trans. Image Process. 13:600).
    """
    side = min(_SSIM_SIDE_PX, *truth.shape)
    side -= 1 - side % 2
    if side < 3:  # noqa: PLR2004
        return float("nan")
    a, b = truth.astype(np.float64), reconstruction.astype(np.float64)
    similarity: float = structural_similarity(  # type: ignore[no-untyped-call]
        a, b, data_range=_GREY_LEVELS, win_size=side
    )
    return float(similarity)


def bounding_box(mask: Mask) -> tuple[slice, slice]:
    """Rows and columns of the smallest rectangle around the mask; all where the mask is empty."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return slice(None), slice(None)
    return slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)


def scorable(truth: Video, reconstruction: Video, mask: Mask) -> NDArray[np.bool_]:
    """(frame,) True where both videos are finite everywhere in the mask's bounding box."""
    rows, cols = bounding_box(mask)
    inside = np.s_[:, rows, cols]
    finite: NDArray[np.bool_] = np.isfinite(truth[inside]) & np.isfinite(reconstruction[inside])
    return np.asarray(finite.all((1, 2)))


def mean_of_finite(values: Sequence[float]) -> float:
    """Mean of the finite values, NaN where there are none."""
    finite = np.asarray([value for value in values if np.isfinite(value)])
    return float(finite.mean()) if finite.size else float("nan")


def check_shapes(truth: Video, reconstruction: Video, mask: Mask) -> None:
    """Raise ShapeError where videos and mask do not agree in shape, or the mask is empty."""
    if truth.ndim != 3:  # noqa: PLR2004
        raise ShapeError("ground truth", expected="(frame, row, col)", got=truth)
    if reconstruction.shape != truth.shape:
        raise ShapeError(
            "reconstruction",
            expected=f"the shape of the ground truth, {truth.shape}",
            got=reconstruction,
        )
    if mask.dtype != np.bool_ or mask.shape != truth.shape[1:] or not mask.any():
        raise ShapeError(
            "mask",
            expected=f"bool of shape {truth.shape[1:]} with at least one pixel set",
            got=mask,
        )
