"""Counts of a session that heartbeats, page, summary and report share.

Duties: count reconstructions, late and missing ones, sum events, and keep four layers of losses
apart: scans that the microscope lost, messages that the log lacks, frames that were not decoded,
frames that were late. The layers are never summed. It must not read a log or a clock; each view
passes it the messages that it receives.

>>> from rtdecode.schema.messages import Gap, Received, Stamped
>>> count = OutputCount()
>>> gap = Gap("bridge/scan", first_missing=17, n_missing=2, detected_by="recorder")
>>> count.count(Received(Stamped("recorder", 0, 5, "host", gap), 5))
>>> count.lost_by_stream, count.frames_not_decoded
({'bridge/scan': 2}, 0)
"""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rtdecode.schema.bounded import OTHERS, kept_name
from rtdecode.schema.messages import Event, Gap, Received, Reconstruction
from rtdecode.schema.notes import NOTE
from rtdecode.schema.recorded_activity import TRIAL_ENDED

_NS_PER_S = 1e9
_SCANS_LOST = "scans_lost"
"""Code of the events that count scans which the microscope lost."""
_RECORDER = "recorder"
_SEVERITIES = ("info", "warning", "alarm")
_LATE_WINDOW_NS = 10_000_000_000
"""Length of the window in which late frames are counted apart."""
_MOST_TEXTS = 20
"""Texts of one process and code that are stated apart."""
_MOST_EVENTS, _MOST_COUNTS, _MOST_STREAMS, _MOST_STEPS = 300, 50, 1_000, 100
"""Sums of events, names of the counts of one sum, streams with a loss, and numbers of solver steps
that are stated apart."""
_MOST_NOTES = 2_000
"""Notes of persons, each of which is stated apart, in addition to the sums of events."""
_MOST_RECENT = 20_000
"""Frames of the window, however wrong their times are."""
_MOST_NOT_DECODED = 1_000_000_000
"""Longest run of frames without a reconstruction that is believed: a year at 30 Hz."""
_OTHER_EVENTS = "events of further processes and codes, which are not stated apart"


@dataclass(frozen=True, slots=True)
class EventSum:
    """All events of one process and code, and where they have no counts of one text."""

    severity: str
    """The highest of them."""
    process: str
    code: str
    text: str
    times: int
    """Number of events."""
    counts: Mapping[str, float]
    """Sums of the events' counts; NaN and infinity, which no sum can hold, are left out."""
    first_ns: int
    """When the first one was sent."""
    last_ns: int

    def sentence(self, *, zero_ns: int) -> str:
        """State what happened, how often and when, in s after `zero_ns`, the start of the log."""
        if self.code == NOTE:
            return f"Note at {(self.first_ns - zero_ns) / _NS_PER_S:.1f} s: {self.text}"
        sums = [f"{name}: {count:,.0f}" for name, count in self.counts.items()]
        if not sums and self.times > 1:
            sums = [f"{self.times:,} times"]
        noted = f" ({', '.join(sums)})" if sums else ""
        first, last = (f"{(t_ns - zero_ns) / _NS_PER_S:.1f}" for t_ns in self.span_ns)
        when = f"at {first} s" if first == last else f"from {first} to {last} s"
        return f"Event in the {self.process}: {self.text}{noted}, {when}."

    @property
    def span_ns(self) -> tuple[int, int]:
        """Times of the first and of the last one."""
        return self.first_ns, self.last_ns


@dataclass(frozen=True, slots=True)
class LateFrames:
    """Late frames within one window of 10 s."""

    late: int
    frames: int
    """Frames that were emitted in it."""
    end_ns: int
    """When the last of them was emitted."""


