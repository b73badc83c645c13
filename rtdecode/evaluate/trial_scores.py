"""Scores of each trial of a replayed data set, by the definitions of `rtdecode reconstruct`.

Duties: collect the pairs of a trial and score it when it is over, so that a replay and an offline
reconstruction of the same trials have the same scores. One trial is in memory at a time.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.alignment import Pair
from rtdecode.evaluate.metrics import ClipScores, Mask, clip_scores, mean_of_finite
from rtdecode.schema.messages import DisplayedFrame


@dataclass(slots=True)
class _Trial:
    """The frames of the present trial, by their index in it."""

    clip: str = ""
    frames: int = 0
    displayed: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    decoded: dict[int, NDArray[np.float32]] = field(default_factory=dict)


class TrialScores:
    """Scores of trials, each of which is one presentation of a clip of its own.

    Parameters
    ----------
    mask
        (row, col) bool, True for the scored pixels.
    frame_rate_hz
        Rate of the frames.
    """

    def __init__(self, mask: Mask, *, frame_rate_hz: float) -> None:
        self._mask, self._rate_hz = mask, frame_rate_hz
        self._lengths: dict[str, int] = {}
        self._trial = _Trial()
        self._done: list[tuple[str, ClipScores]] = []

    def add_displayed(self, displayed: DisplayedFrame) -> None:
        """Note the length of a trial, some frames of which may have no reconstruction."""
        length = self._lengths.get(displayed.clip, 0)
        self._lengths[displayed.clip] = max(length, displayed.index + 1)

    def add(self, pair: Pair) -> None:
        """Add one frame; a frame of another clip ends the trial before."""
        displayed = pair.displayed
        if displayed.clip != self._trial.clip:
            self._done = self.scores()
            self._trial = _Trial(displayed.clip)
        self._trial.displayed[displayed.index] = displayed.luminance
        self._trial.decoded[displayed.index] = pair.reconstruction.luminance

    def scores(self) -> list[tuple[str, ClipScores]]:
        """Clip and scores of each trial so far, including the present one."""
        if not self._trial.decoded:
            return self._done
        return [*self._done, (self._trial.clip, self._scored())]

    def mean(self) -> ClipScores:
        """Mean over trials of each metric, and the number of scored frames in all."""
        found = [scores for _, scores in self.scores()]
        names = ("video_r", "frame_r", "ssim", "shift_ms")
        means = {name: mean_of_finite([getattr(one, name) for one in found]) for name in names}
        return ClipScores(**means, n_frames=sum(one.n_frames for one in found))

    def _scored(self) -> ClipScores:
        shape = (max(self._lengths.get(self._trial.clip, 0), max(self._trial.decoded) + 1),)
        truth = np.full((*shape, *self._mask.shape), math.nan, np.float32)
        decoded = truth.copy()
        for index, picture in self._trial.displayed.items():
            truth[index], decoded[index] = picture, self._trial.decoded[index]
        return clip_scores(truth, decoded, self._mask, frame_rate_hz=self._rate_hz)
