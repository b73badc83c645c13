"""Scores updated per frame: over a sliding window, each presentation, the whole run; segments.

The same metrics as in `rtdecode.evaluate.metrics`, from sums that each frame adds to.
"""

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.alignment import Pair
from rtdecode.evaluate.metrics import Mask, bounding_box, frame_ssim, pearson_r
from rtdecode.evaluate.shift_moments import ShiftMoments, best_shift, r_at_shifts

F64 = NDArray[np.float64]
_BREAK_NS = 200_000_000
_MISSING_ONE_FRAMES = 2.5


@dataclass(frozen=True, slots=True, eq=False)
class FrameScore:
    """Contribution of one frame to every score."""

    frame: int
    moments: F64
    """(shift, 6), see `ShiftMoments.add`."""
    frame_r: float
    ssim: float


@dataclass(slots=True, eq=False)
class Sums:
    """Scores of a set of frames, from the contributions of its frames."""

    moments: F64
    n_frames: int = 0
    frame_r: "Mean" = field(default_factory=lambda: Mean())
    ssim: "Mean" = field(default_factory=lambda: Mean())

    def add(self, score: FrameScore) -> None:
        """Add the contribution of one frame."""
        self.moments += score.moments
        self.n_frames += 1
        self.frame_r.add(score.frame_r)
        self.ssim.add(score.ssim)

    @property
    def video_r(self) -> float:
        """Pearson correlation over all pixels and frames that were added, at shift 0."""
        return float(r_at_shifts(self.moments)[len(self.moments) // 2])


@dataclass(slots=True)
class Mean:
    """Mean of finite values."""

    total: float = 0.0
    n: int = 0

    def add(self, value: float) -> None:
        """Add `value` unless it is NaN."""
        if math.isfinite(value):
            self.total, self.n = self.total + value, self.n + 1

    @property
    def value(self) -> float:
        """The mean; NaN where no value was added."""
        return self.total / self.n if self.n else math.nan


class FrameScorer:
    """Scores pairs of displayed frame and reconstruction inside the mask, in order of frames.

    Parameters
    ----------
    mask
        (row, col) bool, True for the scored pixels.
    reach_frames
        Largest shift in time, in frames of either sign.
    """

    def __init__(self, mask: Mask, *, reach_frames: int) -> None:
        self._mask = mask
        self._box = bounding_box(mask)
        self._moments = ShiftMoments(reach_frames)

    @property
    def empty_sums(self) -> Sums:
        """Sums over no frames."""
        return Sums(np.zeros((len(self._moments.shifts), 6)))

    def score(self, pair: Pair) -> FrameScore:
        """Contribution of `pair`."""
        truth, decoded = pair.displayed.luminance, pair.reconstruction.luminance
        inside = truth[self._mask], decoded[self._mask]
        return FrameScore(
            frame=pair.frame,
            moments=self._moments.add(pair.frame, shown=inside[0], decoded=inside[1]),
            frame_r=pearson_r(*inside),
            ssim=frame_ssim(truth[self._box], decoded[self._box]),
        )

    def shift_frames(self, sums: Sums) -> float:
        """Shift with the highest video_r; positive where the reconstruction is late."""
        return best_shift(r_at_shifts(sums.moments), self._moments.shifts)


class SlidingWindow:
    """Contributions of the frames of the last `window_frames` grid frames."""

    def __init__(self, window_frames: int) -> None:
        self._window_frames = window_frames
        self._scores: deque[FrameScore] = deque()

    def add(self, score: FrameScore) -> None:
        """Add a frame, and remove frames that have left the window."""
        self._scores.append(score)
        while self._scores[0].frame <= score.frame - self._window_frames:
            self._scores.popleft()

    def added_to(self, sums: Sums) -> Sums:
        """`sums` with all frames of the window added; recomputed, so rounding does not grow."""
        for score in self._scores:
            sums.add(score)
        return sums


class Presentations:
    """video_r of each presentation of a clip; their mean is the final score of a run.

    Pixels are pooled within a presentation, not across clips that differ in mean luminance.

    Parameters
    ----------
    shortest_frames
        Presentations with fewer scored frames are not counted.
    longest_frames
        Longer presentations are split.
    """

    def __init__(self, *, shortest_frames: int, longest_frames: int) -> None:
        self._shortest_frames = shortest_frames
        self._longest_frames = longest_frames
        self._clip, self._index = "", -1
        self._sums: Sums | None = None
        self._video_r: list[float] = []

    def add(self, pair: Pair, score: FrameScore, *, empty: Sums) -> None:
        """Add one frame; another clip, or an earlier frame of it, begins a new presentation."""
        goes_on = pair.displayed.clip == self._clip and pair.displayed.index >= self._index
        full = self._sums is not None and self._sums.n_frames >= self._longest_frames
        if self._sums is None or not goes_on or full:
            self._video_r = self.video_r()
            self._sums = empty
        self._clip, self._index = pair.displayed.clip, pair.displayed.index
        self._sums.add(score)

    def video_r(self) -> list[float]:
        """One value for each presentation that is long enough, including the current one."""
        if self._sums is None or self._sums.n_frames < self._shortest_frames:
            return self._video_r
        return [*self._video_r, self._sums.video_r]


class DecodedSegments:
    """Times over which frames were decoded without a break.

    Parameters
    ----------
    frame_rate_hz
        Rate of the frame grid; a break is longer than 0.2 s and than one missing frame.
    """

    def __init__(self, *, frame_rate_hz: float) -> None:
        self._break_ns = max(_BREAK_NS, round(_MISSING_ONE_FRAMES / frame_rate_hz * 1e9))
        self._spans_ns: list[tuple[int, int]] = []

    def add(self, t_frame_mid_ns: int) -> None:
        """Add a frame by its middle; one that a restarted decoder repeats changes nothing."""
        first_ns, last_ns = self._spans_ns[-1] if self._spans_ns else (0, -1)
        if not self._spans_ns or t_frame_mid_ns - last_ns > self._break_ns:
            self._spans_ns.append((t_frame_mid_ns, t_frame_mid_ns))
        elif t_frame_mid_ns > last_ns:
            self._spans_ns[-1] = first_ns, t_frame_mid_ns

    def spans_s(self, *, zero_ns: int) -> list[tuple[float, float]]:
        """(first, last) middle of a frame of each segment, in s after `zero_ns`."""
        return [
            ((first_ns - zero_ns) / 1e9, (last_ns - zero_ns) / 1e9)
            for first_ns, last_ns in self._spans_ns
        ]
