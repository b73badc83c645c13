"""The linear baseline: ridge regression from recent activity to the pixels of a frame.

A frame emitted at lag L is decoded from activity up to L frames after it, averaged over bins of
three frames. The weights are W = (X'X + penalty I)^-1 X'Y for features X and frames Y, both
centred; the penalty is the one with the highest correlation on validation trials.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from scipy.linalg import cho_factor, cho_solve

from rtdecode.datasets.video_session import TRAIN, VALIDATION, Segment, VideoSession, segments
from rtdecode.evaluate.fit_checks import (
    CHANCE_SHIFTS,
    chance_warning,
    clip_warning,
    edge_warning,
    warnings,
)
from rtdecode.evaluate.metrics import FIRST_SCORED_FRAME, pearson_r
from rtdecode.runtime.atomic_file import written_atomically
from rtdecode.schema.errors import MissingFileError, UnreadableFileError
from rtdecode.schema.work import UNSEEN, Work

F32 = NDArray[np.float32]


def mean_frame_of(data: VideoSession, work: Work = UNSEEN) -> F32:
    """(row, col) mean of all training frames in grey levels."""
    total, frames = np.zeros((data.rows_px, data.cols_px)), 0
    trials = data.trials(TRAIN)
    for number in work.rounds("mean frame", trials, total=len(trials)):
        video = data.video(number)
        total += video.sum(0, dtype=np.float64)
        frames += len(video)
    return (total / frames).astype(np.float32)


FILE = "ridge.safetensors"
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""In units of the mean variance of a feature."""
_BIN_FRAMES = 3
_LATEST_DELAY = 14
_EARLIEST_DELAY = -3
_FEWEST_BINS = 4
_MOST_FEATURES = 12_000
_SILENT_SD = 1e-5
_EVERY_FRAME = 2
"""Every second frame is fitted, as neighbouring frames are nearly identical."""


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """A fitted linear decoder for one lag."""

    lag_frames: int
    penalty: float
    mean_frame: F32
    """(row, col) grey levels."""
    mean_activity: F32
    """(neuron,) in the units of the responses."""
    projection: F32
    """(neuron, component): division by the SD, or the leading principal components after it."""
    weights: F32
    """(bin x component, pixel) in grey levels."""

    def video(self, responses: F32) -> F32:
        """(frame, row, col) grey levels; NaN for the last `lag_frames` frames.

        `responses` is (frame, neuron). Activity before the first frame, and that of neurons that
        were not measured (NaN), is replaced by the mean.
        """
        emitted = len(responses) - self.lag_frames
        shape = (len(responses), *self.mean_frame.shape)
        video = np.full(shape, np.nan, np.float32)
        if emitted > 0:
            features = _features(responses, self.mean_activity, self.projection, self.lag_frames)
            decoded = (features[:emitted] @ self.weights).reshape(emitted, *self.mean_frame.shape)
            video[:emitted] = np.clip(self.mean_frame + decoded, 0, 255)
        return video

    def save(self, folder: Path) -> None:
        """Write into `folder`, made if it is not there; a kill leaves no half of a file."""
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}
        metadata = {"lag_frames": str(self.lag_frames), "penalty": str(self.penalty)}
        with written_atomically(folder / FILE) as unfinished:
            save_file(arrays, unfinished, metadata=metadata)

    @classmethod
    def load(cls, folder: Path) -> "Ridge":
        """Read what `save` wrote; MissingFileError or UnreadableFileError if that is impossible."""
        path = folder / FILE
        if not path.is_file():
            raise MissingFileError(
                what="ridge decoder", path=path, remedy="make one with `rtdecode fit ridge`"
            )
        try:
            with safe_open(path, framework="np") as file:
                arrays = {name: file.get_tensor(name) for name in _ARRAYS}
                metadata = file.metadata()
            return cls(int(metadata["lag_frames"]), float(metadata["penalty"]), **arrays)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise UnreadableFileError(
                what="ridge decoder",
                path=path,
                expected="a decoder written by `rtdecode fit ridge`",
                got=str(error),
            ) from error


