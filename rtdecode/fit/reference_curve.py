"""The reference procedure scored along its way: it passes its best and then fits noise."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtdecode.decode.twin import Twin
from rtdecode.evaluate.metrics import clip_scores
from rtdecode.fit.methods import Reference
from rtdecode.fit.reconstruct import Scored
from rtdecode.fit.trial import Trial

F32 = NDArray[np.float32]

STOPS = (10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 700, 1000)


@dataclass(slots=True)
class _Sums:
    """Sum over twins of the videos at each stop."""

    videos: dict[int, F32]

    def add(self, done: int, video: F32) -> None:
        before = self.videos.get(done)
        self.videos[done] = video.copy() if before is None else before + video


def reference_curve(
    twins: Sequence[Twin],
    trials: Iterable[Trial],
    *,
    free: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    iterations: int,
) -> Iterator[tuple[Reference, list[Scored]]]:
    """The reference as if ended after each of `STOPS` iterations, with the scores of all trials.

    `free` are the pixels that move, `mask` those that are scored; videos of the twins are averaged.
    """
    stops = [stop for stop in STOPS if stop < iterations] + [iterations]
    scores: dict[int, list[Scored]] = {stop: [] for stop in stops}
    for trial in trials:
        sums = _Sums({})
        method = Reference(
            twins,
            free,
            iterations=iterations,
            report=lambda _twin, done, video, sums=sums: sums.add(done, video),  # type: ignore[misc]
            report_at=stops,
        )
        method.video(trial)
        for stop in stops:
            video = sums.videos[stop] / len(twins)
            found = clip_scores(trial.truth, video, mask)
            scores[stop].append(Scored(trial.number, found, float("nan"), len(video)))
    whole = Reference(twins, free, iterations=iterations)
    for stop in stops:
        yield replace(whole, iterations=stop), scores[stop]
