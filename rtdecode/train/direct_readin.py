"""The linear maps of a direct decoder, cross-fitted so that its network can be trained behind them.

Linear estimates of the trials to which a linear decoder was fitted are better than those of other
trials, and a network trained on them would trust them too much. Each training trial is therefore
estimated by maps that were fitted to other training trials (stacked generalization, Wolpert 1992,
10.1016/S0893-6080(05)80023-1); new trials are estimated by maps fitted to all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import ssyrk

from rtdecode.datasets.video_session import TRAIN, VALIDATION, Segment, VideoSession, segments
from rtdecode.evaluate.metrics import FIRST_SCORED_FRAME, pearson_r
from rtdecode.offline.direct import Readin, half_size
from rtdecode.offline.linear_features import (
    FEWEST_BINS,
    Features,
    Transform,
    delay_bins,
    fit_features,
    ridge_weights,
)
from rtdecode.offline.ridge import PENALTIES
from rtdecode.schema.work import Work

F32 = NDArray[np.float32]

PARTS = 4
"""Parts of the training trials; each is estimated by maps fitted to the others."""
_EVERY_FRAME = 3
"""Every third frame is fitted, as neighbouring frames are nearly identical."""


@dataclass(frozen=True, slots=True, eq=False)
class CrossFit:
    """Linear maps for new trials, and for each training trial those fitted to other trials."""

    readin: Readin
    parts: Sequence[Readin]
    penalty: float
    """In units of the mean variance of a feature."""

    def of_training_trial(self, place: int) -> Readin:
        """The maps for the training trial at `place` among the training trials."""
        return self.parts[place % len(self.parts)]


def cross_fit(
    data: VideoSession,
    *,
    mean_frame: F32,
    contrast: float,
    lag_frames: int,
    transform: Transform,
    work: Work,
) -> CrossFit:
    """Fit the linear maps of a session; validation trials choose the penalty.

    Parameters
    ----------
    mean_frame, contrast
        (row, col) mean of the training frames and SD about it, in grey levels.
    lag_frames
        Frames between the decoded frame and the newest activity.
    transform
        Function of the activity.
    work
        Receives the parts of the work.
    """
    design = _Design(fit_features(data, transform, work), mean_frame, contrast, lag_frames)
    trials = data.trials(TRAIN)
    parts = min(PARTS, len(trials))
    sums = [
        _sums(data, trials[part::parts], design)
        for part in work.rounds("activity against video", range(parts), total=parts)
    ]
    whole = reduce(add, sums)
    penalty, weights = _chosen(whole, data, design, work)
    of_parts = [
        (whole - own).solved(penalty) if parts > 1 else weights
        for own in work.rounds("fitting to parts of the trials", sums, total=parts)
    ]
    return CrossFit(design.readin(weights), [design.readin(one) for one in of_parts], penalty)


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Normal equations of a linear fit."""

    gram: F32
    """(feature, feature) lower triangle of X'X."""
    cross: F32
    """(feature, pixel) X'Y."""

    def __add__(self, other: "_Sums") -> "_Sums":
        return _Sums(self.gram + other.gram, self.cross + other.cross)

    def __sub__(self, other: "_Sums") -> "_Sums":
        return _Sums(self.gram - other.gram, self.cross - other.cross)

    def solved(self, penalty: float) -> F32:
        """(feature, pixel) weights, with the penalty in units of the mean variance of a feature."""
        return ridge_weights(self.gram, self.cross, penalty=penalty)


@dataclass(frozen=True, slots=True, eq=False)
class _Design:
    """Features and targets of the linear fit."""

    features: Features
    mean_frame: F32
    contrast: float
    lag_frames: int

    def of(self, cut: Segment, kept: slice) -> tuple[F32, F32]:
        """(frame, feature) X and (frame, pixel) Y of the frames `kept` of a trial."""
        x = self.features.of(cut.responses, self.lag_frames)[kept]
        y = half_size((cut.video[kept] - self.mean_frame) / np.float32(self.contrast))
        return x, y.reshape(len(x), -1)

    def readin(self, weights: F32) -> Readin:
        """The linear maps of (feature, pixel) `weights`, for each neuron."""
        components = self.features.projection.shape[1]
        bins = weights.reshape(-1, components, weights.shape[1])
        of_neurons = np.stack([self.features.projection @ one for one in bins])
        size = half_size(self.mean_frame[None]).shape[1:]
        maps = of_neurons.reshape(*of_neurons.shape[:2], *size)
        return Readin(self.features.transform, self.features.mean_activity, maps)


def _sums(data: VideoSession, trials: Sequence[int], design: _Design) -> _Sums:
    features = len(delay_bins(design.lag_frames)) * design.features.projection.shape[1]
    gram = np.zeros((features, features), np.float32, order="F")
    cross = np.zeros((features, half_size(design.mean_frame[None]).size), np.float32)
    for number in trials:
        cut = data.segment(number)
        first = _EVERY_FRAME * FEWEST_BINS
        kept = slice(first, len(cut.video) - design.lag_frames, _EVERY_FRAME)
        x, y = design.of(cut, kept)
        # the triangle alone, in place: half the products, and no second matrix
        gram = ssyrk(1.0, x.T, beta=1.0, c=gram, lower=1, overwrite_c=1)
        cross += x.T @ y
    return _Sums(gram, cross)


def _chosen(sums: _Sums, data: VideoSession, design: _Design, work: Work) -> tuple[float, F32]:
    """The penalty with the highest correlation on validation trials, and its weights."""
    held_out = [
        design.of(cut, slice(FIRST_SCORED_FRAME, len(cut.video) - design.lag_frames, _EVERY_FRAME))
        for cut in segments(data, VALIDATION)
    ]
    tried: list[tuple[float, float, F32]] = []
    for penalty in work.rounds("trying penalties", PENALTIES, total=len(PENALTIES)):
        weights = sums.solved(penalty)
        r = float(np.mean([pearson_r(y, x @ weights) for x, y in held_out]))
        tried = [*tried[-1:], (r, penalty, weights)]
        if len(tried) > 1 and r < tried[0][0]:
            break
    _, penalty, weights = max(tried, key=lambda one: one[0])
    return penalty, weights
