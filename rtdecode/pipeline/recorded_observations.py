"""Observations of a policy, read from the log of a session, in the order in which they were given.

A session with a controller has one `Observed` message for each observation; it names the message
that was observed. A session without one gives the order of readiness (reconstructions) and of
sending (everything else), with session time every 0.1 s. Memory is bounded: the log is read once
for each kind of content, and messages are held for a minute at most.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from pathlib import Path

from rtdecode.control.decision_stage import POLICY_FAILED, REFUSALS, TIME, Given, given
from rtdecode.pipeline.control_stage import OBSERVED
from rtdecode.schema.control import Action
from rtdecode.schema.control import Observed as ObservedMessage
from rtdecode.schema.messages import Event, Received, Reconstruction, Start
from rtdecode.session.reader import LogReader

_CONTROLLER = "controller"
_SOURCES = frozenset({"emit", "evaluate", "bridge", "stimulus"})
_KINDS = frozenset(body.kind for body in OBSERVED)
_TICK_NS = 100_000_000
_HELD_NS = 60_000_000_000
"""Longest delay of a message in the log behind one that was sent earlier."""


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One observation and the actions that the log has for it."""

    given: Given | None
    """None where the log lacks the message that was observed, or what was observed."""
    recorded: tuple[Action, ...] = ()
    failure: str = ""
    """Why the policy failed live at this observation; empty where it did not."""
    lost: int = 1
    """Observations that it stands for, where `given` is None."""


@dataclass(frozen=True, slots=True)
class ControllerStarted:
    """The controller was started, or started again, with a new policy."""

    first_number: int | None = None
    """Number of its first action; None where it has none. After a kill, numbers may be left out."""


def is_observed(stream: str) -> bool:
    """Whether a policy is given the messages of `stream`."""
    source, _, kind = stream.partition("/")
    return source in _SOURCES and kind in _KINDS


def has_controller(log: Path) -> bool:
    """Whether a controller took part in the session."""
    wanted = LogReader(log).logged(lambda stream: stream == f"{_CONTROLLER}/start")
    return next(iter(wanted), None) is not None


@dataclass(slots=True)
class _Open:
    """An observation whose actions are still being read."""

    observed: ObservedMessage
    recorded: list[Action] = field(default_factory=list)
    failure: str = ""


def observed_turns(log: Path) -> Iterator[Turn | ControllerStarted]:
    """The observations of a session with a controller, as it recorded them."""
    messages = _Messages(log)
    for item in _recorded_order(log):
        if isinstance(item, ControllerStarted | Turn):
            yield item
        else:
            found = messages.named(item.observed)
            yield Turn(found, tuple(item.recorded), item.failure)


def _recorded_order(log: Path) -> Iterator[_Open | ControllerStarted | Turn]:
    """Observations with their actions; a turn without either for those that the log lacks."""
    order, expected, first = _RecordedOrder(), 0, _first_numbers(log)
    for received in LogReader(log).messages(lambda stream: stream.startswith(f"{_CONTROLLER}/")):
        body = received.message.body
        if isinstance(body, Start):
            yield from order.ended()
            before = body.last_seq_before.get(ObservedMessage.kind, -1) + 1
            yield from _lost(before - expected)
            yield ControllerStarted(next(first, None))
            # the numbers of a process that was started again begin again
            expected = 0
        elif isinstance(body, ObservedMessage):
            yield from order.ended()
            yield from _lost(received.message.seq - expected)
            expected = received.message.seq + 1
            order.begin(body)
        elif isinstance(body, Action | Event):
            order.add(body)
    yield from order.ended()


def _first_numbers(log: Path) -> Iterator[int | None]:
    """Number of the first action after each start of the controller."""
    found: list[int | None] = []
    streams = {f"{_CONTROLLER}/{body.kind}" for body in (Start, Action)}
    for received in LogReader(log).messages(streams.__contains__):
        body = received.message.body
        if isinstance(body, Start):
            found.append(None)
        elif isinstance(body, Action) and found and found[-1] is None:
            found[-1] = body.number
    return iter(found)


def _lost(count: int) -> Iterator[Turn]:
    """The turn of `count` observations that the log lacks."""
    if count > 0:
        yield Turn(None, lost=count)


