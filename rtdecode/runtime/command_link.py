"""Command link between a controller and the stimulus: no command is lost, none acts twice.

Duties: bring each command to the stimulus once and in order, and its one result back, also when a
socket is opened anew or either process is started again. What a command does is in
`stimulus.commands`; whether one may be sent is the controller's.

The envelope's `seq` of a command is its number on the link, from 0 and without a gap; the results
have the number of their command. The receiver takes the numbers in order alone. It states the next
number that it expects in a `health` message, after each batch that it receives, and the sender
sends again from there. The sender's own `health` messages name the commands whose result it lacks.
Each of the last `WINDOW` commands keeps its result, so that a command that comes again is answered
and not carried out again.

A sender that was started again sends what has no result yet with the outcome `withdrawn`: the
receiver answers with the result where there is one, and otherwise it is never carried out.
"""

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from rtdecode.runtime.command_receiver import NEXT, WINDOW, packed, withdrawal_of
from rtdecode.runtime.control import identity_of
from rtdecode.runtime.progress import KeptMessages
from rtdecode.runtime.sockets import Messaging, drained, has_room
from rtdecode.schema.control import Acknowledgement, Action
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Health, Stamped

WINDOW_MB = 128.0
"""Megabytes of commands without a result, at most."""
_PROBE_NS = 250_000_000
_AGAIN_NS = 100_000_000
_MOST_EVENTS = 100


class LinkEvent(StrEnum):
    """Codes of the sender's events."""

    SILENT = "stimulus_silent"
    """The stimulus does not answer; commands wait."""
    ANSWERS = "stimulus_answers"
    FORGOTTEN = "stimulus_without_session"
    """The stimulus was started again without what it keeps in the session folder."""


@dataclass(slots=True)
class _Sent:
    """One command without a result: its bytes, those of its withdrawal, and when it was sent."""

    data: bytes
    withdrawal: bytes
    t_sent_ns: int


