"""Scores that grow frame by frame: over the last seconds, over each showing of a clip, over all."""

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.alignment import Pair
from rtdecode.evaluate.metrics import Mask, bounding_box, frame_ssim, pearson_r
from rtdecode.evaluate.shift_moments import ShiftMoments, best_shift, r_at_shifts

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FrameScore:
    """What one frame adds to every score."""

    frame: int
    moments: F64
    """(shift, 6), see `ShiftMoments.add`."""
    frame_r: float
    ssim: float


@dataclass(slots=True, eq=False)
class Sums:
    """Scores of any set of frames, from what each one added."""

    moments: F64
    n_frames: int = 0
    frame_r: "Mean" = field(default_factory=lambda: Mean())
    ssim: "Mean" = field(default_factory=lambda: Mean())

    def add(self, score: FrameScore) -> None:
        """Count one more frame."""
        self.moments += score.moments
        self.n_frames += 1
        self.frame_r.add(score.frame_r)
        self.ssim.add(score.ssim)

    @property
    def video_r(self) -> float:
        """Pearson correlation over all pixels and frames that were added."""
        return float(r_at_shifts(self.moments)[len(self.moments) // 2])


@dataclass(slots=True)
class Mean:
    """Mean of the values that could be scored."""

    total: float = 0.0
    n: int = 0

    def add(self, value: float) -> None:
        """Count `value` unless it is NaN."""
        if math.isfinite(value):
            self.total, self.n = self.total + value, self.n + 1

    @property
    def value(self) -> float:
        """NaN where nothing was counted."""
        return self.total / self.n if self.n else math.nan


class FrameScorer:
    """Scores single pairs of pictures inside the mask, in rising order of frames.

    Parameters
    ----------
    mask
        (row, col) where the animal's neurons see.
    reach_frames
        Largest shift in time that is tried, either way.
    """

    def __init__(self, mask: Mask, *, reach_frames: int) -> None:
        self._mask = mask
        self._box = bounding_box(mask)
        self._moments = ShiftMoments(reach_frames)

    @property
    def nothing(self) -> Sums:
        """Sums over no frame yet."""
        return Sums(np.zeros((len(self._moments.shifts), 6)))

    def score(self, pair: Pair) -> FrameScore:
        """What this pair adds."""
        shown, decoded = pair.shown.luminance, pair.reconstruction.luminance
        inside = shown[self._mask], decoded[self._mask]
        return FrameScore(
            frame=pair.frame,
            moments=self._moments.add(pair.frame, shown=inside[0], decoded=inside[1]),
            frame_r=pearson_r(*inside),
            ssim=frame_ssim(shown[self._box], decoded[self._box]),
        )

    def shift_frames(self, sums: Sums) -> float:
        """Shift with the highest video_r; positive where the reconstruction comes late."""
        return best_shift(r_at_shifts(sums.moments), self._moments.shifts)


class LastSeconds:
    """The frames of a sliding window."""

    def __init__(self, window_frames: int) -> None:
        self._window_frames = window_frames
        self._scores: deque[FrameScore] = deque()

    def add(self, score: FrameScore) -> None:
        """Take a frame in, and drop those that are too old now."""
        self._scores.append(score)
        while self._scores[0].frame <= score.frame - self._window_frames:
            self._scores.popleft()

    def sums(self, nothing: Sums) -> Sums:
        """Sums over the window, from nothing; taken anew so that no rounding gathers."""
        for score in self._scores:
            nothing.add(score)
        return nothing


class Showings:
    """video_r of each showing of a clip, so that their mean can close a run.

    Pixels are pooled within a showing, never across clips of unlike mean luminance.

    Parameters
    ----------
    shortest_frames
        A showing with fewer scored frames is too short to count.
    longest_frames
        A longer showing counts as several.
    """

    def __init__(self, *, shortest_frames: int, longest_frames: int) -> None:
        self._shortest_frames = shortest_frames
        self._longest_frames = longest_frames
        self._clip, self._index = "", -1
        self._sums: Sums | None = None
        self._video_r: list[float] = []

    def add(self, pair: Pair, score: FrameScore, *, nothing: Sums) -> None:
        """Count one frame; a new clip, or the same one from its start, begins a new showing."""
        again = pair.shown.clip == self._clip and pair.shown.index >= self._index
        full = self._sums is not None and self._sums.n_frames >= self._longest_frames
        if self._sums is None or not again or full:
            self._video_r = self.video_r()
            self._sums = nothing
        self._clip, self._index = pair.shown.clip, pair.shown.index
        self._sums.add(score)

    def video_r(self) -> list[float]:
        """One value for each showing that is long enough, the running one among them."""
        if self._sums is None or self._sums.n_frames < self._shortest_frames:
            return self._video_r
        return [*self._video_r, self._sums.video_r]
