"""The clock of one host, and how long that host was suspended.

Duties: measure time for everything else, which gets a `Clock` passed in. How the clock of another
host is mapped to that of the decoder's is in `rtdecode.runtime.clock_map`.

>>> clock = HostClock()
>>> clock.sleep_until(clock.now_ns())
>>> SuspendWatch(clock).seconds()
0.0
"""

import math
import sys
import time
from threading import Thread

from rtdecode.runtime.platform import thread_ns
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import RecordedTrialsSource
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.wall_clock import WallClock

_SPIN_NS = 300_000
"""The kernel ends a sleep up to about 0.1 ms late, so the last 0.3 ms are polled."""
_NS_PER_S = 1_000_000_000
_SHORTEST_SUSPEND_NS = 500_000_000
_LONGEST_TURN_NS = 10_000_000_000
_READINGS = 5


def local_ns() -> int:
    """Nanoseconds of this host's monotonic clock, the same in all its processes.

    On Windows, Python's `time.monotonic_ns` advances in steps of 16 ms before Python 3.13, and the
    performance counter, which is one for all processes too, in steps of 0.1 µs.
    """
    return time.perf_counter_ns() if sys.platform == "win32" else time.monotonic_ns()


class HostClock:
    """The monotonic clock of this host (CLOCK_MONOTONIC), the same in all its processes."""

    def now_ns(self) -> int:
        return local_ns()

    def sleep_until(self, t_ns: int) -> None:
        while (left_ns := t_ns - local_ns()) > 0:
            time.sleep(max(0, left_ns - _SPIN_NS) / 1e9)


def wall_clock(clock: Clock) -> WallClock:
    """The clock of the day beside `clock`: of a few readings the one that took the least time."""
    return min((_reading(clock) for _ in range(_READINGS)), key=lambda one: one.uncertainty_ns)


def _reading(clock: Clock) -> WallClock:
    before_ns, utc_ns, after_ns = clock.now_ns(), time.time_ns(), clock.now_ns()
    middle_ns, half_ns = (before_ns + after_ns) // 2, (after_ns - before_ns + 1) // 2
    return WallClock(utc_ns, middle_ns, half_ns)


class SpedClock:
    """The clock of a session that replays a recording at `speed` times its rate.

    It is the host's clock times `speed`, and so the same in all processes of this host.

    >>> clock = SpedClock(4.0)
    >>> begun_ns = clock.now_ns()
    >>> clock.sleep_until(begun_ns + 4_000_000)
    >>> clock.now_ns() - begun_ns >= 4_000_000
    True
    """

    def __init__(self, speed: float) -> None:
        self._speed, self._host = speed, HostClock()

    def now_ns(self) -> int:
        return int(self._host.now_ns() * self._speed)

    def sleep_until(self, t_ns: int) -> None:
        self._host.sleep_until(math.ceil((t_ns + 1) / self._speed))


def session_clock(config: RunConfig) -> Clock:
    """The clock of the messages of a run of `config`: the host's, unless a replay is faster.

    The supervisor's limits of waiting stay in the time of the host.
    """
    source = config.acquisition.source
    if isinstance(source, RecordedTrialsSource) and source.speed != 1:
        return SpedClock(source.speed)
    return HostClock()


def processor_ns(thread: Thread) -> int:
    """Processor time in ns that a running `thread` of this process has used."""
    if thread.ident is None:
        raise RuntimeError(f"thread {thread.name} has not started")
    return thread_ns(thread)


class SuspendWatch:
    """How long this host was suspended, while its monotonic clock stood still.

    CLOCK_BOOTTIME advances during a suspend and CLOCK_MONOTONIC does not. Where the system has no
    CLOCK_BOOTTIME (Windows, macOS), more than 10 s between two calls, which are expected every
    second, count as a suspend; a process that was stopped that long counts too.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._called_ns: int | None = None
        self._stood_still_ns: tuple[int, int] | None = None

    def seconds(self) -> float:
        """Seconds of suspend since the last call; 0.0 for none, and at the first call."""
        before_ns, self._called_ns = self._called_ns, self._clock.now_ns()
        before, self._stood_still_ns = self._stood_still_ns, _stood_still_ns()
        if before_ns is None:
            return 0.0
        if before is None or self._stood_still_ns is None:
            passed_ns = self._called_ns - before_ns
            return passed_ns / _NS_PER_S if passed_ns > _LONGEST_TURN_NS else 0.0
        # the least difference of the two readings, each of which is an interval
        least_ns = self._stood_still_ns[0] - before[1]
        return least_ns / _NS_PER_S if least_ns > _SHORTEST_SUSPEND_NS else 0.0


def _stood_still_ns() -> tuple[int, int] | None:
    """Least and largest CLOCK_BOOTTIME minus CLOCK_MONOTONIC; None where there is none.

    The process may be preempted between two readings, so CLOCK_MONOTONIC is read before and after.
    """
    if sys.platform == "win32" or not hasattr(time, "CLOCK_BOOTTIME"):
        return None
    before_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    after_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return boot_ns - after_ns, boot_ns - before_ns