class CommandSender:
    """The controller's end: sends actions in order and returns the one result of each.

    Parameters
    ----------
    endpoint
        `network.commands`, where the stimulus receives.
    kept
        Commands of this session, with `WINDOW` slots. What is open in it is withdrawn.
    token
        Token of the run; empty where there is none.
    silence_s
        Time in s without an answer after which the event `stimulus_silent` is given.
    """

    def __init__(
        self,
        messaging: Messaging,
        *,
        clock: Clock,
        endpoint: str,
        kept: KeptMessages,
        token: str = "",
        silence_s: float = 2.0,
        name: str = "controller",
    ) -> None:
        self._messaging, self._clock, self._kept, self._name = messaging, clock, kept, name
        # another identity for each sender, so that answers never go to a closed connection
        identity = identity_of(f"{name}.{clock.now_ns()}", token)
        self._socket = messaging.dealer(endpoint, identity=identity)
        before = kept.read()
        self._next = max(before, default=-1) + 1
        self._open = {seq: _Sent(data, data, 0) for seq, data in before.items() if data}
        self._bytes = sum(len(sent.data) for sent in self._open.values())
        self._next_expected = 0
        self._probe_due_ns = 0
        self._watch = _Watch(round(silence_s * 1e9), name)

    def __len__(self) -> int:
        """Number of commands without a result."""
        return len(self._open)

    @property
    def has_room(self) -> bool:
        """Whether `send` takes another command now."""
        oldest = next(iter(self._open), self._next)
        return self._next - oldest < WINDOW and self._bytes < WINDOW_MB * 1e6

    def send(self, action: Action) -> bool:
        """Send `action` to the stimulus; False, and not sent, where too many have no result yet.

        Its number on the link is kept before it is sent.
        """
        if not self.has_room:
            return False
        seq, now_ns = self._next, self._clock.now_ns()
        self._next += 1
        withdrawal = packed(self._name, seq, withdrawal_of(action), now_ns)
        sent = _Sent(packed(self._name, seq, action, now_ns), withdrawal, 0)
        self._kept.write(seq, withdrawal)
        self._open[seq] = sent
        self._bytes += len(sent.data)
        self._transmit(sent)
        return True

    def withdraw(self) -> None:
        """Withdraw all that has no result yet, as after disarming; results come as for others."""
        for sent in self._open.values():
            self._bytes += len(sent.withdrawal) - len(sent.data)
            sent.data = sent.withdrawal
            self._transmit(sent)

    def take(self, wait_s: float = 0.0) -> list[Acknowledgement]:
        """Results that have come, after `wait_s` at most; sends again what has not arrived."""
        received = drained(self._socket, self._messaging, self._clock, wait_s)
        now_ns = self._clock.now_ns()
        results = [
            result for _, one in received if (result := self._result(one.message)) is not None
        ]
        self._watch.turn(now_ns, answered=len(received))
        if received or now_ns >= self._probe_due_ns:
            self._send_again(now_ns)
        if now_ns >= self._probe_due_ns:
            self._probe_due_ns = now_ns + _PROBE_NS
            # an answer may be lost at a reconnection, so that its command is open for ever
            unanswered = {str(seq): 1.0 for seq in self._open if seq < self._next_expected}
            probe = Health("running", "", unanswered)
            self._push(packed(self._name, self._next, probe, now_ns))
        return results

    def events(self) -> list[Event]:
        """Events since the last call: that the stimulus does not answer, and that it does again."""
        return self._watch.events()

    def _result(self, message: Stamped) -> Acknowledgement | None:
        body = message.body
        # another program at the endpoint may state anything
        if isinstance(body, Health) and math.isfinite(stated := body.counters.get(NEXT, 0.0)):
            self._next_expected = round(stated)
            self._watch.expects(self._next_expected, oldest=next(iter(self._open), self._next))
        if isinstance(body, Acknowledgement) and message.seq in self._open:
            self._bytes -= len(self._open.pop(message.seq).data)
            self._kept.write(message.seq, b"")
            return body
        return None

    def _send_again(self, now_ns: int) -> None:
        for seq, sent in self._open.items():
            is_missing = seq >= self._next_expected or sent.data is sent.withdrawal
            if is_missing and now_ns - sent.t_sent_ns > _AGAIN_NS and not self._transmit(sent):
                return

    def _transmit(self, sent: _Sent) -> bool:
        sent.t_sent_ns = self._clock.now_ns()
        return self._push(sent.data)

    def _push(self, data: bytes) -> bool:
        if is_taken := has_room(self._socket):
            self._socket.send(data)
        return is_taken


class _Watch:
    """Whether the other end answers, and expects what is sent, as events."""

    def __init__(self, limit_ns: int, process: str) -> None:
        self._limit_ns, self._process = limit_ns, process
        self._answered_ns: int | None = None
        self._is_silent = self._is_behind = False
        self._events: deque[Event] = deque(maxlen=_MOST_EVENTS)

    def turn(self, now_ns: int, *, answered: int) -> None:
        """Note that `answered` messages came until `now_ns`; the first call begins the time."""
        if self._answered_ns is None:
            self._answered_ns = now_ns
        seconds = (now_ns - self._answered_ns) / 1e9
        if answered:
            if self._is_silent:
                text = "the stimulus answers commands again"
                self._add("info", LinkEvent.ANSWERS, text, seconds)
            self._answered_ns, self._is_silent = now_ns, False
        elif not self._is_silent and now_ns - self._answered_ns > self._limit_ns:
            self._is_silent = True
            text = "the stimulus does not answer the controller, and commands wait"
            self._add("warning", LinkEvent.SILENT, text, seconds)

    def expects(self, number: int, *, oldest: int) -> None:
        """Note the number that the other end expects next, and the oldest one without a result."""
        if number < oldest and not self._is_behind:
            self._is_behind = True
            text = (
                "the stimulus does not know the earlier commands of this controller, and takes no "
                "later ones: start both again, or run both in one session with `rtdecode run`"
            )
            self._events.append(Event("alarm", self._process, LinkEvent.FORGOTTEN, text))

    def events(self) -> list[Event]:
        """Events since the last call."""
        events = [*self._events]
        self._events.clear()
        return events

    def _add(self, severity: str, code: LinkEvent, text: str, seconds: float) -> None:
        counts = {"seconds": round(seconds, 3)}
        self._events.append(Event(severity, self._process, code, text, counts))
