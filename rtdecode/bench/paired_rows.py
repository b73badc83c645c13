"""Rows of scores on the same clips, each with its paired difference to another row.

Clips differ more from each other than methods do, so that the interval of a difference over clips
is much narrower than those of the two scores.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.bench.paired import paired_difference
from rtdecode.bench.result_file import KeptRows, Row
from rtdecode.evaluate.metrics import FIRST_SCORED_FRAME, video_r
from rtdecode.offline.job import interval_of
from rtdecode.offline.methods import Method
from rtdecode.offline.trial import Trial

F32 = NDArray[np.float32]
Report = Callable[[str, int, int], None]
"""Progress of a study: a line about what was done last, the parts done, and their number."""


class PairedRows:
    """Computes rows unless they exist, and keeps them in their file.

    Parameters
    ----------
    kept
        The file with the rows.
    total
        Number of rows, for the progress.
    report
        Called after each row with its score, the number of rows that exist, and their total.
    """

    def __init__(self, kept: KeptRows, *, total: int, report: Report) -> None:
        self._kept, self._total, self._report, self._done = kept, total, report, 0

    def add(
        self,
        title: str,
        fields: dict[str, Any],
        scores: Callable[[], Sequence[float]],
        *,
        compared_with: dict[str, Any] | None = None,
        facts: Callable[[], dict[str, Any]] = dict,
    ) -> Row:
        """The row with `fields`; `scores` gives video_r of each clip if it does not exist.

        Parameters
        ----------
        compared_with
            Fields of an earlier row, of the same clips, from which the difference is taken.
        facts
            Further values of the row, computed with it.
        """
        row = self._kept.find(**fields)
        existed = " (exists already)" if row is not None else ""
        if row is None:
            row = {**fields, "video_r": interval_of(list(scores())), **facts()}
            other = None if compared_with is None else self._kept.find(**compared_with)
            if other is not None:
                here, there = (one["video_r"]["per_clip"] for one in (row, other))
                row |= {
                    "compared_with": compared_with,
                    "difference": paired_difference(here, there),
                }
            self._kept.add(row)
        self._done += 1
        line = f"{title}: video r {row['video_r']['mean']:.3f}{existed}"
        self._report(line, self._done, self._total)
        return row


def scores_of(method: Method, trials: Iterable[Trial], mask: NDArray[np.bool_]) -> list[float]:
    """video_r of each trial in the scored frames."""
    return [scored(trial.truth, method.video(trial), mask) for trial in trials]


def scored(truth: F32, video: F32, mask: NDArray[np.bool_]) -> float:
    """video_r of one clip in the scored frames; NaN in `video` marks frames without an estimate."""
    return video_r(truth[FIRST_SCORED_FRAME:], video[FIRST_SCORED_FRAME:], mask)
