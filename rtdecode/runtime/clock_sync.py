"""Keeps the clock of a process on another host in step with the decoder host's."""

from collections.abc import Iterator

from rtdecode.runtime.clock_map import PROBES_AN_EXCHANGE, ClockMap
from rtdecode.runtime.sockets import ControlLine
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import ClockProbe, Received

_ANSWER_S = 0.02
_PERIOD_NS = 2_000_000_000


class MappedClock:
    """HostNs on a host that is not the decoder's: its own clock through a `ClockMap`."""

    def __init__(self, local: Clock, clock_map: ClockMap) -> None:
        self._local, self._map = local, clock_map

    def now_ns(self) -> int:
        return self._map.to_host_ns(self._local.now_ns())

    def sleep_until(self, t_ns: int) -> None:
        self._local.sleep_until(self._map.to_local_ns(t_ns))


class ClockSync:
    """Asks the supervisor for its time, eight probes every two seconds, on the control line.

    Parameters
    ----------
    line
        The control line of this process; messages other than answers go to `others`.
    local
        The clock of this host.
    clock_map
        What learns from the answers.
    """

    def __init__(self, line: ControlLine, *, local: Clock, clock_map: ClockMap) -> None:
        self._line, self._local, self._map = line, local, clock_map
        self._due_ns = 0
        self.others: list[Received] = []

    def exchange_if_due(self) -> list[ClockProbe]:
        """The completed probes of an exchange, for the record; none where it is not due yet.

        Waits at most 20 ms for each answer; a lost answer is a probe less.
        """
        if self._local.now_ns() < self._due_ns:
            return []
        self._due_ns = self._local.now_ns() + _PERIOD_NS
        probes = [probe for _ in range(PROBES_AN_EXCHANGE) for probe in self._asked()]
        if probes:
            self._map.take(probes)
        return probes

    def _asked(self) -> Iterator[ClockProbe]:
        asked_ns = self._local.now_ns()
        self._line.push(ClockProbe(asked_ns, 0, 0, 0))
        for received in self._line.take(_ANSWER_S):
            answer = received.message.body
            if not isinstance(answer, ClockProbe):
                self.others.append(received)
            elif answer.t_asked_ns == asked_ns:
                heard_ns, answered_ns = answer.t_heard_ns, answer.t_answered_ns
                yield ClockProbe(asked_ns, heard_ns, answered_ns, self._local.now_ns())