_ARRAYS = ("mean_frame", "mean_activity", "projection", "weights")


def fit_ridge(
    data: VideoSession,
    *,
    lag_frames: int,
    report: Callable[[float, float], None] = lambda _penalty, _r: None,
    work: Work = UNSEEN,
) -> Ridge:
    """Fit the linear decoder of a session.

    Penalties are tried in ascending order until the validation correlation decreases.

    Parameters
    ----------
    data
        A session with training and validation trials.
    lag_frames
        Frames between the decoded frame and the newest activity.
    report
        Called with each penalty and its mean correlation on the validation trials.
    work
        Receives each trial that is read, and each penalty that is tried, as a round.
    """
    mean_frame = mean_frame_of(data, work)
    mean_activity, projection = _projection(data, work)
    gram, cross = _sums(data, mean_frame, mean_activity, projection, lag_frames, work=work)
    unit = float(np.trace(gram)) / len(gram)
    candidates: list[tuple[float, Ridge]] = []
    for penalty in work.rounds("trying penalties", PENALTIES, total=len(PENALTIES)):
        penalised = gram.copy()
        penalised[np.diag_indices_from(gram)] += np.float32(penalty * unit)
        factor = cho_factor(penalised, lower=True, overwrite_a=True, check_finite=False)
        weights = cho_solve(factor, cross, check_finite=False).astype(np.float32)
        ridge = Ridge(lag_frames, penalty, mean_frame, mean_activity, projection, weights)
        r = _validation_r(ridge, data)
        report(penalty, r)
        candidates = [*candidates[-1:], (r, ridge)]
        if len(candidates) > 1 and r < candidates[0][0]:
            break
    return max(candidates, key=lambda candidate: candidate[0])[1]


def delay_bins(lag_frames: int) -> list[tuple[int, int]]:
    """Bins (first, last) of activity, in frames after the decoded frame; the latest bin first.

    No bin extends beyond the lag, which makes the decoder causal, or beyond 14 frames, after which
    activity no longer depends on the frame.
    """
    last = min(lag_frames, _LATEST_DELAY)
    bins: list[tuple[int, int]] = []
    while last - _BIN_FRAMES + 1 >= _EARLIEST_DELAY or len(bins) < _FEWEST_BINS:
        bins.append((last - _BIN_FRAMES + 1, last))
        last -= _BIN_FRAMES
    return bins


def _features(responses: F32, mean: F32, projection: F32, lag_frames: int) -> F32:
    """(frame, bin x component) features of each decoded frame."""
    projected = np.nan_to_num(responses - mean) @ projection
    frames = len(projected)
    sums = np.concatenate([np.zeros_like(projected[:1]), projected.cumsum(0, dtype=np.float64)])
    at = np.arange(frames)
    parts = [
        sums[np.clip(at + last + 1, 0, frames)] - sums[np.clip(at + first, 0, frames)]
        for first, last in delay_bins(lag_frames)
    ]
    return (np.concatenate(parts, 1) / _BIN_FRAMES).astype(np.float32)


def _training_segments(data: VideoSession, work: Work, part: str) -> Iterator[Segment]:
    """The training trials, each a round of `part`."""
    return work.rounds(part, segments(data, TRAIN), total=len(data.trials(TRAIN)))


def _projection(data: VideoSession, work: Work) -> tuple[F32, F32]:
    """(neuron,) mean and (neuron, component) scaling; principal components for many neurons."""
    total, square, measured = (np.zeros(data.neurons) for _ in range(3))
    for segment in _training_segments(data, work, "mean activity"):
        total += np.nansum(segment.responses, 0, dtype=np.float64)
        square += np.nansum(np.square(segment.responses, dtype=np.float64), 0)
        measured += segment.measured.sum(0)
    measured = np.maximum(measured, 1)
    mean = total / measured
    sd = np.sqrt(np.maximum(square / measured - mean**2, 1e-12))
    most = _MOST_FEATURES // _FEWEST_BINS
    scale = np.where(sd > _SILENT_SD, 1 / sd, 0)
    if data.neurons <= most:
        return mean.astype(np.float32), np.diag(scale).astype(np.float32)
    return mean.astype(np.float32), _principal_components(data, mean, scale, most, work)


