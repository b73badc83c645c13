"""Events of all processes as the page lists them, and the alarms of its banner.

Severity decides: an info stands in the list only, a warning is amber there and in the status line,
an alarm is in the banner until it is over or a person has acknowledged it.

>>> from rtdecode.schema.messages import Event
>>> events = EventList()
>>> events.add(Event("alarm", "recorder", "disk_slow", "the disk is slow"), t_ns=4_000_000_000)
>>> events.begin(t_ns=1_000_000_000)
>>> [(one["t_s"], one["text"]) for one in events.alarms()]
[(3.0, 'the disk is slow')]
>>> events.acknowledge(1)
>>> events.alarms()
[]
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rtdecode.evaluate.output_count import EventSum, event_sum
from rtdecode.schema.bounded import Recent
from rtdecode.schema.messages import Event
from rtdecode.schema.notes import NOTE

_NS_PER_S = 1e9
_LISTED = 40
_MOST_ALARMS, _MOST_KNOWN = 50, 1_000
"""Alarms in the banner, and processes and codes whose newest event is known."""
ALARM, WARNING = "alarm", "warning"
ENDS: Mapping[str, str] = MappingProxyType(
    {
        "recorder_resumed": "recorder_stalled",
        "field_found": "field_lost",
        "twin_match": "twin_mismatch",
        "armed": "disarmed",
        "work_recovered": "overloaded",
    }
)
"""Code of an event → code of the alarms of the same process that it ends."""


@dataclass(slots=True)
class _Row:
    """Events of one process and code without another event between them; each note by itself."""

    number: int
    """Consecutive number of its newest event."""
    events: EventSum


class EventList:
    """The newest events of a run, and its alarms that are neither over nor acknowledged."""

    def __init__(self) -> None:
        self._rows: deque[_Row] = deque(maxlen=_LISTED)
        self._alarms: Recent[tuple[str, str], _Row] = Recent(_MOST_ALARMS)
        self._newest: Recent[tuple[str, str], int] = Recent(_MOST_KNOWN)
        self._number = 0
        self._zero_ns: int | None = None

    def begin(self, *, t_ns: int) -> None:
        """Take `t_ns`, when a source started, for the start of the session if it is the first."""
        self._zero_ns = t_ns if self._zero_ns is None else min(t_ns, self._zero_ns)

    def add(self, event: Event, *, t_ns: int) -> None:
        """Add an event that was sent at `t_ns`."""
        self._number += 1
        key = event.process, event.code
        self._newest[key] = t_ns
        last = self._rows[-1] if self._rows else None
        is_same = last is not None and (last.events.process, last.events.code) == key
        if last is not None and is_same and event.code != NOTE:
            self._rows.pop()
            row = _Row(self._number, event_sum(last.events, event, t_ns=t_ns))
        else:
            row = _Row(self._number, event_sum(None, event, t_ns=t_ns))
        self._rows.append(row)
        if event.severity == ALARM:
            known = self._alarms.get(key)
            summed = event_sum(known.events if known else None, event, t_ns=t_ns)
            self._alarms[key] = _Row(self._number, summed)
        self._alarms.pop((event.process, ENDS.get(event.code, "")), None)

    def acknowledge(self, number: int) -> None:
        """Remove the alarm with this number from the banner; a newer one has another number."""
        for key in [key for key, row in self._alarms.items() if row.number == number]:
            del self._alarms[key]

    def alarms(self) -> list[dict[str, Any]]:
        """Alarms that are neither over nor acknowledged, oldest first, as plain values."""
        return [self._as_json(row) for row in self._alarms.values()]

    def newest(self) -> list[dict[str, Any]]:
        """The newest events, the last one first, as plain values."""
        return [self._as_json(row) for row in reversed(self._rows)]

    @property
    def zero_ns(self) -> int | None:
        """When the session started; None before a source has."""
        return self._zero_ns

    def newest_of_code(self, code: str) -> int | None:
        """When any process last sent an event of `code`; None where none has."""
        return max((t_ns for key, t_ns in self._newest.items() if key[1] == code), default=None)

    def warning_since(self, t_ns: int) -> EventSum | None:
        """The newest warning after `t_ns`."""
        recent = (row.events for row in reversed(self._rows) if row.events.last_ns > t_ns)
        return next((one for one in recent if one.severity == WARNING), None)

    def _as_json(self, row: _Row) -> dict[str, Any]:
        events = row.events
        return {
            "number": row.number,
            "t_s": self._t_s(events.first_ns),
            "last_s": self._t_s(events.last_ns),
            "severity": events.severity,
            "process": events.process,
            "code": events.code,
            "text": events.text,
            "times": events.times,
            "counts": dict(events.counts),
        }

    def _t_s(self, t_ns: int) -> float | None:
        """Seconds since the start of the session; None before a source started."""
        return None if self._zero_ns is None else (t_ns - self._zero_ns) / _NS_PER_S
