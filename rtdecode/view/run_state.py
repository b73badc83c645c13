"""What the page states about a run besides pictures and scores: counts, events, processes.

Duties: count what arrives with the same `OutputCount` as the summary, list events, note when each
kind of message last came, and say in one status how the run is. It depends on no socket and no
browser. Gaps, events and STARTs arrive both from their process and from the recorder, and again
after a reconnection; each is counted once.

    state = RunState(clock=HostClock())
    for item in subscriber.take(0.1):
        state.add(item)
    state.as_json()
"""

import math
from collections import deque
from typing import Any

from rtdecode.evaluate.output_count import OutputCount
from rtdecode.runtime.clock_state import HostClocks
from rtdecode.schema.bounded import Recent
from rtdecode.schema.config.network import NetworkConfig
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    End,
    Event,
    Gap,
    Health,
    Received,
    Reconstruction,
    Responses,
    Score,
    Stamped,
    Start,
)
from rtdecode.view.event_list import EventList
from rtdecode.view.status_text import WARNING_DISPLAYED_S, Ages, run_status

_NS_PER_S = 1e9
_KNOWN_MESSAGES = 10_000
"""Far above the messages that a recorder publishes again."""
_MOST_SOURCES = 100
"""Sources whose state is known; a run has about ten."""
_SILENT_S = 3.0
"""Time in s without a heartbeat after which a process is reported; heartbeats come each 0.5 s."""
_RECORDER, _DECODER, _EVALUATE = "events", "decoder", "evaluate"
"""Sources whose heartbeats are watched; the recorder publishes as `events`."""
_BACKLOG = "recorder_backlog_mb"
RESTARTED = "process_restarted"


class RunState:
    """Counts, events and status of one run.

    Parameters
    ----------
    clock
        The host's clock, for ages.
    network
        The hosts of the run, after which their clocks are named.
    """

    def __init__(self, *, clock: Clock, network: NetworkConfig | None = None) -> None:
        self._clock, self._clocks = clock, HostClocks(network or NetworkConfig())
        self._count, self._events = OutputCount(), EventList()
        self._last_ns: dict[type[Body], int] = {}
        self._health: Recent[str, tuple[Health, int]] = Recent(_MOST_SOURCES)
        self._known: set[tuple[str, int, int]] = set()
        self._order: deque[tuple[str, int, int]] = deque()
        self._ended: Recent[str, bool] = Recent(_MOST_SOURCES)
        self._warm = False

    def add(self, item: Received) -> None:
        """Count one message."""
        message, body = item.message, item.message.body
        if isinstance(body, Gap | Event | Start) and not self._is_new(message):
            return
        self._last_ns[type(body)] = item.t_received_ns
        self._count.count(item)
        match body:
            case Reconstruction():
                self._warm = body.warm
            case Event():
                self._events.add(body, t_ns=message.t_ns)
            case Health():
                self._health[message.source] = body, item.t_received_ns
                self._clocks.add(message.source, body)
            case Start():
                self._events.begin(t_ns=message.t_ns)
                self._ended.pop(message.source, None)
            case End():
                self._ended[message.source] = True

    def acknowledge(self, alarm: int) -> None:
        """Remove the alarm with this number from the banner."""
        self._events.acknowledge(alarm)

    def as_json(self) -> dict[str, Any]:
        """Status line, counts, losses and events, as plain values for JSON."""
        now_ns = self._clock.now_ns()
        counters, late = self._count.counters(), self._count.late_until(now_ns)
        status = run_status(
            self._ages(now_ns),
            warm=self._warm,
            ended=bool(self._ended),
            lost=int(counters["lost_messages"]),
        )
        return {
            "level": status.level,
            "title": status.title,
            "sentence": status.sentence,
            "counters": counters,
            "losses": {
                "scans_lost": self._count.lost_scans,
                "lost_by_stream": self._count.lost_by_stream,
                "missed": self._count.missed,
                "late_10_s": late.late,
                "frames_10_s": late.frames,
            },
            "recorder_backlog_mb": self._backlog_mb(),
            "clocks": [clock.text() for clock in self._clocks.figures()],
            "score_age_s": self._age_s(Score, now_ns),
            "alarms": self._events.alarms(),
            "events": self._events.newest(),
        }

    def _is_new(self, message: Stamped) -> bool:
        key = message.stream, message.seq, message.t_ns
        if key in self._known:
            return False
        self._known.add(key)
        self._order.append(key)
        if len(self._order) > _KNOWN_MESSAGES:
            self._known.discard(self._order.popleft())
        return True

    def _backlog_mb(self) -> float | None:
        """MB that wait for the recorder's disk, by the heartbeats; None where none states it."""
        found = [one.counters.get(_BACKLOG) for one, _ in self._health.values()]
        known = [mb for mb in found if mb is not None and math.isfinite(mb)]
        return sum(known) if known else None

    def _ages(self, now_ns: int) -> Ages:
        warning = self._events.warning_since(now_ns - round(WARNING_DISPLAYED_S * _NS_PER_S))
        return Ages(
            decoded_s=self._age_s(Reconstruction, now_ns),
            displayed_s=self._age_s(DisplayedFrame, now_ns),
            responses_s=self._age_s(Responses, now_ns),
            loss_s=self._age_s(Gap, now_ns),
            recorder_s=self._heartbeat_age_s(_RECORDER, now_ns),
            decoder=self._problem(_DECODER, Reconstruction, now_ns),
            score=self._problem(_EVALUATE, Score, now_ns),
            alarms=len(self._events.alarms()),
            warning="" if warning is None else f"{warning.process}: {warning.text}",
        )

    def _age_s(self, kind: type[Body], now_ns: int) -> float | None:
        last_ns = self._last_ns.get(kind)
        return None if last_ns is None else (now_ns - last_ns) / _NS_PER_S

    def _heartbeat_age_s(self, source: str, now_ns: int) -> float | None:
        found = self._health.get(source)
        return None if found is None else (now_ns - found[1]) / _NS_PER_S

    def _problem(self, process: str, kind: type[Body], now_ns: int) -> str:
        """Why `process` gives nothing of `kind` now, as far as is known; else empty."""
        since_ns = self._last_ns.get(kind, 0)
        restarted_ns = self._events.newest_of(process, RESTARTED)
        if restarted_ns is not None and restarted_ns >= since_ns:
            return f"{process} is restarting"
        health, health_ns = self._health.get(process, (None, 0))
        if health is None:
            return ""
        if health.state == "starting" and health_ns > since_ns:
            return f"{process} is starting"
        silent_s = (now_ns - health_ns) / _NS_PER_S
        return f"{process} sends no heartbeat for {silent_s:.0f} s" if silent_s > _SILENT_S else ""
