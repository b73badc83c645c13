"""Features of a linear decoder: recent activity, scaled, and averaged over bins of frames.

A frame emitted at lag L is decoded from activity up to L frames after it, averaged over bins of
three frames. Neurons are scaled to unit variance; where there are too many for the normal equations
their leading principal components are used.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from rtdecode.datasets.video_session import TRAIN, Segment, VideoSession, segments
from rtdecode.schema.work import UNSEEN, Work

F32 = NDArray[np.float32]

BIN_FRAMES = 3
FEWEST_BINS = 4
_LATEST_DELAY = 14
_EARLIEST_DELAY = -3
_MOST_FEATURES = 12_000
_SILENT_SD = 1e-5


class Transform(StrEnum):
    """Function of the activity that a linear decoder starts from."""

    NONE = "none"
    SQRT = "sqrt"
    """Square root, which makes the variance of counts even (Bartlett 1936)."""

    def of(self, responses: F32) -> F32:
        """`responses` (frame, neuron), transformed; NaN stays NaN."""
        return responses if self is Transform.NONE else np.sqrt(np.maximum(responses, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """The map from activity to the features of a linear decoder."""

    transform: Transform
    mean_activity: F32
    """(neuron,) of transformed activity."""
    projection: F32
    """(neuron, component): division by the SD, or the leading principal components after it."""

    def of(self, responses: F32, lag_frames: int) -> F32:
        """(frame, bin x component) features of each decoded frame.

        `responses` is (frame, neuron); activity before the first frame and after the last, and
        that of neurons that were not measured (NaN), is replaced by the mean.
        """
        scaled = np.nan_to_num(self.transform.of(responses) - self.mean_activity) @ self.projection
        return binned(scaled, lag_frames)


def delay_bins(lag_frames: int) -> list[tuple[int, int]]:
    """Bins (first, last) of activity, in frames after the decoded frame; the latest bin first.

    No bin extends beyond the lag, which makes the decoder causal, or beyond 14 frames, after which
    activity no longer depends on the frame.
    """
    last = min(lag_frames, _LATEST_DELAY)
    bins: list[tuple[int, int]] = []
    while last - BIN_FRAMES + 1 >= _EARLIEST_DELAY or len(bins) < FEWEST_BINS:
        bins.append((last - BIN_FRAMES + 1, last))
        last -= BIN_FRAMES
    return bins


def binned(values: F32, lag_frames: int) -> F32:
    """(frame, bin x column) means of (frame, column) values over the bins of each frame."""
    frames = len(values)
    sums = np.concatenate([np.zeros_like(values[:1]), values.cumsum(0, dtype=np.float64)])
    at = np.arange(frames)
    parts = [
        sums[np.clip(at + last + 1, 0, frames)] - sums[np.clip(at + first, 0, frames)]
        for first, last in delay_bins(lag_frames)
    ]
    return (np.concatenate(parts, 1) / BIN_FRAMES).astype(np.float32)


def training_segments(data: VideoSession, work: Work, part: str) -> Iterator[Segment]:
    """The training trials, each a round of `part`."""
    return work.rounds(part, segments(data, TRAIN), total=len(data.trials(TRAIN)))


def fit_features(data: VideoSession, transform: Transform, work: Work = UNSEEN) -> Features:
    """Mean and scale of each neuron's transformed activity; principal components for many."""
    total, square, measured = (np.zeros(data.neurons) for _ in range(3))
    for segment in training_segments(data, work, "mean activity"):
        responses = transform.of(segment.responses)
        total += np.nansum(responses, 0, dtype=np.float64)
        square += np.nansum(np.square(responses, dtype=np.float64), 0)
        measured += segment.measured.sum(0)
    measured = np.maximum(measured, 1)
    mean = total / measured
    sd = np.sqrt(np.maximum(square / measured - mean**2, 1e-12))
    most = _MOST_FEATURES // FEWEST_BINS
    scale = np.where(sd > _SILENT_SD, 1 / sd, 0)
    if data.neurons <= most:
        projection = np.diag(scale).astype(np.float32)
    else:
        projection = _principal_components(data, transform, mean, scale, count=most, work=work)
    return Features(transform, mean.astype(np.float32), projection)


def _principal_components(
    data: VideoSession,
    transform: Transform,
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    *,
    count: int,
    work: Work,
) -> F32:
    covariance = np.zeros((data.neurons, data.neurons), np.float32)
    for segment in training_segments(data, work, "principal components"):
        centred = transform.of(segment.responses) - mean
        scaled = np.nan_to_num(centred * scale).astype(np.float32)[::BIN_FRAMES]
        covariance += scaled.T @ scaled
    _, vectors = np.linalg.eigh(covariance)
    return np.asarray(scale[:, None] * vectors[:, -count:], np.float32)


def ridge_weights(gram: F32, cross: F32, *, penalty: float) -> F32:
    """(feature, pixel) W = (X'X + penalty I)^-1 X'Y, the penalty in units of a feature's variance.

    Parameters
    ----------
    gram
        (feature, feature) X'X, of which the lower triangle is read.
    cross
        (feature, pixel) X'Y.
    penalty
        In units of the mean of the diagonal of X'X.
    """
    # LAPACK works on columns, and in place
    penalised = gram.copy(order="F")
    unit = float(np.trace(gram)) / len(gram)
    penalised[np.diag_indices_from(gram)] += np.float32(penalty * unit)
    factor = cho_factor(penalised, lower=True, overwrite_a=True, check_finite=False)
    return np.asarray(cho_solve(factor, cross, check_finite=False), np.float32)