class OutputCount:
    """Number, rate and lateness of reconstructions, losses by layer, and events."""

    def __init__(self) -> None:
        self.n_frames = self.n_late = self._frames_missing = 0
        self.frames_left_out = self.neurons_left_out = 0
        self.frames_shed = 0
        """Those of `frames_not_decoded` that an overloaded decoder left out."""
        self.by_steps: Counter[int] = Counter()
        """Emitted frames by the number of solver steps of their estimate."""
        self.worst_late = LateFrames(0, 0, 0)
        """The window with the most late frames so far, the first one of several."""
        self._first_ns = self._last_ns = 0
        self._newest: tuple[int, int] | None = None
        """Highest frame number so far, and number of the newest message."""
        self._recent: deque[tuple[int, bool]] = deque(maxlen=_MOST_RECENT)
        self._missing: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._events: dict[tuple[str, str, str], EventSum] = {}
        self._n_notes = 0
        self._texts: Counter[tuple[str, str]] = Counter()
        """Number of texts that are summed apart, by process and code."""

    def count(self, item: Received) -> None:
        """Count a reconstruction, a gap or an event; other messages are ignored."""
        body, t_ns = item.message.body, item.message.t_ns
        if isinstance(body, Reconstruction):
            self.by_steps[kept_name(self.by_steps, body.steps, most=_MOST_STEPS, others=-1)] += 1
            self._count_frame(body, t_ns)
            self._count_missing(body.frame, item.message.seq)
        elif isinstance(body, Gap):
            others = (OTHERS, body.detected_by if body.detected_by == _RECORDER else OTHERS)
            key = (body.stream, body.detected_by)
            key = kept_name(self._missing, key, most=_MOST_STREAMS, others=others)
            self._missing[key] += body.n_missing
        elif isinstance(body, Event):
            self._count_event(body, t_ns)

    def counters(self) -> dict[str, float]:
        """Totals since the start of the run."""
        return {
            "frames": float(self.n_frames),
            "fps_out": self.fps,
            "late": float(self.n_late),
            "late_percent": 100 * self.n_late / self.n_frames if self.n_frames else 0.0,
            "frames_left_out": float(self.frames_left_out),
            "neurons_left_out": float(self.neurons_left_out),
            "frames_not_decoded": float(self.frames_not_decoded),
            "frames_shed": float(self.frames_shed),
            "lost_messages": float(sum(self.lost_by_stream.values())),
        }

    @property
    def fps(self) -> float:
        """Emitted frames a second, from the first to the last one."""
        span_s = (self._last_ns - self._first_ns) / _NS_PER_S
        return (self.n_frames - 1) / span_s if span_s > 0 else 0.0

    def late_until(self, t_ns: int) -> LateFrames:
        """Late frames of the 10 s that ends at `t_ns`; no later one was counted before."""
        self._drop_until(t_ns - _LATE_WINDOW_NS)
        return LateFrames(sum(late for _, late in self._recent), len(self._recent), t_ns)

    @property
    def events(self) -> list[EventSum]:
        """Events summed by process and code, in the order of their first occurrence.

        Those without counts are summed by text too, because each text states another cause.
        """
        return list(self._events.values())

    @property
    def lost_scans(self) -> int:
        """Scans that the microscope lost, by its own numbers."""
        return self._sum_of(_SCANS_LOST, "scans")

    @property
    def frames_not_decoded(self) -> int:
        """Frames between the first and the last emitted one for which nothing was emitted.

        The last frames of a trial, which could not be decoded before the next one, do not count.
        """
        return max(0, self._frames_missing - self._sum_of(TRIAL_ENDED, "frames"))

    def _sum_of(self, code: str, count: str) -> int:
        return round(sum(one.counts.get(count, 0) for one in self.events if one.code == code))

    @property
    def lost_by_stream(self) -> dict[str, int]:
        """Messages of each stream that were sent and that the log lacks, as the recorder found."""
        return {stream: n for (stream, by), n in self._missing.items() if by == _RECORDER}

    @property
    def missed(self) -> dict[str, int]:
        """Messages that a process missed, which the log can have: `STREAM by PROCESS` → number."""
        found = self._missing.items()
        return {f"{stream} by {by}": n for (stream, by), n in found if by != _RECORDER}

    def _count_event(self, event: Event, t_ns: int) -> None:
        others = (OTHERS, OTHERS, "")
        most = _MOST_EVENTS + self._n_notes
        key = kept_name(self._events, self._event_key(event), most=most, others=others)
        if key == others:
            event = replace(event, process=OTHERS, code=OTHERS, text=_OTHER_EVENTS)
        self._events[key] = event_sum(self._events.get(key), event, t_ns=t_ns)

    def _event_key(self, event: Event) -> tuple[str, str, str]:
        """What `event` is summed by; after a number of texts, others of its code are one sum.

        Each note is stated apart, also where two have the same text.
        """
        if event.code == NOTE and self._n_notes < _MOST_NOTES:
            self._n_notes += 1
            return event.process, event.code, f"{self._n_notes} {event.text}"
        kind, summed = (event.process, event.code), (event.process, event.code, "")
        apart = (event.process, event.code, event.text)
        if event.counts or apart in self._events:
            return summed if event.counts else apart
        if self._texts[kind] == _MOST_TEXTS:
            return summed
        self._texts[kind] += 1
        return apart

    def _count_frame(self, body: Reconstruction, t_ns: int) -> None:
        self._first_ns = self._first_ns if self.n_frames else t_ns
        self._last_ns = t_ns
        self.n_frames += 1
        self.n_late += body.late
        self.frames_left_out += body.frame_left_out
        self.frames_shed += body.frames_shed
        self.neurons_left_out = max(self.neurons_left_out, body.neurons_left_out)
        self._recent.append((t_ns, body.late))
        self._drop_until(t_ns - _LATE_WINDOW_NS)
        if body.late:
            self.worst_late = max(self.worst_late, self.late_until(t_ns), key=lambda one: one.late)

    def _count_missing(self, frame: int, seq: int) -> None:
        """Count the frames before `frame` that were not decoded.

        A frame whose message is missing was decoded; the numbers of messages, which begin with 0
        again after a restart, tell the two apart.
        """
        before, seq_before = (frame - 1, seq - 1) if self._newest is None else self._newest
        not_received = seq - (seq_before + 1 if seq > seq_before else 0)
        missing = frame - before - 1 - not_received
        if missing <= _MOST_NOT_DECODED:
            self._frames_missing += max(0, missing)
            self._newest = max(before, frame), seq

    def _drop_until(self, t_ns: int) -> None:
        while self._recent and self._recent[0][0] <= t_ns:
            self._recent.popleft()


def event_sum(known: EventSum | None, event: Event, *, t_ns: int) -> EventSum:
    """`known` with `event`, sent at `t_ns`, added."""
    before = {} if known is None else known.counts
    new = {name: count for name, count in event.counts.items() if math.isfinite(count)}
    counts = dict(before)
    for name, count in new.items():
        name = kept_name(counts, name, most=_MOST_COUNTS, others=OTHERS)
        total = counts.get(name, 0) + count
        counts[name] = total if math.isfinite(total) else count
    severities = [event.severity] if known is None else [known.severity, event.severity]
    return EventSum(
        severity=max(severities, key=severity_rank),
        process=event.process,
        code=event.code,
        text=event.text,
        times=1 if known is None else known.times + 1,
        counts=counts,
        first_ns=t_ns if known is None else known.first_ns,
        last_ns=t_ns,
    )


def severity_rank(severity: str) -> int:
    """0 for info, 1 for warning, 2 for alarm; a severity of a later release ranks as alarm."""
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES) - 1
