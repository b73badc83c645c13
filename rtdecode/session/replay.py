"""Replays the messages of a log at any speed, in the same batches each time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from threading import Event

from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Behaviour, DisplayedFrame, End, Received, Scan, Start
from rtdecode.schema.recorded_activity import RecordedActivity
from rtdecode.session.injected_faults import InjectedFaults
from rtdecode.session.reader import LogReader, Wanted

INPUT_KINDS = frozenset(
    body.kind for body in (Start, End, Scan, RecordedActivity, Behaviour, DisplayedFrame)
)
Altered = Callable[[Iterator[Received]], Iterator[Received]]
_INPUT_SOURCES = frozenset({"bridge", "stimulus"})


def is_input(stream: str) -> bool:
    """Whether `stream` was sent by a rig, and is therefore input of a decoder."""
    source, _, kind = stream.partition("/")
    return source in _INPUT_SOURCES and kind in INPUT_KINDS


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a replay goes on: its speed, its faults, its progress, and what stops it."""

    speed: float | None = None
    """1 replays in real time, None as fast as possible. The result does not depend on it: the clock
    shows the time at which messages were received, and an estimation takes no time."""
    faults: InjectedFaults = field(default_factory=InjectedFaults)
    stop: Event = field(default_factory=Event)
    report: Callable[[float, float], None] = lambda _done_s, _all_s: None
    """Called with the time of the recording that is replayed, and that of all of it, in s."""


class Replay:
    """Source of recorded messages, each with the time at which the recorder received it.

    One `take` gives the messages that the recorder received within one frame of `grid`. The
    batches depend on the log alone: a decoder that is slower than the replay falls behind and skips
    nothing, so the same log gives the same result each time.

    Parameters
    ----------
    log
        A `log.mcap`, complete or not.
    grid
        Frame grid of the session.
    clock
        Paces the replay.
    speed
        1 replays in real time, 10 ten times as fast; None without waiting.
    wanted
        Selects streams; by default those that a rig sent.
    altered
        What the messages pass through, in their order, as where faults are injected.
    """

    def __init__(
        self,
        log: Path,
        *,
        grid: FrameGrid,
        clock: Clock,
        speed: float | None = 1.0,
        wanted: Wanted = is_input,
        altered: Altered = iter,
    ) -> None:
        self._batches = batches_of(altered(LogReader(log).messages(wanted)), grid)
        self._clock = clock
        self._speed = speed
        self._first_ns: int | None = None
        self._begun_ns = 0
        self._waiting: Sequence[Received] = ()
        self.finished = False

    def take(self, wait_s: float) -> Sequence[Received]:
        """The next batch at its due time; empty if that is more than `wait_s` away."""
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
        # relative to the first message, so that rounding errors and delays do not accumulate
        return self._begun_ns + round((t_received_ns - self._first_ns) / self._speed)


class RecordedClock:
    """Clock of a replay: the time at which the newest message was received in the recording.

    Each batch of a `Replay` must pass through `follow` before the stages. `sleep_until` returns at
    once and sets the clock.
    """

    def __init__(self) -> None:
        self._now_ns = 0

    def follow(self, batch: Sequence[Received]) -> Sequence[Received]:
        """Set the time to that of the newest message of `batch`; it never decreases."""
        newest = max((item.t_received_ns for item in batch), default=0)
        self._now_ns = max(self._now_ns, newest)
        return batch

    def now_ns(self) -> int:
        return self._now_ns

    def sleep_until(self, t_ns: int) -> None:
        self._now_ns = max(self._now_ns, t_ns)


def batches_of(messages: Iterator[Received], grid: FrameGrid) -> Iterator[Sequence[Received]]:
    """The messages that were received within one frame of `grid`, frame by frame."""
    for _, batch in groupby(messages, key=lambda item: grid.frame_at(item.t_received_ns)):
        yield tuple(batch)
