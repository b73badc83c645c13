"""The loop of the bridge process: displayed frames to a source, its measurements to the recorder.

Duties: start the source, pass on what it measures in order, and stop at its end or on request. The
loop does not depend on which microscope is connected, on file formats or protocols, or on sockets:
source, sink and clock are passed in.

>>> from types import SimpleNamespace
>>> clock = SimpleNamespace(now_ns=lambda: 0)
>>> source = SimpleNamespace(
...     begin=lambda t_ns: None, measured_until=lambda t_ns: ["scan 0", "scan 1"], ended=True
... )
>>> sink = SimpleNamespace(push=print)
>>> run_bridge(source, sink, screen=None, stop=Event(), clock=clock)
scan 0
scan 1
'the source is at its end'
"""

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
    sink: Sink[Body],
    *,
    screen: Source[Received] | None,
    stop: Event,
    clock: Clock,
    after_turn: Callable[[], None] = lambda: None,
) -> str:
    """Push the measurements of `source` to `sink` until the source ends or `stop` is set.

    Parameters
    ----------
    screen
        Displayed frames, for a source that needs them; None for all others.
    after_turn
        Called at least every 50 ms, for heartbeats.

    Returns
    -------
    Why the loop ended, as a phrase for the log and the End message.
    """
    source.begin(clock.now_ns())
    while not stop.is_set():
        if screen is not None:
            _show(screen, source)
        for body in source.measured_until(clock.now_ns() + _TURN_NS):
            sink.push(body)
        after_turn()
        if source.ended:
            return "the source is at its end"
    return "stopped as asked"


def _show(screen: Source[Received], source: ScanSource) -> None:
    for received in screen.take(0.0):
        body = received.message.body
        if isinstance(body, DisplayedFrame):
            source.show(body)
