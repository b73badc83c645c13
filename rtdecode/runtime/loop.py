"""The main loop of every process: source → stage → sink, with clock and stop event passed in."""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Never, TypeVar

from rtdecode.schema.interfaces import Clock, Sink, Source, Stage

In = TypeVar("In")
Out = TypeVar("Out")

log = logging.getLogger(__name__)
_KEPT_STEPS = 10_000


@dataclass(slots=True)
class LoopReport:
    """Counts and step times of a loop; memory is bounded by keeping the newest step times."""

    items_in: int = 0
    items_out: int = 0
    longest_backlog: int = 0
    step_ns: deque[int] = field(default_factory=lambda: deque(maxlen=_KEPT_STEPS))


class NullSink:
    """Sink of a stage that gives nothing."""

    def push(self, item: Any) -> Never:
        raise NotImplementedError(f"nothing follows here, got {type(item).__name__}")


def run_loop(
    source: Source[In],
    stage: Stage[In, Out],
    sink: Sink[Out],
    *,
    stop: Event,
    clock: Clock,
    poll_s: float = 0.1,
    on_turn: Callable[[LoopReport], None] | None = None,
) -> LoopReport:
    """Pass items from `source` through `stage` to `sink` until `stop` is set.

    An empty batch calls the stage too, so that it can give items that have become due. `on_turn`
    is called after every batch, for heartbeats. After `stop`, remaining items are processed until
    none has arrived for `poll_s`. An error of the stage ends the loop and with it the process: a
    decoder that skipped frames it cannot process would seem healthy and be wrong. The supervisor
    decides about a restart.
    """
    report = LoopReport()
    stopping = False
    while True:
        items = source.take(poll_s)
        begun_ns = clock.now_ns()
        for out in stage.step(items):
            sink.push(out)
            report.items_out += 1
        if items:
            report.step_ns.append(clock.now_ns() - begun_ns)
            report.items_in += len(items)
            report.longest_backlog = max(report.longest_backlog, len(items))
        if on_turn is not None:
            on_turn(report)
        if stopping and not items:
            break
        stopping = stop.is_set()
    log.info("stopped: %d in, %d out", report.items_in, report.items_out)
    return report