def _principal_components(
    data: VideoSession,
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    count: int,
    work: Work,
) -> F32:
    covariance = np.zeros((data.neurons, data.neurons), np.float32)
    for segment in _training_segments(data, work, "principal components"):
        scaled = np.nan_to_num((segment.responses - mean) * scale).astype(np.float32)[::_BIN_FRAMES]
        covariance += scaled.T @ scaled
    _, vectors = np.linalg.eigh(covariance)
    return np.asarray(scale[:, None] * vectors[:, -count:], np.float32)


def _sums(
    data: VideoSession,
    mean_frame: F32,
    mean_activity: F32,
    projection: F32,
    lag_frames: int,
    *,
    work: Work,
) -> tuple[F32, F32]:
    size = len(delay_bins(lag_frames)) * projection.shape[1]
    gram = np.zeros((size, size), np.float32)
    cross = np.zeros((size, mean_frame.size), np.float32)
    for segment in _training_segments(data, work, "activity against video"):
        features = _features(segment.responses, mean_activity, projection, lag_frames)
        kept = np.s_[_EVERY_FRAME * _FEWEST_BINS : len(features) - lag_frames : _EVERY_FRAME]
        frames = (segment.video - mean_frame).reshape(len(features), -1)
        gram += features[kept].T @ features[kept]
        cross += features[kept].T @ frames[kept]
    return gram, cross


def _validation_r(ridge: Ridge, data: VideoSession) -> float:
    return float(np.mean([_trial_r(ridge, cut) for cut in segments(data, VALIDATION)]))


def clips_warned_of(data: VideoSession) -> str | None:
    """A sentence where the session has too few training clips."""
    trials = data.trials(TRAIN)
    clip_s = float(np.mean([data.frames(number) for number in trials])) / data.frame_rate_hz
    return clip_warning(len(trials), clip_s=clip_s)


def ridge_warnings(
    ridge: Ridge, data: VideoSession, tried: Sequence[tuple[float, float]]
) -> Iterator[str]:
    """What the decoder should not be relied on for; `tried` are penalties with their r."""
    return warnings(
        clips_warned_of(data),
        edge_warning(ridge.penalty, [penalty for penalty, _ in tried], PENALTIES),
        chance_warning(
            dict(tried)[ridge.penalty],
            validation_r_by_chance(ridge, data),
            what="the decoded video of validation trials",
            remedy="check that the frame times fit the scans",
        ),
    )


def validation_r_by_chance(ridge: Ridge, data: VideoSession) -> list[float]:
    """Mean correlation on the validation trials with video that is shifted in time, by shift."""
    shifts = [k / (CHANCE_SHIFTS + 1) for k in range(1, CHANCE_SHIFTS + 1)]
    of_trial = []
    for cut in segments(data, VALIDATION):
        video, decoded = _scored_frames(ridge, cut)
        moved = (np.roll(video, round(part * len(video)), 0) for part in shifts)
        of_trial.append([pearson_r(one, decoded) for one in moved])
    return [float(r) for r in np.mean(of_trial, 0)]


def _trial_r(ridge: Ridge, cut: Segment) -> float:
    return pearson_r(*_scored_frames(ridge, cut))


def _scored_frames(ridge: Ridge, cut: Segment) -> tuple[F32, F32]:
    """Displayed and decoded frames of a trial, without those that are not scored."""
    scored = np.s_[FIRST_SCORED_FRAME : len(cut.video) - ridge.lag_frames]
    return cut.video[scored], ridge.video(cut.responses)[scored]
