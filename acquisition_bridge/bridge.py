"""One bridge for all sources: shown frames go in, what the microscope measures goes out."""

import logging
from collections.abc import Callable
from threading import Event

from acquisition_bridge.sources.contract import ScanSource
from rtdecode.schema.interfaces import Clock, Sink, Source
from rtdecode.schema.messages import Body, DisplayedFrame, Received

log = logging.getLogger(__name__)
_TURN_NS = 50_000_000


def run_bridge(
    source: ScanSource,
    outlet: Sink[Body],
    *,
    screen: Source[Received] | None,
    stop: Event,
    clock: Clock,
    on_turn: Callable[[], None] = lambda: None,
) -> str:
    """Carry what `source` measures to `outlet` until it ends or `stop` is set; says which it was.

    Parameters
    ----------
    screen
        Where shown frames come from, for a source that watches; None for all others.
    on_turn
        Called at least every 50 ms, for heartbeats.
    """
    source.begin(clock.now_ns())
    while not stop.is_set():
        if screen is not None:
            _show(screen, source)
        for body in source.measured_until(clock.now_ns() + _TURN_NS):
            outlet.push(body)
        on_turn()
        if source.ended:
            return "the source is at its end"
    return "stopped as asked"


def _show(screen: Source[Received], source: ScanSource) -> None:
    for received in screen.take(0.0):
        body = received.message.body
        if isinstance(body, DisplayedFrame):
            source.show(body)
