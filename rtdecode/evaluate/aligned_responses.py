"""Displayed frames, behaviour and recorded responses of the same frames, cut into segments.

What a twin needs to predict the recorded responses while they arrive: the frames on the screen with
the history that it looks back on, the behaviour, and which responses can be compared. Segments lie
on the frame grid, so they do not depend on how the stream is cut into batches.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.alignment import TruthOnGrid
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Behaviour, DisplayedFrame, Responses, Stamped

F32 = NDArray[np.float32]

_SETTLED_S = 1.0
"""Wait after the end of a segment, in which its last samples of behaviour arrive."""
_HELD_S = 10.0
"""Longest delay of one stream behind the other; older frames are not compared."""


class BehaviourSamples(Protocol):
    """Samples of behaviour, between which values are interpolated."""

    def step(self, items: Sequence[Behaviour]) -> Iterable[object]: ...

    def at(self, t_ns: int) -> F32: ...


@dataclass(frozen=True, slots=True)
class TwinInput:
    """Number of frames that a twin needs before and after the frame that it predicts."""

    history_frames: int
    future_frames: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class AlignedSegment:
    """The frames of one segment, with what is needed to predict their responses."""

    number: int
    """Its place on the grid: frames `number * n` to `(number + 1) * n`."""
    video: F32
    """(history + frame + future, row, col) in grey levels; the frame before where one is missing"""
    behaviour: F32
    """(history + frame + future, channel)."""
    activity: F32
    """(frame, neuron) in twin units."""
    measured: NDArray[np.bool_]
    """(frame, neuron) False where a response, or a displayed frame that it depends on, is missing.
    """


class AlignedResponses:
    """Segments of consecutive frames, each given once, when both streams are a second past it.

    Parameters
    ----------
    grid
        The frame grid that all stages share.
    behaviour
        Takes the samples of behaviour, and interpolates between them.
    segment_frames
        Number of frames of a segment.
    needs
        Frames that the twin needs around the one that it predicts.
    """

    def __init__(
        self, grid: FrameGrid, behaviour: BehaviourSamples, *, segment_frames: int, needs: TwinInput
    ) -> None:
        self._grid, self._behaviour = grid, behaviour
        self._truth = TruthOnGrid(grid)
        self._frames, self._needs = segment_frames, needs
        self._settled = round(_SETTLED_S * grid.rate_hz)
        self._held = round(_HELD_S * grid.rate_hz)
        self._displayed: dict[int, NDArray[np.uint8]] = {}
        self._responses: dict[int, Responses] = {}
        self._newest_displayed = self._newest_response = -1
        self._next: int | None = None

    def add(self, message: Stamped) -> Iterator[AlignedSegment]:
        """Segments that `message` completes; those without a comparable response are left out."""
        match message.body:
            case Behaviour() as sample:
                for _ in self._behaviour.step([sample]):
                    pass
            case DisplayedFrame() as displayed:
                self._add_displayed(message, displayed)
            case Responses() as responses:
                self._responses[responses.frame] = responses
                self._newest_response = responses.frame
                _keep_newest(self._responses, self._held)
        yield from self._completed()

    def _add_displayed(self, message: Stamped, displayed: DisplayedFrame) -> None:
        kept = self._held + self._needs.history_frames + self._needs.future_frames
        for truth in self._truth.add_displayed(message, displayed):
            self._displayed[truth.frame] = truth.displayed.luminance
            self._newest_displayed = truth.frame
            _keep_newest(self._displayed, kept)

    def _completed(self) -> Iterator[AlignedSegment]:
        newest = min(self._newest_displayed - self._needs.future_frames, self._newest_response)
        while self._responses:
            oldest = next(iter(self._responses)) // self._frames
            number = oldest if self._next is None else max(self._next, oldest)
            if (number + 1) * self._frames + self._settled > newest:
                return
            self._next = number + 1
            segment = self._segment(number)
            _drop_before(self._responses, self._next * self._frames)
            if segment is not None:
                yield segment

    def _segment(self, number: int) -> AlignedSegment | None:
        first = number * self._frames
        begin = first - self._needs.history_frames
        end = first + self._frames + self._needs.future_frames
        found = [self._responses.get(frame) for frame in range(first, first + self._frames)]
        size = next((one.activity.size for one in found if one is not None), 0)
        whole = self._whole_context(begin, end)
        measured = np.stack([_valid(one, size) for one in found]) & whole[:, None]
        if not measured.any():
            return None
        activity = [np.zeros(size, np.float32) if one is None else one.activity for one in found]
        starts_ns = (self._grid.start_ns(frame) for frame in range(begin, end))
        return AlignedSegment(
            number=number,
            video=self._video(begin, end),
            behaviour=np.stack([self._behaviour.at(t_ns) for t_ns in starts_ns]),
            activity=np.stack(activity),
            measured=measured,
        )

    def _whole_context(self, begin: int, end: int) -> NDArray[np.bool_]:
        """(frame,) whether all frames that the prediction depends on were displayed."""
        present = np.array([frame in self._displayed for frame in range(begin, end)])
        around = self._needs.history_frames + 1 + self._needs.future_frames
        missing_before = np.concatenate([[0], np.cumsum(~present)])
        whole: NDArray[np.bool_] = missing_before[around:] == missing_before[:-around]
        return whole

    def _video(self, begin: int, end: int) -> F32:
        known = next(
            self._displayed[frame] for frame in range(begin, end) if frame in self._displayed
        )
        video = np.empty((end - begin, *known.shape), np.float32)
        for place, frame in enumerate(range(begin, end)):
            known = self._displayed.get(frame, known)
            video[place] = known
        return video


def _valid(responses: Responses | None, neurons: int) -> NDArray[np.bool_]:
    return np.zeros(neurons, np.bool_) if responses is None else responses.valid


def _keep_newest(by_frame: dict[int, Any], kept: int) -> None:
    while len(by_frame) > kept:
        by_frame.pop(next(iter(by_frame)))


def _drop_before(by_frame: dict[int, Any], frame: int) -> None:
    while by_frame and next(iter(by_frame)) < frame:
        by_frame.pop(next(iter(by_frame)))
