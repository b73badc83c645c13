"""Whether the controller may act: armed by a person, disarmed by many causes.

Duties: hold the one state armed or not armed, decide when it ends by itself (dead-man time-out,
silence, loss of a process, failure of the policy), and state each change as an event with who or
what caused it. It must not carry out or withdraw anything.

>>> arming = Arming(dead_man_s=None, silence_s=2.0)
>>> arming.arm("the page", t_ns=0).text
'nothing was received from the recorder yet'
>>> arming.received(Watched.RECORDER, t_ns=0)
>>> [event.text for event in arming.arm("the page", t_ns=0).events]
['armed by the page']
>>> [event.text for event in arming.step(t_ns=2_100_000_000)]
['disarmed: no heartbeat of the recorder for 2.1 s']
>>> arming.is_armed
False
"""

from dataclasses import dataclass
from enum import StrEnum

from rtdecode.schema.messages import Event

_NS_PER_S = 1e9
ARMED, DISARMED, RENEWED = "armed", "disarmed", "dead_man_renewed"
"""Codes of the events."""


class Watched(StrEnum):
    """What must go on while the controller is armed."""

    RECORDER = "recorder"
    DECODER = "decoder"
    SUPERVISOR = "supervisor"
    """It passes on what a person commands."""


_SILENT = {
    Watched.RECORDER: "no heartbeat of the recorder",
    Watched.DECODER: "no new reconstruction",
    Watched.SUPERVISOR: "no answer of the supervisor, through which a person disarms,",
}


class Severity(StrEnum):
    """Severity of an event."""

    INFO = "info"
    WARNING = "warning"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Change:
    """Answer to a person's command, and the events that follow from it."""

    accepted: bool
    text: str
    events: tuple[Event, ...] = ()


class Arming:
    """The state armed or not armed of one controller; not armed at first.

    Parameters
    ----------
    dead_man_s
        Time in s for which it stays armed unless `arm` is called again; None for no limit.
    silence_s
        Time in s without a heartbeat of the recorder, or without a new reconstruction, after which
        it disarms; also without an answer of the supervisor. Each counts from the first one on.

    Attributes
    ----------
    is_armed
        Whether actions may be carried out.
    by
        Who or what armed it last.
    """

    def __init__(self, *, dead_man_s: float | None, silence_s: float) -> None:
        self._dead_man_s, self._silence_s = dead_man_s, silence_s
        self._received_ns: dict[Watched, int] = {}
        self._lost: set[Watched] = set()
        self._renewed_ns = 0
        self._blocked = ""
        self._turned_ns: int | None = None
        self.is_armed = False
        self.by = ""

    def arm(self, by: str, *, t_ns: int, severity: Severity = Severity.INFO) -> Change:
        """Arm, or renew the dead-man time where it is armed; refused where something is missing."""
        if problem := self._problem(t_ns):
            return Change(False, problem)
        before, self.is_armed, self.by = self.is_armed, True, by
        self._renewed_ns = t_ns
        if not before:
            text = f"armed by {by}"
            return Change(True, text, (_event(severity, ARMED, text),))
        if self._dead_man_s is None:
            return Change(True, "it was armed already")
        text = f"armed for another {self._dead_man_s:g} s by {by}"
        return Change(True, text, (_event(Severity.INFO, RENEWED, text),))

    def renew(self, by: str, *, t_ns: int) -> Change:
        """Renew the dead-man time; refused where it is not armed, as another cause came first."""
        return self.arm(by, t_ns=t_ns) if self.is_armed else Change(False, "it is not armed")

    def disarm(self, why: str, *, severity: Severity = Severity.INFO) -> Change:
        """Disarm; no event where it was not armed."""
        if not self.is_armed:
            return Change(True, "it was not armed")
        self.is_armed = False
        text = f"disarmed: {why}"
        return Change(True, text, (_event(severity, DISARMED, text),))

    def block(self, why: str, *, severity: Severity = Severity.ALARM) -> tuple[Event, ...]:
        """Disarm, and refuse to be armed from now on."""
        self._blocked = why
        return self.disarm(why, severity=severity).events

    def turned(self, *, t_ns: int) -> tuple[Event, ...]:
        """Note that the controller runs, and disarm where it stood still for too long before.

        What it receives after that is old, and what disarms went unnoticed meanwhile.
        """
        before_ns, self._turned_ns = self._turned_ns, t_ns
        still_s = 0.0 if before_ns is None else (t_ns - before_ns) / _NS_PER_S
        if still_s <= self._silence_s:
            return ()
        why = f"the controller itself stood still for {still_s:.1f} s"
        return self.disarm(why, severity=Severity.ALARM).events

    def received(self, watched: Watched, *, t_ns: int) -> None:
        """Note a heartbeat of the recorder, or a reconstruction that was ready at `t_ns`."""
        self._received_ns[watched] = max(t_ns, self._received_ns.get(watched, 0))
        self._lost.discard(watched)

    def lost(self, watched: Watched) -> tuple[Event, ...]:
        """Note that the connection to a process was lost; it disarms at once."""
        self._lost.add(watched)
        why = f"the connection to the {watched.value} was lost"
        return self.disarm(why, severity=Severity.ALARM).events

    def step(self, *, t_ns: int) -> tuple[Event, ...]:
        """Disarm where the dead-man time has passed or something is silent."""
        if not self.is_armed:
            return ()
        left_s = self.dead_man_left_s(t_ns)
        if left_s is not None and left_s <= 0:
            why = f"the dead-man time of {self._dead_man_s:g} s was not renewed"
            return self.disarm(why, severity=Severity.WARNING).events
        silent = self._silence(t_ns)
        return self.disarm(silent, severity=Severity.ALARM).events if silent else ()

    def dead_man_left_s(self, t_ns: int) -> float | None:
        """Time in s for which it stays armed; None where that has no limit, or it is not armed."""
        if self._dead_man_s is None or not self.is_armed:
            return None
        return self._dead_man_s - (t_ns - self._renewed_ns) / _NS_PER_S

    def _problem(self, t_ns: int) -> str:
        """Why it cannot be armed now; empty where it can."""
        if self._blocked:
            return self._blocked
        for watched in sorted(self._lost):
            return f"the connection to the {watched.value} was lost"
        if Watched.RECORDER not in self._received_ns:
            return "nothing was received from the recorder yet"
        return self._silence(t_ns)

    def _silence(self, t_ns: int) -> str:
        for watched, received_ns in self._received_ns.items():
            silent_s = (t_ns - received_ns) / _NS_PER_S
            if silent_s > self._silence_s:
                return f"{_SILENT[watched]} for {silent_s:.1f} s"
        return ""


def _event(severity: Severity, code: str, text: str) -> Event:
    return Event(severity.value, "controller", code, text)
