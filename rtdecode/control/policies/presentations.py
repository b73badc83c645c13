"""Presentations of clips as a policy observes them: their frames, their ends and their scores.

A presentation is one display of a clip. Another clip, or an earlier frame of the same one, begins
the next presentation. A policy takes the times of frames from flips alone, so that what it does
about a clip follows from what was on the screen and not from what was asked for.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.control.policy import PolicySetting
from rtdecode.schema.messages import DisplayedFrame, Reconstruction

_HELD_S = 10.0
"""Displayed frames are held for this time, many times the lag of a reconstruction."""
_LONGEST_STAY_FRAMES = 2.5
"""A frame that stays for longer is followed by a gap in the stream of displayed frames."""
_TINY = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class OnScreen:
    """A displayed frame and the presentation that it is part of."""

    presentation: int
    """Number of the presentation, from 0."""
    clip: str
    index: int
    luminance: NDArray[np.uint8]
    t_flip_ns: int


class Screen:
    """What was on the screen at a time of the last ten seconds.

    Parameters
    ----------
    frame_rate_hz
        Rate of the frames of the movie.
    """

    def __init__(self, frame_rate_hz: float) -> None:
        self._longest_ns = round(_LONGEST_STAY_FRAMES / frame_rate_hz * 1e9)
        held = round(_HELD_S * frame_rate_hz)
        self._frames: deque[OnScreen] = deque(maxlen=held)
        self._flips_ns: deque[int] = deque(maxlen=held)

    def add(self, displayed: DisplayedFrame) -> OnScreen:
        """Add the newest displayed frame."""
        before = self._frames[-1] if self._frames else None
        number = 0 if before is None else before.presentation
        if before is not None and (displayed.clip != before.clip or displayed.index < before.index):
            number += 1
        now = OnScreen(
            number, displayed.clip, displayed.index, displayed.luminance, displayed.t_flip_ns
        )
        self._frames.append(now)
        self._flips_ns.append(displayed.t_flip_ns)
        return now

    def at(self, t_ns: int) -> OnScreen | None:
        """The frame on the screen at `t_ns`; None where none is known."""
        place = bisect_right(self._flips_ns, t_ns) - 1
        if place < 0 or t_ns - self._flips_ns[place] > self._longest_ns:
            return None
        return self._frames[place]


class Turns:
    """States once for each presentation that its clip is about to end.

    Parameters
    ----------
    setting
        Frame rate, and the lengths of the clips.
    lead_s
        Time in s before the end; it must cover the way of a command to the stimulus.
    dwell_s
        Time in s after which a clip counts as ended; None for its full length.
    """

    def __init__(self, setting: PolicySetting, *, lead_s: float, dwell_s: float | None) -> None:
        self._rate_hz = setting.frame_rate_hz
        self._lead_frames = lead_s * setting.frame_rate_hz
        self._most = None if dwell_s is None else max(1, round(dwell_s * setting.frame_rate_hz))
        self._frames = {clip: len(setting.clip_frames(clip)) for clip in setting.clips}
        self._done = -1

    def n_frames(self, clip: str) -> int | None:
        """Number of frames of `clip` that are displayed; None where it is not known."""
        if clip not in self._frames:
            return None
        return min(self._frames[clip], self._most or self._frames[clip])

    def add_clip(self, clip: str, n_frames: int) -> None:
        """Make known a clip that the policy itself asks for."""
        self._frames[clip] = n_frames

    def due_ns(self, now: OnScreen) -> int | None:
        """Time of the first flip after the clip of `now`, once when its end is near; else None."""
        n_frames = self.n_frames(now.clip)
        if n_frames is None or now.presentation == self._done:
            return None
        left = n_frames - now.index
        if left > max(1.0, self._lead_frames):
            return None
        self._done = now.presentation
        return now.t_flip_ns + round(max(left, 1) / self._rate_hz * 1e9)


@dataclass(frozen=True, slots=True)
class PresentationScore:
    """Agreement of the reconstructions of one presentation with its frames."""

    presentation: int
    clip: str
    video_r: float
    """Pearson correlation over scored pixels and frames; NaN where the clip has no variance."""
    uncertainty: float
    """Mean posterior standard deviation of the scored pixels in grey levels."""
    n_frames: int
    t_start_ns: int
    """Flip of the first frame that was compared."""


class PresentationScores:
    """Score of each presentation, once reconstructions of the next one arrive.

    Parameters
    ----------
    mask
        (row, col) pixels that are scored.
    shortest_frames
        Presentations with fewer compared frames have no score.
    """

    def __init__(self, mask: NDArray[np.bool_], *, shortest_frames: int) -> None:
        self._mask, self._shortest = mask, shortest_frames
        self._first: OnScreen | None = None
        # n, Σx, Σy, Σx², Σy², Σxy over pixels and frames; x displayed, y reconstructed
        self._sums = np.zeros(6)
        self._uncertainty, self._n_frames = 0.0, 0

    def add(self, decoded: Reconstruction, shown: OnScreen | None) -> PresentationScore | None:
        """Add a reconstruction and the frame that was on the screen in its middle."""
        if shown is None or not decoded.warm:
            return None
        ended = None
        if self._first is None or shown.presentation != self._first.presentation:
            ended = self._ended()
            self._first, self._sums = shown, np.zeros(6)
            self._uncertainty, self._n_frames = 0.0, 0
        x = shown.luminance[self._mask].astype(np.float64)
        y = decoded.luminance[self._mask].astype(np.float64)
        self._sums += np.array([x.size, x.sum(), y.sum(), x @ x, y @ y, x @ y])
        self._uncertainty += float(decoded.uncertainty[self._mask].mean())
        self._n_frames += 1
        return ended

    def _ended(self) -> PresentationScore | None:
        if self._first is None or self._n_frames < self._shortest:
            return None
        return PresentationScore(
            presentation=self._first.presentation,
            clip=self._first.clip,
            video_r=_pearson_r(self._sums),
            uncertainty=self._uncertainty / self._n_frames,
            n_frames=self._n_frames,
            t_start_ns=self._first.t_flip_ns,
        )


def _pearson_r(sums: NDArray[np.float64]) -> float:
    """Correlation from the sums of `PresentationScores`, as `video_r` of docs/glossary.md."""
    n, x, y, xx, yy, xy = sums.tolist()
    # r = (n Σxy − Σx Σy) / √((n Σx² − (Σx)²) (n Σy² − (Σy)²))
    squares_x, squares_y = n * xx - x * x, n * yy - y * y
    if squares_x <= _TINY * n:
        return math.nan
    if squares_y <= _TINY * n:
        return 0.0
    return float(np.clip((n * xy - x * y) / math.sqrt(squares_x * squares_y), -1, 1))


def seeded(seed: int, *purpose: int) -> np.random.Generator:
    """Random numbers of a policy, from the seed of the session and a number of the purpose."""
    return np.random.default_rng([abs(seed), int(seed < 0), *purpose])


def another_clip(
    clips: Sequence[str], but: str, *, rng: np.random.Generator, weights: Mapping[str, int]
) -> str:
    """A random one of the clips that were chosen least often, without `but` if there is another."""
    others = [clip for clip in clips if clip != but] or list(clips)
    fewest = min(weights.get(clip, 0) for clip in others)
    rare = [clip for clip in others if weights.get(clip, 0) == fewest]
    return rare[int(rng.integers(len(rare)))]
