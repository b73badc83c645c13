"""The clock of a process on another host than the supervisor's: compared, mapped and reported.

Duties: join the exchange of probes, the map that follows from them, and what is stated of it, and
say which endpoints lie on another host.

    compared = ComparedClock("bridge", connect, local=HostClock(), frame_rate_hz=30.0)
    compared.start()
    compared.is_known(wait_s=1.0) and compared.clock.now_ns()
"""

import re
import socket
from collections.abc import Callable

from rtdecode.runtime.clock_map import ClockMap
from rtdecode.runtime.clock_state import ClockState
from rtdecode.runtime.clock_sync import ClockSync
from rtdecode.runtime.control import ControlClient
from rtdecode.runtime.mapped_clock import MappedClock
from rtdecode.schema.config.network import is_near
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import ClockProbe, Event

_TCP = re.compile(r"tcp://\[?(?P<host>[^\]]+?)\]?:(\d+|\*)")


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
