"""What the page states about the recording: whether the log grows, its size, and the free disk.

The recorder's heartbeat has the size of the files, so that the lamp means data on the disk and not
a process that runs.
"""

import math
from typing import Any

from rtdecode.runtime.backlog import BACKLOG_MB
from rtdecode.schema.bounded import Recent
from rtdecode.schema.config.roles import Role, role_of_source
from rtdecode.schema.messages import Health, Received
from rtdecode.session.disk_watch import FREE_MB, LOG_MB, MINUTES_LEFT
from rtdecode.view.process_watch import SILENT_S

_NS_PER_S = 1e9
_GROWS_S = 6.0
"""Time in s within which a log that is written grows: it is flushed each second by default."""
_MOST_SOURCES = 100


class RecordingState:
    """The recording of one run, from heartbeats.

    Parameters
    ----------
    flush_s
        Interval in s at which the log is flushed.
    """

    def __init__(self, *, flush_s: float = 1.0) -> None:
        self._grows_s = max(_GROWS_S, 3 * flush_s)
        self._held_mb: Recent[str, float] = Recent(_MOST_SOURCES)
        self._counters: dict[str, float] = {}
        self._heartbeat_ns: int | None = None
        self._grown_ns = 0

    def add(self, item: Received) -> None:
        """Take a heartbeat into account; other messages are ignored."""
        source, body = item.message.source, item.message.body
        if not isinstance(body, Health):
            return
        counters = {name: n for name, n in body.counters.items() if math.isfinite(n)}
        if BACKLOG_MB in counters:
            self._held_mb[source] = counters[BACKLOG_MB]
        if role_of_source(source) is Role.RECORDER:
            if counters.get(LOG_MB, 0.0) > self._counters.get(LOG_MB, 0.0):
                self._grown_ns = item.t_received_ns
            self._counters, self._heartbeat_ns = counters, item.t_received_ns

    @property
    def backlog_mb(self) -> float | None:
        """MB that wait for the recorder in all processes; None where none states it."""
        return sum(self._held_mb.values()) if self._held_mb else None

    def as_json(self, now_ns: int, *, is_ended: bool = False) -> dict[str, Any]:
        """State and figures, as plain values for JSON; null where unknown."""
        counters = self._counters
        return {
            "state": "ended" if is_ended else self._state(now_ns),
            "log_mb": counters.get(LOG_MB),
            "free_mb": counters.get(FREE_MB),
            "minutes_left": counters.get(MINUTES_LEFT),
            "backlog_mb": self.backlog_mb,
        }

    def _state(self, now_ns: int) -> str:
        """State of the lamp: waiting, recording, silent, or still where the log does not grow."""
        if self._heartbeat_ns is None or not self._grown_ns:
            return "waiting"
        if now_ns - self._heartbeat_ns > SILENT_S * _NS_PER_S:
            return "silent"
        return "still" if now_ns - self._grown_ns > self._grows_s * _NS_PER_S else "recording"
