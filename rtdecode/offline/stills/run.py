"""`rtdecode reconstruct` for sessions with still images.

Each trial is one image; `video_r` is the correlation pooled over all pixels inside the mask and
all trials, `per_clip` that of each image, and the interval is a bootstrap over trials of the
former. Everything is fitted to the trials of the tier train when the command runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.stills import TRAIN, StillSession
from rtdecode.datasets.video_session import Causality
from rtdecode.evaluate.metrics import bounding_box, frame_ssim, pearson_r
from rtdecode.offline.reconstruct import interval_of, made_here, twin_of
from rtdecode.offline.stills.likelihood import logged
from rtdecode.offline.stills.map_estimate import ITERATIONS, ImageMap, image_map
from rtdecode.offline.stills.ridge import ImageRidge, fit_image_ridge
from rtdecode.schema.errors import MissingOptionError, UnsuitedMethodError
from rtdecode.schema.interfaces import Clock
from rtdecode.twins.twin import Twin

F32 = NDArray[np.float32]

METHODS = ("mean", "ridge", "offline")
_BATCH = 32
_SEED = 0
_DRAWS = 2000
_NS_PER_S = 1e9


class ImageMethod(Protocol):
    """Gives images for trials."""

    @property
    def iterations(self) -> int:
        """Passes of a twin for each image."""
        ...

    def images(self, activity: F32) -> F32:
        """(trial, pixel) or (trial, row, col) grey levels from (trial, neuron) activity."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class MeanImage:
    """The mean training image, whatever the neurons say."""

    image: F32
    iterations: int = 0

    def images(self, activity: F32) -> F32:
        return np.repeat(self.image[None], len(activity), axis=0)


@dataclass(frozen=True, slots=True, eq=False)
class LinearImages:
    """Ridge regression."""

    ridge: ImageRidge
    iterations: int = 0

    def images(self, activity: F32) -> F32:
        return self.ridge.images(activity)


@dataclass(frozen=True, slots=True, eq=False)
class MapImages:
    """The twin's inversion."""

    inversion: ImageMap
    iterations: int

    def images(self, activity: F32) -> F32:
        return self.inversion.images(activity, iterations=self.iterations)


def reconstruct_stills(
    data: Path,
    out: Path,
    *,
    tier: str,
    method: str,
    twins: tuple[Path, ...],
    iterations: int | None,
    mask: Callable[[tuple[int, int]], NDArray[np.bool_]],
    clock: Clock,
    report: Callable[[int, int, float], None],
) -> dict[str, Any]:
    """Reconstruct and score the images of a tier; writes `<trial>.npy`, (1, row, col) grey levels.

    Parameters
    ----------
    data, out, tier, method, twins, iterations
        As `rtdecode reconstruct` takes them.
    mask
        Gives the scored pixels of a screen of so many rows and columns.
    report
        Told the trials done, their number, and the correlation of the last ones.

    Raises
    ------
    UnsuitedMethodError, MissingOptionError, NeuronCountError
        If the method is one for videos, or there is no twin or one of other neurons.
    """
    if method not in METHODS:
        raise UnsuitedMethodError(method=method, suited=METHODS, data=data)
    session = StillSession(data)
    chosen, scored = session.trials(tier), mask((session.rows_px, session.cols_px))
    way = _method(session, method=method, twins=twins, iterations=iterations)
    out.mkdir(parents=True, exist_ok=True)
    begun_ns, parts = clock.now_ns(), []
    for first in range(0, len(chosen), _BATCH):
        now = chosen[first : first + _BATCH]
        found = way.images(session.activity_sd[now]).reshape(-1, session.rows_px, session.cols_px)
        for trial, image in zip(now, found, strict=True):
            np.save(out / f"{trial}.npy", image[None].astype(np.float32))
        parts.append(found)
        r = pearson_r(session.images[now][:, scored], found[:, scored])
        report(min(first + _BATCH, len(chosen)), len(chosen), r)
    seconds = (clock.now_ns() - begun_ns) / _NS_PER_S
    return {
        **image_scores(session.images[chosen], np.concatenate(parts), scored),
        "twin_passes_per_frame": float(way.iterations),
        "seconds_per_frame": seconds / len(chosen),
        "method": method,
        "lag_frames": None,
        "steps": way.iterations,
        "causality": Causality.AS_PUBLISHED.value,
        "neurons": session.neurons,
        **made_here(),
    }


def image_scores(truth: F32, found: F32, mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Metrics of (image, row, col) grey levels as `summary.json` holds them."""
    each = [pearson_r(a[mask], b[mask]) for a, b in zip(truth, found, strict=True)]
    box = bounding_box(mask)
    alike = [frame_ssim(a[box], b[box]) for a, b in zip(truth, found, strict=True)]
    a, b = truth[:, mask].astype(np.float64), found[:, mask].astype(np.float64)
    rng = np.random.default_rng(_SEED)
    sums = np.stack([x.mean(1) for x in (a, b, a * a, b * b, a * b)])
    draws = [_pooled_r(sums[:, rng.integers(0, len(a), len(a))]) for _ in range(_DRAWS)]
    low, high = np.percentile(draws, [2.5, 97.5])
    pooled = {"mean": pearson_r(a, b), "ci95": [float(low), float(high)], "per_clip": each}
    nothing = {"mean": None, "ci95": [None, None], "per_clip": []}
    return {
        "video_r": pooled,
        "frame_r": interval_of(each),
        "ssim": interval_of(alike),
        "shift_ms": nothing,
    }


def _pooled_r(means: NDArray[np.float64]) -> float:
    """Correlation over images of which the means of a, b, a squared, b squared, a b are given."""
    of_a, of_b, aa, bb, ab = (float(mean) for mean in means.mean(1))
    spread = (aa - of_a**2) * (bb - of_b**2)
    return (ab - of_a * of_b) / spread**0.5 if spread > 0 else 0.0


def _method(
    session: StillSession,
    *,
    method: str,
    twins: tuple[Path, ...],
    iterations: int | None,
) -> ImageMethod:
    train = session.trials(TRAIN)
    images = session.images[train].reshape(len(train), -1)
    activity = session.activity_sd[train]
    rng = np.random.default_rng(_SEED)
    if method == "mean":
        return MeanImage(images.mean(0))
    if method == "ridge":
        return LinearImages(fit_image_ridge(activity, images, rng=rng))
    twin = _one_twin(twins, neurons=session.neurons)
    ridge = fit_image_ridge(logged(activity), images, rng=rng)
    inversion = image_map(twin, ridge, images=images, activity=activity)
    return MapImages(inversion, ITERATIONS if iterations is None else iterations)


def _one_twin(twins: tuple[Path, ...], *, neurons: int) -> Twin:
    if len(twins) != 1:
        raise MissingOptionError(option="one --twin", needed_for="--method offline on still images")
    return twin_of(twins[0], neurons=neurons)
