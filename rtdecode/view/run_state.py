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

from collections import deque
from typing import Any

from rtdecode.evaluate.output_count import LateFrames, OutputCount
from rtdecode.runtime.clock_state import HostClocks
from rtdecode.runtime.restarts import RUN_FAILED
from rtdecode.schema.bounded import Recent
from rtdecode.schema.config.roles import Role
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
from rtdecode.view.end_state import end_alarms, end_losses, end_score
from rtdecode.view.event_list import EventList
from rtdecode.view.process_watch import SILENT_S, ProcessWatch
from rtdecode.view.recording_state import RecordingState
from rtdecode.view.run_facts import RunFacts
from rtdecode.view.status_text import STALE_S, WARNING_DISPLAYED_S, Ages, run_status

_NS_PER_S = 1e9
_KNOWN_MESSAGES = 10_000
"""Far above the messages that a recorder publishes again."""
_MOST_SOURCES = 100
"""Sources whose state is known; a run has about ten."""
_SATURATED, _RECOVERED = "processor_saturated", "processor_recovered"


class RunState:
    """Counts, events and status of one run.

    Parameters
    ----------
    clock
        The host's clock, for ages.
    facts
        What the config states of the run.
    """

    def __init__(self, *, clock: Clock, facts: RunFacts | None = None) -> None:
        self._clock, self._facts = clock, facts or RunFacts()
        self._clocks = HostClocks(self._facts.network)
        self._count, self._events = OutputCount(), EventList()
        self._watch = ProcessWatch(self._facts)
        self._recording = RecordingState(flush_s=self._facts.flush_s)
        self._last_ns: dict[type[Body], int] = {}
        self._known: set[tuple[str, int, int]] = set()
        self._order: deque[tuple[str, int, int]] = deque()
        self._ended: Recent[str, int] = Recent(_MOST_SOURCES)
        """When each source that has ended did so."""
        self._failed = ""
        self._warm = False
        self._score: Score | None = None

    def add(self, item: Received) -> None:
        """Count one message."""
        message, body = item.message, item.message.body
        if isinstance(body, Gap | Event | Start) and not self._is_new(message):
            return
        self._last_ns[type(body)] = item.t_received_ns
        self._count.count(item)
        self._watch.add(item)
        self._recording.add(item)
        match body:
            case Reconstruction():
                self._warm = body.warm
            case Score():
                self._score = body
            case Event():
                self._events.add(body, t_ns=message.t_ns)
                self._failed = body.text if body.code == RUN_FAILED else self._failed
            case Health():
                self._clocks.add(message.source, body)
            case Start():
                self._events.begin(t_ns=message.t_ns)
                self._ended.pop(message.source, None)
            case End():
                self._ended[message.source] = message.t_ns

    @property
    def is_ended(self) -> bool:
        """Whether the run has failed, or a source has ended that has not started again."""
        return bool(self._ended or self._failed)

    def acknowledge(self, alarm: int) -> None:
        """Remove the alarm with this number from the banner."""
        self._events.acknowledge(alarm)

    def as_json(self, *, longest_step: str = "") -> dict[str, Any]:
        """Status line, counts, losses and events, as plain values for JSON.

        `longest_step` names the step that takes longest, for late frames.
        """
        now_ns = self._clock.now_ns()
        counters, late = self._count.counters(), self._count.late_until(now_ns)
        status = run_status(
            self._ages(now_ns, late=late, longest_step=longest_step),
            warm=self._warm,
            ended=self.is_ended,
            lost=int(counters["lost_messages"]),
            decodes=self._facts.decodes,
            failed=self._failed,
        )
        return {
            "level": status.level,
            "title": status.title,
            "sentence": status.sentence,
            "is_outdated": status.is_outdated,
            "run": self._run(now_ns),
            "end": self._end(now_ns),
            "recording": self._recording.as_json(now_ns, is_ended=self.is_ended),
            "counters": counters,
            "losses": {
                "scans_lost": self._count.lost_scans,
                "lost_by_stream": self._count.lost_by_stream,
                "missed": self._count.missed,
                "late_10_s": late.late,
                "frames_10_s": late.frames,
            },
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

    def _run(self, now_ns: int) -> dict[str, Any]:
        """Name, kind, and length of the run so far."""
        return {
            "session": self._facts.session,
            "decodes": self._facts.decodes,
            "elapsed_s": self._elapsed_s(now_ns),
            "seconds": self._facts.seconds,
            "scans": self._watch.counter(Role.BRIDGE, "scans"),
            "frames_displayed": self._watch.counter(Role.STIMULUS, "frames_shown"),
        }

    def _end(self, now_ns: int) -> dict[str, Any] | None:
        """What is stated of a run that has ended; None before."""
        if not self.is_ended:
            return None
        return {
            "failed": self._failed,
            "elapsed_s": self._elapsed_s(now_ns),
            "score": end_score(self._score, decodes=self._facts.decodes),
            "losses": end_losses(self._count, decodes=self._facts.decodes),
            "alarms": end_alarms(len(self._events.alarms())),
            "report": self._facts.report,
        }

    def _elapsed_s(self, now_ns: int) -> float | None:
        """Seconds since the session began, until its end; None before it began."""
        until_ns = max(self._ended.values(), default=now_ns)
        began_ns = self._events.zero_ns
        return None if began_ns is None else max(0.0, (until_ns - began_ns) / _NS_PER_S)

    def _ages(self, now_ns: int, *, late: LateFrames, longest_step: str) -> Ages:
        warning = self._events.warning_since(now_ns - round(WARNING_DISPLAYED_S * _NS_PER_S))
        decoded_s = self._age_s(Reconstruction, now_ns)
        is_stale = decoded_s is not None and decoded_s > STALE_S
        problems = self._watch.problems(now_ns, silent_s=STALE_S if is_stale else SILENT_S)
        return Ages(
            decoded_s=decoded_s,
            displayed_s=self._age_s(DisplayedFrame, now_ns),
            responses_s=self._age_s(Responses, now_ns),
            loss_s=self._age_s(Gap, now_ns),
            problems=tuple(problems),
            alarms=len(self._events.alarms()),
            warning="" if warning is None else f"{warning.process}: {warning.text}",
            late=late,
            late_cause=self._saturated(now_ns) or longest_step,
        )

    def _saturated(self, now_ns: int) -> str:
        """Since when the processors of a host are saturated, where an event has stated it."""
        since_ns = self._events.newest_of_code(_SATURATED)
        over_ns = self._events.newest_of_code(_RECOVERED)
        if since_ns is None or (over_ns is not None and over_ns > since_ns):
            return ""
        return f"processors saturated since {(now_ns - since_ns) / _NS_PER_S:.0f} s"

    def _age_s(self, kind: type[Body], now_ns: int) -> float | None:
        last_ns = self._last_ns.get(kind)
        return None if last_ns is None else (now_ns - last_ns) / _NS_PER_S
