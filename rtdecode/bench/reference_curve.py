"""Scores of the published procedure against iterations: after an optimum it fits noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.metrics import clip_scores
from rtdecode.offline.job import Scored
from rtdecode.offline.methods import Reference
from rtdecode.offline.trial import Trial
from rtdecode.twins.twin import Twin

F32 = NDArray[np.float32]

STOPS = (10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 700, 1000)


@dataclass(slots=True)
class _Sums:
    """Sums over twins of the videos after each scored iteration."""

    videos: dict[int, F32]

    def add(self, done: int, video: F32) -> None:
        before = self.videos.get(done)
        self.videos[done] = video.copy() if before is None else before + video


def stops_until(iterations: int) -> list[int]:
    """The iterations after which a run of `iterations` is scored; the last one is included."""
    return [stop for stop in STOPS if stop < iterations] + [iterations]


def reference_curve(
    twins: Sequence[Twin],
    trial: Trial,
    *,
    free: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    iterations: int,
) -> list[Scored]:
    """Scores of one trial after each of `stops_until(iterations)`, in one run.

    Parameters
    ----------
    twins
        An ensemble, whose videos are averaged.
    free, mask
        (row, col) True for optimised and for scored pixels.
    iterations
        Gradient steps of the whole run.

    Returns
    -------
    One score for each stop; `seconds` is NaN, as parts of a run are not timed.
    """
    sums, stops = _Sums({}), stops_until(iterations)
    method = Reference(
        twins,
        free,
        iterations=iterations,
        report=lambda _twin, done, video: sums.add(done, video),
        report_at=stops,
    )
    method.video(trial)
    scores: list[Scored] = []
    for stop in stops:
        video = sums.videos[stop] / len(twins)
        found = clip_scores(trial.truth, video, mask, frame_rate_hz=trial.frame_rate_hz)
        scores.append(Scored(trial.number, found, float("nan"), len(video)))
    return scores
