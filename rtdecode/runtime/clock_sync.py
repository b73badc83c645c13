"""Exchanges clock probes with the supervisor, in a thread with a control line of its own.

The loop of a process turns as seldom as the screen refreshes, so that a reply would be dated a
frame late, and must not wait for one. A thread sends a probe every 250 ms, dates each reply as it
arrives, and waits meanwhile. The first eight probes follow each other at 20 ms.

Probes whose replies are late, or that the network delivers together after a cut, bound the offset
as truly as others, only less tightly. All completed probes are kept for the log.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from threading import Event, Thread

from rtdecode.runtime.clock_map import ClockMap
from rtdecode.runtime.control import ControlClient
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import ClockProbe

FIRST_PROBES = 8
"""Completed probes after which the offset counts as known."""
_FIRST_PERIOD_NS = 20_000_000
_PERIOD_NS = 250_000_000
_KEPT_PROBES = 4096
"""Completed probes that wait for the log: 17 minutes before the start of a run."""


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
        self._stop, self._known = Event(), Event()
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
