"""Errors of a reconstruction against those that noise alone would make, pixel by pixel.

The null distribution is sampled: activity is drawn K times from the twin's noise model given the
true display, and each draw is decoded. With mean m and standard deviation s of their K errors, the
error e of the recorded activity has

    z = (e - m) / (s √(1 + 1/K)),

which is distributed as Student's t with K - 1 degrees of freedom where noise explains it and errors
are normal. Bias of the decoder (its prior, its shrinkage) is in m, and does not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import t as student

F32 = NDArray[np.float32]

LEVEL = 0.95
_LEAST_SD = 0.5
"""Grey levels. Half of the smallest step of a display, for pixels at which every draw is the same,
as all are clipped to black or white."""
_NEIGHBOURHOOD_PX = 2.0


def error_z(error: F32, null: F32) -> F32:
    """Standard score z of `error` against `null`, both in grey levels; NaN where there is none.

    `error` is (frame, row, col), `null` (draw, frame, row, col).
    """
    sd = np.maximum(null.std(0, ddof=1), _LEAST_SD)
    return np.asarray((error - null.mean(0)) / (sd * np.sqrt(1 + 1 / len(null))), np.float32)


def threshold(draws: int) -> float:
    """|z| that 5 % of the errors exceed where noise explains them, for a null of `draws`."""
    return float(student.ppf((1 + LEVEL) / 2, draws - 1))


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What a display contains at each pixel and frame, in a Gaussian neighbourhood of 2 px."""

    values: dict[str, F32]
    """(frame, row, col) of each quantity."""


CONTRAST, MOTION, FREQUENCY = "contrast", "motion energy", "spatial frequency"


def content_of(video: F32) -> Content:
    """Local contrast, motion energy and spatial frequency of a (frame, row, col) display.

    contrast: standard deviation in grey levels. motion energy: RMS of the change from the frame
    before, in grey levels. spatial frequency: RMS frequency in cycles a pixel,
    √(mean |∇x|² / variance) / 2π; 0 where there is no contrast.
    """
    reach = (0, _NEIGHBOURHOOD_PX, _NEIGHBOURHOOD_PX)
    x = video.astype(np.float64)
    variance = np.maximum(gaussian_filter(x**2, reach) - gaussian_filter(x, reach) ** 2, 0)
    change = np.diff(x, axis=0, prepend=x[:1])
    slope = sum(np.gradient(x, axis=axis) ** 2 for axis in (1, 2))
    ratio = np.where(variance > 1, gaussian_filter(slope, reach) / np.maximum(variance, 1), 0)
    return Content(
        {
            CONTRAST: np.sqrt(variance).astype(np.float32),
            MOTION: np.sqrt(gaussian_filter(change**2, reach)).astype(np.float32),
            FREQUENCY: (np.sqrt(ratio) / (2 * np.pi)).astype(np.float32),
        }
    )


def bin_edges(
    contents: Sequence[Content], kept: Sequence[NDArray[np.bool_]], *, bins: int
) -> dict[str, list[float]]:
    """Edges of bins with equally many scored pixels of all clips, for each quantity."""
    shares = np.linspace(0, 1, bins + 1)[1:-1]
    return {
        name: np.quantile(
            np.concatenate([c.values[name][k] for c, k in zip(contents, kept, strict=True)]), shares
        ).tolist()
        for name in contents[0].values
    }


def binned(
    z: F32,
    content: Content,
    kept: NDArray[np.bool_],
    edges: dict[str, list[float]],
    *,
    limit: float,
) -> dict[str, list[float]]:
    """Fraction of |z| beyond `limit` in each bin of each quantity; NaN in an empty bin."""
    beyond = np.abs(z[kept]) > limit
    found = {}
    for name, inner in edges.items():
        place = np.digitize(content.values[name][kept], inner)
        count = np.bincount(place, minlength=len(inner) + 1)
        hits = np.bincount(place, weights=beyond, minlength=len(inner) + 1)
        found[name] = np.where(count, hits / np.maximum(count, 1), np.nan).tolist()
    return found


def over_frames(z: F32, kept: NDArray[np.bool_], *, limit: float) -> list[float]:
    """Fraction of scored pixels beyond `limit` in each frame; NaN in frames that are not scored."""
    found: list[float] = _fraction(np.abs(z) > limit, kept, axes=(1, 2))
    return found


def over_screen(z: F32, kept: NDArray[np.bool_], *, limit: float) -> list[list[float]]:
    """Fraction of scored frames beyond `limit` at each pixel; NaN outside the mask."""
    found: list[list[float]] = _fraction(np.abs(z) > limit, kept, axes=(0,))
    return found


def _fraction(beyond: NDArray[np.bool_], kept: NDArray[np.bool_], *, axes: tuple[int, ...]) -> Any:
    count = kept.sum(axes)
    hits = (beyond & kept).sum(axes)
    return np.where(count, np.round(hits / np.maximum(count, 1), 4), np.nan).tolist()
