"""`rtdecode reconstruct` for sessions with still images.

Each trial is one image; `video_r` is the correlation pooled over all scored pixels and all trials,
with a bootstrap interval over trials, and `per_clip` holds the correlation of each image. Decoders
are fitted to the trials of the tier `train` when the command runs.
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
from rtdecode.offline.job import NS_PER_S, Request, interval_of, provenance
from rtdecode.offline.screen_masks import scoring_mask
from rtdecode.offline.stills.likelihood import logged
from rtdecode.offline.stills.map_estimate import ITERATIONS, ImageMap, image_map
from rtdecode.offline.stills.ridge import ImageRidge, fit_image_ridge
from rtdecode.offline.trial import Input
from rtdecode.schema.errors import (
    MissingOptionError,
    SessionNeuronsError,
    UnsuitedMethodError,
    UnsuitedOptionError,
)
from rtdecode.schema.interfaces import Clock
from rtdecode.twins.folder import load_twin
from rtdecode.twins.twin import Twin

F32 = NDArray[np.float32]

METHODS = ("mean", "ridge", "offline")
_BATCH = 32
_SEED = 0
_DRAWS = 2000


class ImageMethod(Protocol):
    """A method that reconstructs the image of a trial from its activity."""

    @property
    def iterations(self) -> int:
        """Forward and backward passes through a twin for each image."""
        ...

    def images(self, activity: F32) -> F32:
        """(trial, pixel) or (trial, row, col) grey levels from (trial, neuron) activity."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class MeanImage:
    """Baseline: the mean training image, independent of activity."""

    image: F32
    iterations: int = 0

    def images(self, activity: F32) -> F32:
        return np.repeat(self.image[None], len(activity), axis=0)


@dataclass(frozen=True, slots=True, eq=False)
class LinearImages:
    """Baseline: ridge regression from activity to pixels."""

    ridge: ImageRidge
    iterations: int = 0

    def images(self, activity: F32) -> F32:
        return self.ridge.images(activity)


@dataclass(frozen=True, slots=True, eq=False)
class MapImages:
    """MAP inversion of a twin."""

    inversion: ImageMap
    iterations: int

    def images(self, activity: F32) -> F32:
        return self.inversion.images(activity, iterations=self.iterations)


def reconstruct_stills(
    request: Request, *, clock: Clock, report: Callable[[int, int, float], None]
) -> dict[str, Any]:
    """Reconstruct and score the images of a tier; writes `<trial>.npy`, (1, row, col) grey levels.

    Parameters
    ----------
    request
        As for `rtdecode.offline.reconstruct.reconstruct`, without the options of videos.
    clock
        Measures the duration.
    report
        Called with the trials done, their total, and the correlation of the last batch.

    Returns
    -------
    The content of `summary.json`.

    Raises
    ------
    UnsuitedMethodError, UnsuitedOptionError
        If method or options apply to videos only.
    MissingOptionError, SessionNeuronsError
        If the method needs one twin and there is none, or one of another number of neurons.
    """
    _check_suited(request)
    session = StillSession(request.data)
    chosen = session.trials(request.tier)
    scored = scoring_mask(session, request.mask, request.twins)
    method = _method(session, request)
    request.out.mkdir(parents=True, exist_ok=True)
    begun_ns, parts = clock.now_ns(), []
    for first in range(0, len(chosen), _BATCH):
        now = chosen[first : first + _BATCH]
        found = method.images(session.activity_sd[now]).reshape(
            -1, session.rows_px, session.cols_px
        )
        for trial, image in zip(now, found, strict=True):
            np.save(request.out / f"{trial}.npy", image[None].astype(np.float32))
        parts.append(found)
        r = pearson_r(session.images[now][:, scored], found[:, scored])
        report(min(first + _BATCH, len(chosen)), len(chosen), r)
    seconds = (clock.now_ns() - begun_ns) / NS_PER_S
    return {
        **image_scores(session.images[chosen], np.concatenate(parts), scored),
        "twin_passes_per_frame": float(method.iterations),
        "seconds_per_frame": seconds / len(chosen),
        "method": request.method,
        "lag_frames": None,
        "steps": method.iterations,
        "causality": Causality.AS_PUBLISHED.value,
        "neurons": session.neurons,
        **provenance(),
    }


def image_scores(truth: F32, found: F32, mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Metrics of (image, row, col) grey levels against the ground truth, as in `summary.json`."""
    each = [pearson_r(a[mask], b[mask]) for a, b in zip(truth, found, strict=True)]
    box = bounding_box(mask)
    similar = [frame_ssim(a[box], b[box]) for a, b in zip(truth, found, strict=True)]
    a, b = truth[:, mask].astype(np.float64), found[:, mask].astype(np.float64)
    rng = np.random.default_rng(_SEED)
    sums = np.stack([x.mean(1) for x in (a, b, a * a, b * b, a * b)])
    draws = [_pooled_r(sums[:, rng.integers(0, len(a), len(a))]) for _ in range(_DRAWS)]
    low, high = np.percentile(draws, [2.5, 97.5])
    pooled = {"mean": pearson_r(a, b), "ci95": [float(low), float(high)], "per_clip": each}
    undefined = {"mean": None, "ci95": [None, None], "per_clip": []}
    return {
        "video_r": pooled,
        "frame_r": interval_of(each),
        "ssim": interval_of(similar),
        "shift_ms": undefined,
    }


def _pooled_r(means: NDArray[np.float64]) -> float:
    """Pearson r over images, from (5, image) means of a, b, a^2, b^2 and a b over pixels."""
    of_a, of_b, aa, bb, ab = (float(mean) for mean in means.mean(1))
    spread = (aa - of_a**2) * (bb - of_b**2)
    return (ab - of_a * of_b) / spread**0.5 if spread > 0 else 0.0


def _check_suited(request: Request) -> None:
    if request.method not in METHODS:
        raise UnsuitedMethodError(method=request.method, suited=METHODS, data=request.data)
    if request.ridge is not None:
        instead = "leave it out, --method ridge fits its own decoder"
        raise UnsuitedOptionError(option="--ridge", data=request.data, instead=instead)
    if request.source != Input.RESPONSES:
        option = f"--input {request.source}"
        instead = "each neuron has one value for each image, use --input responses"
        raise UnsuitedOptionError(option=option, data=request.data, instead=instead)


def _method(session: StillSession, request: Request) -> ImageMethod:
    train = session.trials(TRAIN)
    images = session.images[train].reshape(len(train), -1)
    activity = session.activity_sd[train]
    rng = np.random.default_rng(_SEED)
    if request.method == "mean":
        return MeanImage(images.mean(0))
    if request.method == "ridge":
        return LinearImages(fit_image_ridge(activity, images, rng=rng))
    twin = _one_twin(request.twins, session)
    ridge = fit_image_ridge(logged(activity), images, rng=rng)
    inversion = image_map(twin, ridge, images=images, activity=activity)
    return MapImages(inversion, ITERATIONS if request.iterations is None else request.iterations)


def _one_twin(twins: tuple[Path, ...], session: StillSession) -> Twin:
    if len(twins) != 1:
        raise MissingOptionError(option="one --twin", needed_for="--method offline on still images")
    twin = load_twin(twins[0])
    if twin.spec.neurons != session.neurons:
        raise SessionNeuronsError(
            folder=twins[0],
            trained=twin.spec.neurons,
            session=session.folder,
            recorded=session.neurons,
        )
    return twin
