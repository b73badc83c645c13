"""Frames made ahead of time in a second thread, so that opening a file never delays a flip.

Duties: give the frames of one presentation (a clip or a trial) after the other, skip the rest of
one on request, and make presentations that have not begun again where a parameter changes. It does
not know what a frame shows, nor when it is displayed.

>>> def clip(name: str) -> Presentation[str]:
...     return lambda parameters: iter([name + "0", name + "1"])
>>> with FramePrefetcher(map(clip, "ab"), ahead=4) as frames:
...     first = next(frames)
...     frames.skip()
...     first, list(frames)
('a0', ['b0', 'b1'])
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

from stimulus.priority import Priority, request_real_time

T = TypeVar("T")
Parameters = Mapping[str, float]
Presentation = Callable[[Parameters], Iterator[T]]
"""The frames of one clip or trial with the parameters of the protocol that are in effect."""


class FramePrefetcher(Generic[T]):
    """Iterator over the frames of all presentations, of which another thread makes some ahead.

    One frame is made for each frame that is consumed, so the work is spread evenly between flips.
    An exception of a presentation is raised at the position of the frame it replaced.

    Parameters
    ----------
    presentations
        In the order of their display.
    ahead
        Number of frames that are made ahead.
    parameters
        Parameters that replace those of the protocol, by name.
    """

    def __init__(
        self,
        presentations: Iterator[Presentation[T]],
        *,
        ahead: int,
        parameters: Parameters | None = None,
    ) -> None:
        self._source, self._ahead = _Kept(presentations), ahead
        self._worker = ThreadPoolExecutor(
            1, "frame-prefetch", initializer=request_real_time, initargs=(Priority.PREFETCH,)
        )
        self._place, self._skip_to = -1, 0
        self._latest = 0
        self._lane = self._new_lane(0, parameters or {})
        self._next_lane: _Lane[T] | None = None
        self.version = 0
        """Number of changes of parameters that the last frame was made with."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        while (made := self._lane.head()) is not None or self._next_lane is not None:
            if made is None or self._is_replaced(made[0]):
                self._lane.close()
                self._lane, self._next_lane = self._replacement(), None
                continue
            place, frame = made
            self._lane.drop_head()
            if place >= self._skip_to:
                self._place, self.version = place, self._lane.version
                return frame
        raise StopIteration

    def skip(self) -> None:
        """Continue with the next presentation, whatever is left of the present one."""
        self._skip_to = self._place + 1
        for lane in (self._lane, self._next_lane):
            if lane is not None:
                lane.skip_to = self._skip_to

    def change(self, parameters: Parameters) -> int:
        """Make the presentations that have not begun with `parameters`; their `version`.

        Where the next one begins before a frame of it is made, it keeps its earlier parameters, and
        the one after it has the new ones: no flip waits for this.
        """
        if self._next_lane is not None:
            self._next_lane.close()
        self._latest += 1
        self._next_lane = self._new_lane(max(self._place + 1, self._skip_to), parameters)
        return self._latest

    def _is_replaced(self, place: int) -> bool:
        """Whether the presentation `place` is given with new parameters."""
        later = self._next_lane
        if later is None or place < later.first or place < self._skip_to:
            return False
        if later.is_ready():
            return True
        later.close()
        self._next_lane = self._new_lane(place + 1, later.parameters)
        return False

    def _replacement(self) -> "_Lane[T]":
        return self._lane if self._next_lane is None else self._next_lane

    def _new_lane(self, first: int, parameters: Parameters) -> "_Lane[T]":
        return _Lane(
            self._source, first, parameters, self._latest, worker=self._worker, ahead=self._ahead
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._worker.shutdown(cancel_futures=True)


class _Kept(Generic[T]):
    """The presentations by their place; used by the worker alone."""

    def __init__(self, presentations: Iterator[Presentation[T]]) -> None:
        self._presentations, self._kept = presentations, list[Presentation[T]]()

    def at(self, place: int) -> Presentation[T] | None:
        """The presentation at `place`; None after the last one."""
        while len(self._kept) <= place:
            following = next(self._presentations, None)
            if following is None:
                return None
            self._kept.append(following)
        return self._kept[place]


class _Lane(Generic[T]):
    """Frames from the presentation `first` on, made with one version of the parameters."""

    def __init__(
        self,
        source: _Kept[T],
        first: int,
        parameters: Parameters,
        version: int,
        *,
        worker: ThreadPoolExecutor,
        ahead: int,
    ) -> None:
        self.first, self.parameters, self.version = first, parameters, version
        self.skip_to = first
        self._source, self._worker = source, worker
        self._place = first - 1
        self._frames: Iterator[T] = iter(())
        self._pending: deque[Future[tuple[int, T] | None]] = deque(
            worker.submit(self._make) for _ in range(ahead)
        )

    def head(self) -> tuple[int, T] | None:
        """Place of its presentation and the next frame, when it is made; None after the last."""
        return self._pending[0].result()

    def drop_head(self) -> None:
        """Go to the frame after it."""
        self._pending.popleft()
        self._pending.append(self._worker.submit(self._make))

    def is_ready(self) -> bool:
        """Whether the next frame is made."""
        return self._pending[0].done()

    def close(self) -> None:
        """Make no more frames."""
        for future in self._pending:
            future.cancel()

    def _make(self) -> tuple[int, T] | None:
        while True:
            if self._place >= self.skip_to:
                for frame in self._frames:
                    return self._place, frame
            self._place = max(self._place + 1, self.skip_to)
            presentation = self._source.at(self._place)
            if presentation is None:
                return None
            self._frames = presentation(self.parameters)
