"""Counts of reconstructions, lost messages and events, for heartbeats, page and summary."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from rtdecode.schema.messages import Event, Gap, Received, Reconstruction

_NS_PER_S = 1e9
_SCANS_LOST = "scans_lost"
"""Code of the events that count scans which the microscope lost."""


@dataclass(frozen=True, slots=True)
class EventSum:
    """All events of one process and code in a session."""

    severity: str
    process: str
    code: str
    text: str
    times: int
    """Number of events."""
    counts: Mapping[str, float]
    """Sums of the events' counts."""

    def sentence(self) -> str:
        """State what happened, and how often."""
        sums = [f"{name}: {count:,.0f}" for name, count in self.counts.items()]
        if not sums and self.times > 1:
            sums = [f"{self.times:,} times"]
        noted = f" ({', '.join(sums)})" if sums else ""
        return f"Event in the {self.process}: {self.text}{noted}."


class OutputCount:
    """Number, rate and lateness of reconstructions, messages lost by stream, and events."""

    def __init__(self) -> None:
        self._n = self._late = self._frames_left_out = self._neurons_left_out = 0
        self._first_ns = self._last_ns = 0
        self._missing: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._events: dict[tuple[str, str], EventSum] = {}

    def count(self, item: Received) -> None:
        """Count a reconstruction, a gap or an event; other messages are ignored."""
        body = item.message.body
        if isinstance(body, Reconstruction):
            self._first_ns = self._first_ns if self._n else body.t_ready_ns
            self._last_ns = body.t_ready_ns
            self._n += 1
            self._late += body.late
            self._frames_left_out += body.frame_left_out
            self._neurons_left_out = max(self._neurons_left_out, body.neurons_left_out)
        elif isinstance(body, Gap):
            self._missing[body.stream, body.detected_by] += body.n_missing
        elif isinstance(body, Event):
            known = self._events.get((body.process, body.code))
            self._events[body.process, body.code] = _summed(known, body)

    def counters(self) -> dict[str, float]:
        """Totals since the start of the run."""
        span_s = (self._last_ns - self._first_ns) / _NS_PER_S
        return {
            "frames": float(self._n),
            "fps_out": (self._n - 1) / span_s if span_s > 0 else 0.0,
            "late": float(self._late),
            "late_percent": 100 * self._late / self._n if self._n else 0.0,
            "frames_left_out": float(self._frames_left_out),
            "neurons_left_out": float(self._neurons_left_out),
            "lost_messages": float(sum(self.lost_by_stream.values())),
        }

    @property
    def events(self) -> list[EventSum]:
        """Events summed by process and code, in the order of their first occurrence."""
        return list(self._events.values())

    @property
    def lost_scans(self) -> int:
        """Scans that the microscope lost, by its own numbers."""
        sums = (one.counts.get("scans", 0) for one in self.events if one.code == _SCANS_LOST)
        return round(sum(sums))

    @property
    def lost_by_stream(self) -> dict[str, int]:
        """Messages lost in each stream.

        Several processes may report the same gap, so the largest report of each stream counts.
        """
        largest: defaultdict[str, int] = defaultdict(int)
        for (stream, _), missing in self._missing.items():
            largest[stream] = max(largest[stream], missing)
        return dict(largest)


def _summed(known: EventSum | None, event: Event) -> EventSum:
    before = {} if known is None else known.counts
    names = dict.fromkeys([*before, *event.counts])
    return EventSum(
        severity=event.severity,
        process=event.process,
        code=event.code,
        text=event.text,
        times=1 if known is None else known.times + 1,
        counts={name: before.get(name, 0) + event.counts.get(name, 0) for name in names},
    )
