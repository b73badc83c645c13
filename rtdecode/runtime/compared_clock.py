"""The clock of a process on another host than the supervisor's: compared, mapped and reported.

Duties: exchange clock probes with the supervisor, join the map that follows from them with what is
stated of it, and say which endpoints lie on another host.

The loop of a process turns as seldom as the screen refreshes, so that a reply would be dated a
frame late, and must not wait for one. A thread with a control line of its own sends a probe every
250 ms, dates each reply as it arrives, and waits meanwhile; the first eight probes follow each
other at 20 ms. Replies that are late, or that the network delivers together after a cut, bound the
offset as truly as others, only less tightly.

    compared = ComparedClock("bridge", connect, local=HostClock(), frame_rate_hz=30.0)
    compared.start()
    compared.is_known(wait_s=1.0) and compared.clock.now_ns()
"""

import re
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from threading import Event as ThreadEvent
from threading import Thread

from rtdecode.runtime.clock_map import ClockMap
from rtdecode.runtime.clock_state import ClockState
from rtdecode.runtime.control import ControlClient
from rtdecode.runtime.mapped_clock import MappedClock
from rtdecode.schema.config.network import is_near
from rtdecode.schema.hosts import ClockProbe
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event

FIRST_PROBES = 8
"""Completed probes after which the offset counts as known."""
_FIRST_PERIOD_NS = 20_000_000
_PERIOD_NS = 250_000_000
_KEPT_PROBES = 4096
"""Completed probes that wait for the log: 17 minutes before the start of a run."""
_TCP = re.compile(r"tcp://\[?(?P<host>[^\]]+?)\]?:(\d+|\*)")


class ClockSync:
    """Keeps `clock_map` up to date from `start` to `close`.

    Parameters
    ----------
    connect
        Opens the control line for probes; called, and the line used, in the thread alone.
    local
        The clock of this host.
    """

    def __init__(
        self, connect: Callable[[], ControlClient], *, local: Clock, clock_map: ClockMap
    ) -> None:
        self._connect, self._local, self._map = connect, local, clock_map
        self._completed: deque[ClockProbe] = deque(maxlen=_KEPT_PROBES)
        self._n = 0
        self._stop, self._known = ThreadEvent(), ThreadEvent()
        self._thread = Thread(target=self._run, name="clock-sync")
        self.supervisor_ns = 0
        """When the newest reply was sent (HostNs)."""

    def start(self) -> None:
        """Begin to send probes."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; may be called twice, and without `start`."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def is_known(self, wait_s: float) -> bool:
        """Whether the first eight probes are complete; waits at most `wait_s` for it."""
        return self._known.wait(wait_s)

    def probes(self) -> list[ClockProbe]:
        """Probes that were completed since the last call, for the log."""
        return [self._completed.popleft() for _ in range(len(self._completed))]

    def _run(self) -> None:
        line, due_ns = self._connect(), self._local.now_ns()
        while not self._stop.is_set():
            now_ns = self._local.now_ns()
            if now_ns >= due_ns:
                line.push(ClockProbe(self._local.now_ns(), 0, 0, 0))
                due_ns = now_ns + (_PERIOD_NS if self._known.is_set() else _FIRST_PERIOD_NS)
            self._take(line, wait_s=(due_ns - now_ns) / 1e9)

    def _take(self, line: ControlClient, *, wait_s: float) -> None:
        for received in line.take(wait_s):
            reply = received.message.body
            if not isinstance(reply, ClockProbe):
                continue
            probe = replace(reply, t_reply_received_ns=received.t_received_ns)
            self._map.absorb(probe)
            self._completed.append(probe)
            self.supervisor_ns = max(self.supervisor_ns, received.message.t_ns)
            self._n += 1
            if self._n == FIRST_PROBES:
                self._known.set()


class ComparedClock:
    """HostNs on another host: `clock`, from `start` to `close`.

    Parameters
    ----------
    process
        Name of the process in its events.
    connect
        Opens a control line of the given name, on the clock of this host.
    local
        The clock of this host.
    """

    def __init__(
        self,
        process: str,
        connect: Callable[[str], ControlClient],
        *,
        local: Clock,
        frame_rate_hz: float,
    ) -> None:
        clock_map = ClockMap()
        self.clock = MappedClock(local, clock_map)
        # a new name each time: the line of a process that was killed may still seem connected
        name = f"{process}.clock.{local.now_ns()}"
        self._sync = ClockSync(lambda: connect(name), local=local, clock_map=clock_map)
        half_frame_ns = 0.5e9 / frame_rate_hz
        self._state = ClockState(
            process, self.clock, clock_map, local=local, limit_ns=half_frame_ns
        )
        self._unsent: list[Event] = []

    def start(self) -> None:
        """Begin to exchange probes."""
        self._sync.start()

    def close(self) -> None:
        """End the exchange of probes."""
        self._sync.close()

    def is_known(self, wait_s: float) -> bool:
        """Whether the clock can be read; waits at most `wait_s` for it."""
        return self._sync.is_known(wait_s)

    def probes(self) -> list[ClockProbe]:
        """Probes that were completed since the last call, for the log."""
        return self._sync.probes()

    def counters(self) -> dict[str, float]:
        """Offset, drift and uncertainty for the heartbeat."""
        return self._state.counters()

    def report(self, offer: Callable[[Event], bool]) -> None:
        """Offer events of what changed; those for which `offer` returns False wait."""
        self._unsent += self._state.events()
        while self._unsent and offer(self._unsent[0]):
            self._unsent.pop(0)

    @property
    def supervisor_ns(self) -> int:
        """When the newest reply of the supervisor was sent (HostNs); 0 before the first."""
        return self._sync.supervisor_ns


def is_on_another_host(endpoint: str) -> bool:
    """Whether `endpoint` is one of another machine, which has another clock.

    An address is one of this machine if a socket can be bound to it.

    >>> is_on_another_host("ipc:///tmp/control"), is_on_another_host("tcp://127.0.0.1:5700")
    (False, False)
    >>> is_on_another_host("tcp://192.0.2.1:5700")
    True
    """
    found = _TCP.fullmatch(endpoint)
    if is_near(endpoint) or found is None or found["host"] == "*":
        return False
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
            found["host"], 0, type=socket.SOCK_DGRAM
        )
        with socket.socket(family, kind, protocol) as trial:
            trial.bind(address)
    except OSError:
        return True
    return False
