"""The linear baseline: ridge regression from recent activity to the pixels of a frame.

A frame emitted at lag L is decoded from activity up to L frames after it, averaged over bins of
three frames (`linear_features`). The weights are W = (X'X + penalty I)^-1 X'Y for features X and
frames Y, both centred; the penalty is the one with the highest correlation on validation trials.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from rtdecode.datasets.video_session import TRAIN, VALIDATION, Segment, VideoSession, segments
from rtdecode.evaluate.fit_checks import (
    CHANCE_SHIFTS,
    chance_warning,
    clip_warning,
    edge_warning,
    warnings,
)
from rtdecode.evaluate.metrics import FIRST_SCORED_FRAME, pearson_r
from rtdecode.offline.linear_features import (
    FEWEST_BINS,
    Features,
    Transform,
    delay_bins,
    fit_features,
    ridge_weights,
    training_segments,
)
from rtdecode.schema.atomic_file import written_atomically
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
_EVERY_FRAME = 2
"""Every second frame is fitted, as neighbouring frames are nearly identical."""


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """A fitted linear decoder for one lag."""

    lag_frames: int
    penalty: float
    mean_frame: F32
    """(row, col) grey levels."""
    features: Features
    weights: F32
    """(bin x component, pixel) in grey levels."""

    def video(self, responses: F32) -> F32:
        """(frame, row, col) grey levels; NaN for the last `lag_frames` frames.

        `responses` is (frame, neuron) as recorded, NaN where a neuron was not measured.
        """
        emitted = len(responses) - self.lag_frames
        shape = (len(responses), *self.mean_frame.shape)
        video = np.full(shape, np.nan, np.float32)
        if emitted > 0:
            features = self.features.of(responses, self.lag_frames)
            decoded = (features[:emitted] @ self.weights).reshape(emitted, *self.mean_frame.shape)
            video[:emitted] = np.clip(self.mean_frame + decoded, 0, 255)
        return video

    def save(self, folder: Path) -> None:
        """Write into `folder`, made if it is not there; a kill leaves no half of a file."""
        found = {
            "mean_frame": self.mean_frame,
            "mean_activity": self.features.mean_activity,
            "projection": self.features.projection,
            "weights": self.weights,
        }
        arrays = {name: np.ascontiguousarray(array) for name, array in found.items()}
        metadata = {
            "lag_frames": str(self.lag_frames),
            "penalty": str(self.penalty),
            "transform": self.features.transform.value,
        }
        with written_atomically(folder / FILE) as unfinished:
            unfinished.write_bytes(save(arrays, metadata))

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
            # the first files have no transform
            features = Features(
                Transform(metadata.get("transform", Transform.NONE)),
                arrays["mean_activity"],
                arrays["projection"],
            )
            return cls(
                int(metadata["lag_frames"]),
                float(metadata["penalty"]),
                arrays["mean_frame"],
                features,
                arrays["weights"],
            )
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
    transform: Transform = Transform.NONE,
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
    transform
        Function of the activity that is decoded.
    report
        Called with each penalty and its mean correlation on the validation trials.
    work
        Receives each trial that is read, and each penalty that is tried, as a round.
    """
    mean_frame = mean_frame_of(data, work)
    features = fit_features(data, transform, work)
    gram, cross = _sums(data, mean_frame, features, lag_frames, work=work)
    candidates: list[tuple[float, Ridge]] = []
    for penalty in work.rounds("trying penalties", PENALTIES, total=len(PENALTIES)):
        weights = ridge_weights(gram, cross, penalty=penalty)
        ridge = Ridge(lag_frames, penalty, mean_frame, features, weights)
        r = _validation_r(ridge, data)
        report(penalty, r)
        candidates = [*candidates[-1:], (r, ridge)]
        if len(candidates) > 1 and r < candidates[0][0]:
            break
    return max(candidates, key=lambda candidate: candidate[0])[1]


def _sums(
    data: VideoSession,
    mean_frame: F32,
    features: Features,
    lag_frames: int,
    *,
    work: Work,
) -> tuple[F32, F32]:
    size = len(delay_bins(lag_frames)) * features.projection.shape[1]
    gram = np.zeros((size, size), np.float32)
    cross = np.zeros((size, mean_frame.size), np.float32)
    for segment in training_segments(data, work, "activity against video"):
        found = features.of(segment.responses, lag_frames)
        kept = np.s_[_EVERY_FRAME * FEWEST_BINS : len(found) - lag_frames : _EVERY_FRAME]
        frames = (segment.video - mean_frame).reshape(len(found), -1)
        gram += found[kept].T @ found[kept]
        cross += found[kept].T @ frames[kept]
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
    return r_by_chance(_scored_frames(ridge, cut) for cut in segments(data, VALIDATION))


def r_by_chance(trials: Iterable[tuple[F32, F32]]) -> list[float]:
    """Mean correlation of displayed frames, shifted in time, with decoded ones, by shift."""
    shifts = [k / (CHANCE_SHIFTS + 1) for k in range(1, CHANCE_SHIFTS + 1)]
    of_trial = []
    for video, decoded in trials:
        moved = (np.roll(video, round(part * len(video)), 0) for part in shifts)
        of_trial.append([pearson_r(one, decoded) for one in moved])
    return [float(r) for r in np.mean(of_trial, 0)]


def _trial_r(ridge: Ridge, cut: Segment) -> float:
    return pearson_r(*_scored_frames(ridge, cut))


def _scored_frames(ridge: Ridge, cut: Segment) -> tuple[F32, F32]:
    """Displayed and decoded frames of a trial, without those that are not scored."""
    scored = np.s_[FIRST_SCORED_FRAME : len(cut.video) - ridge.lag_frames]
    return cut.video[scored], ridge.video(cut.responses)[scored]
