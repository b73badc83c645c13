"""The loop of the bridge process: displayed frames to a source, its measurements to the recorder.

Duties: start the source, pass on what it measures in order, report what its counters state as
events, and stop at its end or on request. The loop does not depend on which microscope is
connected, on file formats or protocols, or on sockets: source, sink and clock are passed in.

>>> from types import SimpleNamespace
>>> clock = SimpleNamespace(now_ns=lambda: 0)
>>> source = SimpleNamespace(
...     begin=lambda t_ns: None, measured_until=lambda t_ns: ["scan 0", "scan 1"], ended=True,
...     health=dict,
... )
>>> sink = SimpleNamespace(push=print)
>>> run_bridge(source, sink, screen=None, stop=Event(), clock=clock)
scan 0
scan 1
'the source is at its end'
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple
from threading import Event
from types import MappingProxyType

from acquisition_bridge.sources.continued import last_scan
from acquisition_bridge.sources.contract import ScanSource
from rtdecode.runtime import refused
from rtdecode.runtime.progress import Progress
from rtdecode.schema.interfaces import Clock, Sink, Source
from rtdecode.schema.messages import Body, DisplayedFrame, Fluorescence, Received, Scan
from rtdecode.schema.messages import Event as EventMessage

log = logging.getLogger(__name__)
_TURN_NS = 50_000_000
_REPORT_NS = 1_000_000_000

REPORTED: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "down_s": (
            "bridge_restarted",
            "no scan was passed on while the bridge was started again",
            "seconds",
        ),
        "lost": ("scans_lost", "the microscope lost scans", "scans"),
        "restarts": ("numbers_restarted", "the rig's scan numbers began anew", "restarts"),
        "set_aside": (
            "number_implausible",
            "scans whose number did not fit were left out",
            "scans",
        ),
        "repeated": ("scans_repeated", "scans that came twice were left out", "scans"),
        "reordered": ("scans_old", "scans that came after newer ones were left out", "scans"),
        "stamps_rejected": (
            "stamps_implausible",
            "time stamps that did not fit the rig's clock were rejected",
            "stamps",
        ),
        "clock_restarts": (
            "clock_restarted",
            "the rig's clock began anew and was mapped again",
            "restarts",
        ),
        "cut_off": ("movie_cut_off", "a movie file ends within a page, which is left out", "files"),
        "not_joined": (
            "file_not_joined",
            "a file with the next number is not of this acquisition and was not read",
            "files",
        ),
        "unusable": ("samples_unusable", "samples with NaN or infinity were left out", "samples"),
        "messages_refused": (refused.CODE, refused.TEXT, "messages"),
        "behaviour_unusable": (
            "behaviour_unusable",
            "samples of behaviour with NaN or infinity were left out",
            "samples",
        ),
    }
)
"""Counters of `ScanSource.health` whose increase is an event: its code, its text, what it counts.
"""


class SourceReports:
    """Makes an Event of each counter of a source that has increased, at most one a second.

    >>> reports = SourceReports()
    >>> [(event.code, event.counts) for event in reports.due({"lost": 60, "scans": 200}, t_ns=0)]
    [('scans_lost', {'scans': 60})]
    """

    def __init__(self) -> None:
        self._reported: dict[str, float] = {}
        self._due_ns: int | None = None

    def due(self, health: Mapping[str, float], *, t_ns: int) -> Iterator[EventMessage]:
        """Events of what was counted since the last report; none within a second of it."""
        if self._due_ns is None or t_ns >= self._due_ns:
            yield from self.rest(health, t_ns=t_ns)

    def rest(self, health: Mapping[str, float], *, t_ns: int) -> Iterator[EventMessage]:
        """Events of what was counted since the last report, at the end of a run."""
        for name, (code, text, what) in REPORTED.items():
            more = health.get(name, 0) - self._reported.get(name, 0)
            if more > 0:
                self._reported[name], self._due_ns = health[name], t_ns + _REPORT_NS
                log.warning("%s (%s: %g)", text, what, more)
                yield EventMessage("warning", "bridge", code, text, {what: more})


class ScanWait:
    """Whether the microscope has stopped: no scan has come for some time after the first one.

    >>> wait = ScanWait(2.0)
    >>> wait.reason(t_ns=9_000_000_000)
    ''
    >>> wait.scan_came(t_ns=9_000_000_000)
    >>> wait.reason(t_ns=10_000_000_000), wait.reason(t_ns=12_000_000_000)
    ('', 'the microscope sent no scan for 2 s')
    """

    def __init__(self, limit_s: float | None) -> None:
        self._limit_s, self._last_ns = limit_s, 0

    def scan_came(self, *, t_ns: int) -> None:
        """Note that a scan came at `t_ns`."""
        self._last_ns = t_ns

    def reason(self, *, t_ns: int) -> str:
        """Why the bridge ends now; empty where it does not."""
        if self._limit_s is None or not self._last_ns:
            return ""
        is_over = t_ns - self._last_ns > self._limit_s * 1e9
        return f"the microscope sent no scan for {self._limit_s:g} s" if is_over else ""


class WatchedSink:
    """Sink that notes each scan which passes."""

    def __init__(self, sink: Sink[Body], wait: ScanWait, clock: Clock) -> None:
        self._sink, self._wait, self._clock = sink, wait, clock

    def push(self, item: Body) -> None:
        if isinstance(item, Scan | Fluorescence):
            self._wait.scan_came(t_ns=self._clock.now_ns())
        self._sink.push(item)


class KeptSink:
    """Sink that keeps the last scan before it is pushed, so that no number is given out twice."""

    def __init__(self, sink: Sink[Body], progress: Progress) -> None:
        self._sink, self._progress = sink, progress

    def push(self, item: Body) -> None:
        if isinstance(item, Scan | Fluorescence):
            self._progress.write(*astuple(last_scan(item)))
        self._sink.push(item)


def run_bridge(
    source: ScanSource,
    sink: Sink[Body],
    *,
    screen: Source[Received] | None,
    stop: Event,
    clock: Clock,
    after_turn: Callable[[], None] = lambda: None,
    end_after_s: float | None = None,
) -> str:
    """Push the measurements of `source` to `sink` until the source ends or `stop` is set.

    Parameters
    ----------
    screen
        Displayed frames, for a source that needs them; None for all others.
    after_turn
        Called at least every 50 ms, for heartbeats.
    end_after_s
        Time in s without a scan after which it ends; None never does.

    Returns
    -------
    Why the loop ended, as a phrase for the log and the End message.
    """
    source.begin(clock.now_ns())
    reports, reason, wait = SourceReports(), "", ScanWait(end_after_s)
    sink = WatchedSink(sink, wait, clock)
    while not reason and not stop.is_set():
        if screen is not None:
            _show(screen, source)
        for body in source.measured_until(clock.now_ns() + _TURN_NS):
            sink.push(body)
        for event in reports.due(source.health(), t_ns=clock.now_ns()):
            sink.push(event)
        after_turn()
        at_end = "the source is at its end" if source.ended else ""
        reason = at_end or wait.reason(t_ns=clock.now_ns())
    for event in reports.rest(source.health(), t_ns=clock.now_ns()):
        sink.push(event)
    return reason or "stopped as asked"


def _show(screen: Source[Received], source: ScanSource) -> None:
    for received in screen.take(0.0):
        body = received.message.body
        if isinstance(body, DisplayedFrame):
            source.show(body)
