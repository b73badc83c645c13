"""Pairs displayed frames with the output of the calcium chain, as trials of a session.

For the making of the demo mouse, faster than real time and without sockets.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.chain import CalciumChain
from rtdecode.datasets.video_session import Segment
from rtdecode.schema.messages import Behaviour, Received, Responses, Scan, Stamped, WindowFrame
from rtdecode.streams.behaviour_join import BehaviourJoin

F32 = NDArray[np.float32]


@dataclass(slots=True)
class _Trial:
    video: list[NDArray[np.uint8]] = field(default_factory=list)
    responses: list[F32] = field(default_factory=list)
    behaviour: list[F32] = field(default_factory=list)


class Recording:
    """Divides a stream of displayed frames and measurements into trials of equal length.

    Parameters
    ----------
    calcium, behaviour
        The stages of the live system, in their state at the start of the recording.
    frames
        Length of a trial in frames.
    """

    def __init__(self, calcium: CalciumChain, behaviour: BehaviourJoin, *, frames: int) -> None:
        self._calcium, self._behaviour, self._frames = calcium, behaviour, frames
        self._displayed: deque[tuple[int, NDArray[np.uint8]]] = deque()
        self._trial = _Trial()
        self._last: F32 | None = None
        self._seq = 0

    def show(self, frame: int, luminance: NDArray[np.uint8]) -> None:
        """Add the displayed frame (row, col), in grey levels, of `frame` of the grid."""
        self._displayed.append((frame, luminance))

    def add_measurements(self, bodies: Iterable[Scan | Behaviour]) -> Iterator[Segment]:
        """Add measurements in temporal order; yields each trial that they complete."""
        for body in bodies:
            for window_frame in self._window_frames(body):
                yield from self._add(window_frame)

    def _window_frames(self, body: Scan | Behaviour) -> Iterator[WindowFrame]:
        if isinstance(body, Behaviour):
            yield from self._behaviour.step([body])
            return
        stamped = Stamped("bridge", self._seq, body.t_end_ns, "host", body)
        self._seq += 1
        for out in self._calcium.step([Received(stamped, body.t_end_ns)]):
            if isinstance(out, Responses):
                yield from self._behaviour.step([out])

    def _add(self, now: WindowFrame) -> Iterator[Segment]:
        luminance = self._luminance(now.responses.frame)
        if luminance is None or not now.responses.valid.any():
            return
        self._trial.video.append(luminance)
        self._trial.responses.append(self._held(now.responses))
        self._trial.behaviour.append(now.behaviour)
        if len(self._trial.video) == self._frames:
            done, self._trial = self._trial, _Trial()
            yield Segment(
                video=np.stack(done.video).astype(np.float32),
                responses=np.stack(done.responses),
                behaviour=np.stack(done.behaviour),
            )

    def _luminance(self, frame: int) -> NDArray[np.uint8] | None:
        while self._displayed and self._displayed[0][0] < frame:
            self._displayed.popleft()
        if not self._displayed or self._displayed[0][0] != frame:
            return None
        return self._displayed[0][1]

    def _held(self, responses: Responses) -> F32:
        """Activity, with the previous value where it is missing, as the layout requires numbers."""
        before = self._last if self._last is not None else np.zeros_like(responses.activity)
        self._last = np.where(responses.valid, responses.activity, before)
        return self._last