class _RecordedOrder:
    """Joins observations and the actions after them.

    Acknowledgements of withheld requests are not given from the log, because the stage of decisions
    makes them itself; actions in answer to them belong to the observation that follows.
    """

    def __init__(self) -> None:
        self._now: _Open | None = None
        self._carried: list[Action] = []

    def begin(self, observed: ObservedMessage) -> None:
        """Begin an observation."""
        self._now = _Open(observed)
        if observed.stream != REFUSALS:
            self._now.recorded, self._carried = self._carried, []

    def add(self, body: Action | Event) -> None:
        """Add an action, or the failure of the policy, to the observation that was begun."""
        if self._now is None:
            return
        if isinstance(body, Action):
            self._now.recorded.append(body)
        elif body.code == POLICY_FAILED:
            self._now.failure = body.text

    def ended(self) -> Iterator[_Open]:
        """The observation that was begun, unless it is one of a withheld request."""
        before, self._now = self._now, None
        if before is not None and before.observed.stream != REFUSALS:
            yield before
        elif before is not None:
            self._carried += before.recorded


class _Messages:
    """Finds the messages that observations name, in about the order of the log."""

    def __init__(self, log: Path) -> None:
        self._log = LogReader(log).messages(is_observed)
        self._found: defaultdict[tuple[str, int], deque[Received]] = defaultdict(deque)
        self._newest_ns = self._checked_ns = 0
        self._is_over = False

    def named(self, observed: ObservedMessage) -> Given | None:
        """The observation that `observed` states; None where the log lacks its message."""
        t_ns, armed = observed.t_observed_ns, observed.armed
        if observed.stream == TIME:
            return Given(TIME, observed.number, t_ns, armed)
        key = (observed.stream, observed.number)
        while not self._found.get(key) and not self._is_over:
            if self._newest_ns > t_ns + _HELD_NS:
                return None
            self._read_next()
        waiting = self._found.get(key)
        if not waiting:
            return None
        received = waiting.popleft()
        if not waiting:
            del self._found[key]
        body = received.message.body
        return given(received, body, t_ns=t_ns, armed=armed) if isinstance(body, OBSERVED) else None

    def _read_next(self) -> None:
        received = next(self._log, None)
        if received is None:
            self._is_over = True
            return
        message, body = received.message, received.message.body
        self._newest_ns = max(self._newest_ns, message.t_ns)
        number = body.frame if isinstance(body, Reconstruction) else message.seq
        self._found[message.stream, number].append(received)
        if self._newest_ns > self._checked_ns + _HELD_NS:
            self._checked_ns = self._newest_ns
            self._drop_before(self._newest_ns - _HELD_NS)

    def _drop_before(self, t_ns: int) -> None:
        """Drop what no observation has named."""
        for key in [key for key, held in self._found.items() if held[-1].message.t_ns < t_ns]:
            del self._found[key]


def made_turns(log: Path) -> Iterator[Turn]:
    """Observations of a session without a controller, as if one had been armed throughout."""
    waiting: list[tuple[int, int, Given]] = []
    order, numbers = count(), count(1)
    tick_ns: int | None = None
    for received in LogReader(log).messages(is_observed):
        item = _armed(received)
        if item is None:
            continue
        heappush(waiting, (item.t_ns, next(order), item))
        while waiting and waiting[0][0] < received.message.t_ns - _HELD_NS // 10:
            tick_ns, turns = _with_time(heappop(waiting)[2], tick_ns, numbers)
            yield from turns
    while waiting:
        tick_ns, turns = _with_time(heappop(waiting)[2], tick_ns, numbers)
        yield from turns


def _armed(received: Received) -> Given | None:
    """The observation of a message at the time at which it was ready or sent."""
    body = received.message.body
    if not isinstance(body, OBSERVED):
        return None
    t_ns = body.t_ready_ns if isinstance(body, Reconstruction) else received.message.t_ns
    return given(received, body, t_ns=t_ns, armed=True)


def _with_time(item: Given, tick_ns: int | None, numbers: "count[int]") -> tuple[int, list[Turn]]:
    """`item` after the session times until then, and the time that is due next."""
    turns = []
    tick_ns = item.t_ns if tick_ns is None else tick_ns
    while tick_ns <= item.t_ns:
        turns.append(Turn(Given(TIME, next(numbers), tick_ns, armed=True)))
        tick_ns += _TICK_NS
    return tick_ns, [*turns, Turn(item)]
