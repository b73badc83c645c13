"""What belongs to each frame of the grid: displayed and decoded frame, uncertainty, clip and score.

Duties: go through a session frame by frame, without leaving one out, and pair what was displayed
in the middle of each with what was decoded of it. A displayed frame stays on the screen until the
next flip; where displayed frames are missing in the log, what was on the screen is not known. It
must not draw or encode.

    for moment in Moments(session, Span(10, 20)):
        print(moment.t_s, moment.clip, moment.decoded is not None)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.export.span import BLOCK, Span
from rtdecode.schema.errors import TimeSpanError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.session.recorded import RecordedSession
from rtdecode.session.recorded_stream import RecordedStream

I64 = NDArray[np.int64]
_LONGEST_NS = 1_000_000_000
"""Longest time for which the last displayed frame counts as displayed."""
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One frame of the grid."""

    t_s: float
    """Its middle in s since the first message."""
    displayed: NDArray[np.uint8] | None
    """(row, col) grey levels; None where nothing was displayed, or is known."""
    clip: str
    decoded: NDArray[np.float32] | None
    """(row, col) grey levels; None where the frame was not decoded."""
    uncertainty: NDArray[np.float32] | None
    """(row, col) standard deviation in grey levels; None where it was not computed."""
    warm: bool
    """Whether the horizon of the decoder was full."""
    video_r: float
    """Running score at this time; NaN before the first."""


class Moments:
    """The moments of a session, in order; iterating reads the log block by block.

    Parameters
    ----------
    session
        A session with displayed frames, reconstructions, or both.
    span
        The part of it.

    Raises
    ------
    TimeSpanError
        If nothing was displayed or decoded in `span`.
    """

    def __init__(self, session: RecordedSession, span: Span) -> None:
        self._grid = FrameGrid(session.config.frame_rate_hz)
        self._zero_ns = session.zero_ns
        held = {name: session.stream(name) for name in session.streams}
        self._decoded, self._uncertainty = held.get("decoded"), held.get("uncertainty")
        self._displayed = held.get("displayed")
        coords = {} if self._decoded is None else self._decoded.coords
        self._decoded_at = _places(coords["frame"][1]) if coords else {}
        self._warm = coords["warm"][1] if coords else np.zeros(0, np.bool_)
        self._flips = _Flips(self._displayed)
        scores = held["scores"].load() if "scores" in held else None
        self.score_t_s = np.zeros(0) if scores is None else scores.t_s
        self.score_r = np.zeros(0) if scores is None else scores.values[:, 0]
        frames = [frame for frame in self._all_frames() if span.holds(self._t_s(frame))]
        if not frames:
            raise TimeSpanError(start_s=span.start_s, end_s=span.end_s, lasts_s=session.seconds)
        self.frames = range(frames[0], frames[-1] + 1)

    @property
    def shape(self) -> tuple[int, int]:
        """(row, col) of the reconstructions, or of the displayed frames where there are none."""
        stream = self._displayed if self._decoded is None else self._decoded
        _, rows, cols = (0, 0, 0) if stream is None else stream.shape
        return rows, cols

    @property
    def rate_hz(self) -> float:
        """Frames a second."""
        return self._grid.rate_hz

    @property
    def start_s(self) -> float:
        """Start of the first frame in s since the first message."""
        return (self._grid.start_ns(self.frames.start) - self._zero_ns) / _NS_PER_S

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Moment]:
        for first in range(self.frames.start, self.frames.stop, BLOCK):
            yield from self._block(range(first, min(first + BLOCK, self.frames.stop)))

    def _t_s(self, frame: int) -> float:
        return (self._grid.middle_ns(frame) - self._zero_ns) / _NS_PER_S

    def _all_frames(self) -> range:
        """From the first frame that was displayed or decoded to the last."""
        of_flips = [self._grid.frame_at(t_ns) for t_ns in self._flips.ends_ns]
        known = [*self._decoded_at, *of_flips]
        return range(min(known), max(known) + 1) if known else range(0)

    def _block(self, frames: range) -> Iterator[Moment]:
        middles = np.array([self._grid.middle_ns(frame) for frame in frames], np.int64)
        on_screen = self._flips.at(middles)
        decoded_at = np.array([self._decoded_at.get(frame, -1) for frame in frames])
        displayed = _loaded(self._displayed, on_screen)
        decoded = _loaded(self._decoded, decoded_at)
        uncertainty = _loaded(self._uncertainty, decoded_at)
        t_s = (middles - self._zero_ns) / _NS_PER_S
        scored = np.searchsorted(self.score_t_s, t_s, side="right") - 1
        for k in range(len(frames)):
            place, shown = int(decoded_at[k]), int(on_screen[k])
            sd = uncertainty.get(place)
            yield Moment(
                t_s=float(t_s[k]),
                displayed=displayed.get(shown),
                clip="" if shown < 0 else str(self._flips.clips[shown]),
                decoded=decoded.get(place),
                uncertainty=None if sd is None or np.isnan(sd).any() else sd,
                warm=place < 0 or bool(self._warm[place]),
                video_r=float(self.score_r[scored[k]]) if scored[k] >= 0 else float("nan"),
            )


class _Flips:
    """Which displayed frame was on the screen at a time."""

    def __init__(self, displayed: RecordedStream | None) -> None:
        self._t_ns = np.zeros(0, np.int64) if displayed is None else displayed.t_ns
        coords = {} if displayed is None else displayed.coords
        self.clips = coords["clip"][1] if coords else np.zeros(0, str)
        number = coords["number"][1] if coords else np.zeros(0, np.int64)
        until_ns = np.append(self._t_ns[1:], self._t_ns[-1:] + _LONGEST_NS)
        # frames between two numbers are missing in the log; -1: numbers are not stated
        jumps = (number[1:] != number[:-1] + 1) & (number[:-1] >= 0)
        until_ns[:-1][jumps] = self._t_ns[:-1][jumps]
        self._until_ns = until_ns

    @property
    def ends_ns(self) -> tuple[int, ...]:
        """First and last flip; none where nothing was displayed."""
        return (int(self._t_ns.min()), int(self._t_ns.max())) if self._t_ns.size else ()

    def at(self, t_ns: I64) -> I64:
        """Numbers of the displayed frames at these times; -1 where that is not known."""
        found = np.searchsorted(self._t_ns, t_ns, side="right") - 1
        known = (found >= 0) & (t_ns < self._until_ns[found]) if self._t_ns.size else found >= 0
        return np.where(known, found, -1)


def _places(frames: NDArray[Any]) -> dict[int, int]:
    """Place of each frame in its stream; the last one where a restart has decoded it again."""
    return {int(frame): place for place, frame in enumerate(frames)}


def _loaded(stream: RecordedStream | None, places: I64) -> dict[int, NDArray[Any]]:
    """The values at `places`, of which those below 0 are absent."""
    wanted = np.unique(places[places >= 0])
    if stream is None or not wanted.size:
        return {}
    return dict(zip(map(int, wanted), stream[wanted].load().values, strict=True))
