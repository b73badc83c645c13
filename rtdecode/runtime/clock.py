"""Clocks: this host's monotonic clock, and its mapping to the clock of the decoder's host.

Duties: measure time, and estimate offset and drift between two hosts' clocks from exchanges of
`ClockProbe`s. Only `HostClock` imports `time`; everything else gets a `Clock` passed in. It must
not depend on what the times are used for.

>>> clock_map = ClockMap()
>>> clock_map.absorb([ClockProbe(1_000, 6_000, 6_100, 1_300)])
>>> clock_map.to_host_ns(1_150), clock_map.to_local_ns(6_050)
(6050, 1150)
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median
from threading import Thread

from rtdecode.runtime.control import ControlClient
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import ClockProbe, Received

_SPIN_NS = 300_000
"""The kernel ends a sleep up to about 0.1 ms late, so the last 0.3 ms are polled."""


class HostClock:
    """CLOCK_MONOTONIC of this host, the same in all its processes."""

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def sleep_until(self, t_ns: int) -> None:
        while (left_ns := t_ns - time.monotonic_ns()) > 0:
            time.sleep(max(0, left_ns - _SPIN_NS) / 1e9)


def processor_ns(thread: Thread) -> int:
    """Processor time in ns that a running `thread` of this process has used."""
    if thread.ident is None:
        raise RuntimeError(f"thread {thread.name} has not started")
    return time.clock_gettime_ns(time.pthread_getcpuclockid(thread.ident))


PROBES_AN_EXCHANGE = 8
_KEPT_EXCHANGES = 45
_RESET_FACTOR = 5
_LEAST_RESET_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """Clock offset from the best probe of one exchange."""

    t_ns: int
    """On this host's clock, the middle of the probe."""
    offset_ns: float
    """The decoder host's clock minus this host's."""
    uncertainty_ns: float
    """Half the round trip."""


def best_of(probes: Sequence[ClockProbe]) -> Exchange:
    """The exchange of the probe with the shortest round trip, which bounds the offset best."""
    return min((_exchange(probe) for probe in probes), key=lambda one: one.uncertainty_ns)


def _exchange(probe: ClockProbe) -> Exchange:
    # NTP: offset = ((T2 − T1) + (T3 − T4)) / 2, error at most ((T2 − T1) − (T3 − T4)) / 2
    out_ns = probe.t_request_received_ns - probe.t_request_ns
    back_ns = probe.t_reply_ns - probe.t_reply_received_ns
    return Exchange(
        t_ns=(probe.t_request_ns + probe.t_reply_received_ns) // 2,
        offset_ns=(out_ns + back_ns) / 2,
        uncertainty_ns=(out_ns - back_ns) / 2,
    )


class ClockMap:
    """Maps this host's nanoseconds to the decoder host's and back.

    With offset o, drift d and origin t0, host time = t + o + d (t − t0); o and d are medians over
    the last 45 exchanges (Theil-Sen estimator). Before the first exchange the map is the identity
    with infinite uncertainty. A jump of more than five times the uncertainty means that a clock was
    reset, and earlier exchanges are discarded.
    """

    def __init__(self) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=_KEPT_EXCHANGES)
        self._offset_ns, self._drift, self._origin_ns = 0.0, 0.0, 0
        self.uncertainty_ns = float("inf")
        self.n_resets = 0

    def absorb(self, probes: Sequence[ClockProbe]) -> None:
        """Update the map with the probes of one exchange."""
        newest = best_of(probes)
        if self._exchanges and self._is_reset(newest):
            self._exchanges.clear()
            self.n_resets += 1
        self._exchanges.append(newest)
        self._fit()

    def to_host_ns(self, local_ns: int) -> int:
        """The decoder host's time at this host's `local_ns`."""
        return local_ns + round(self._offset_ns + self._drift * (local_ns - self._origin_ns))

    def to_local_ns(self, host_ns: int) -> int:
        """Time of this host at the decoder host's `host_ns`."""
        past_ns = host_ns - self._origin_ns - self._offset_ns
        return self._origin_ns + round(past_ns / (1 + self._drift))

    def _is_reset(self, newest: Exchange) -> bool:
        expected_ns = self.to_host_ns(newest.t_ns) - newest.t_ns
        allowed_ns = _RESET_FACTOR * (newest.uncertainty_ns + self.uncertainty_ns)
        return abs(newest.offset_ns - expected_ns) > max(allowed_ns, _LEAST_RESET_NS)

    def _fit(self) -> None:
        known = self._exchanges
        slopes = [
            (two.offset_ns - one.offset_ns) / (two.t_ns - one.t_ns)
            for one, two in combinations(known, 2)
            if two.t_ns != one.t_ns
        ]
        self._origin_ns = known[-1].t_ns
        self._drift = median(slopes) if slopes else 0.0
        self._offset_ns = median(
            one.offset_ns - self._drift * (one.t_ns - self._origin_ns) for one in known
        )
        self.uncertainty_ns = median(one.uncertainty_ns for one in known)


_REPLY_S = 0.02
_PERIOD_NS = 2_000_000_000


class MappedClock:
    """HostNs on another host than the decoder's: the local clock through a `ClockMap`."""

    def __init__(self, local: Clock, clock_map: ClockMap) -> None:
        self._local, self._map = local, clock_map

    def now_ns(self) -> int:
        return self._map.to_host_ns(self._local.now_ns())

    def sleep_until(self, t_ns: int) -> None:
        self._local.sleep_until(self._map.to_local_ns(t_ns))


class ClockSync:
    """Exchanges clock probes with the supervisor: eight probes every two seconds.

    Parameters
    ----------
    control
        Control channel of this process; messages other than replies go to `others`.
    local
        The clock of this host.
    clock_map
        Absorbs the completed probes.
    """

    def __init__(self, control: ControlClient, *, local: Clock, clock_map: ClockMap) -> None:
        self._control, self._local, self._map = control, local, clock_map
        self._due_ns = 0
        self.others: list[Received] = []

    def exchange_if_due(self) -> list[ClockProbe]:
        """Completed probes of an exchange, for the record; none while no exchange is due.

        Waits at most 20 ms for each reply; a probe without reply is left out.
        """
        if self._local.now_ns() < self._due_ns:
            return []
        self._due_ns = self._local.now_ns() + _PERIOD_NS
        probes = [probe for _ in range(PROBES_AN_EXCHANGE) for probe in self._exchanged()]
        if probes:
            self._map.absorb(probes)
        return probes

    def _exchanged(self) -> Iterator[ClockProbe]:
        request_ns = self._local.now_ns()
        self._control.push(ClockProbe(request_ns, 0, 0, 0))
        for received in self._control.take(_REPLY_S):
            reply = received.message.body
            if not isinstance(reply, ClockProbe):
                self.others.append(received)
            elif reply.t_request_ns == request_ns:
                yield replace(reply, t_reply_received_ns=self._local.now_ns())
