"""Sends recorded messages again, at any speed, the same way each time."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Behaviour, DisplayedFrame, End, Received, Scan, Start
from rtdecode.session.reader import LogReader, Wanted

INPUT_KINDS = frozenset(body.kind for body in (Start, End, Scan, Behaviour, DisplayedFrame))
_INPUT_SOURCES = frozenset({"bridge", "stimulus"})


def is_input(stream: str) -> bool:
    """Whether `stream` came from a rig, so that a decoder can be run on it again."""
    source, _, kind = stream.partition("/")
    return source in _INPUT_SOURCES and kind in INPUT_KINDS


class Replay:
    """A source of the recorded messages; each keeps the time at which it was recorded.

    One `take` gives what the recorder got within one frame of `grid`. Batches follow
    from the log alone: a decoder that is slower than the replay falls behind instead of
    skipping, so that the same log always gives the same steps.

    Parameters
    ----------
    log
        A `log.mcap`, whole or torn.
    grid
        Frame grid of the session.
    clock
        Paces the replay.
    speed
        1 is as recorded, 10 ten times as fast; None as fast as it is taken.
    wanted
        Which streams; by default those that came from a rig.
    """

    def __init__(
        self,
        log: Path,
        *,
        grid: FrameGrid,
        clock: Clock,
        speed: float | None = 1.0,
        wanted: Wanted = is_input,
    ) -> None:
        self._batches = _batches(LogReader(log).messages(wanted), grid)
        self._clock = clock
        self._speed = speed
        self._first_ns: int | None = None
        self._begun_ns = 0
        self._waiting: Sequence[Received] = ()
        self.finished = False

    def take(self, wait_s: float) -> Sequence[Received]:
        """The next batch when its time has come; nothing if that is more than `wait_s` away."""
        batch = self._waiting or next(self._batches, ())
        self._waiting = ()
        if not batch:
            self.finished = True
            return ()
        due_ns = self._due_ns(batch[0].t_received_ns)
        until_ns = self._clock.now_ns() + round(wait_s * 1e9)
        if due_ns > until_ns:
            self._waiting = batch
            self._clock.sleep_until(until_ns)
            return ()
        self._clock.sleep_until(due_ns)
        return batch

    def _due_ns(self, t_received_ns: int) -> int:
        if self._first_ns is None:
            self._first_ns, self._begun_ns = t_received_ns, self._clock.now_ns()
        if self._speed is None:
            return self._begun_ns
        # from the beginning each time, so that rounding and late turns do not add up
        return self._begun_ns + round((t_received_ns - self._first_ns) / self._speed)


class RecordedClock:
    """Time as it was when the messages came, for stages that must give the same again.

    Pass each batch of a `Replay` through `follow` before the stages see it. Sleeping costs
    nothing: the clock jumps.
    """

    def __init__(self) -> None:
        self._now_ns = 0

    def follow(self, batch: Sequence[Received]) -> Sequence[Received]:
        """Set the time to that of the newest message of `batch`; never back."""
        newest = max((item.t_received_ns for item in batch), default=0)
        self._now_ns = max(self._now_ns, newest)
        return batch

    def now_ns(self) -> int:
        return self._now_ns

    def sleep_until(self, t_ns: int) -> None:
        self._now_ns = max(self._now_ns, t_ns)


def _batches(messages: Iterator[Received], grid: FrameGrid) -> Iterator[Sequence[Received]]:
    for _, batch in groupby(messages, key=lambda item: grid.frame_at(item.t_received_ns)):
        yield tuple(batch)
