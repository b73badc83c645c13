"""The clock of a process on another host, which follows the estimates of a `ClockMap`.

Duties: give HostNs that never run backwards and have no steps, and state their uncertainty.

>>> from rtdecode.runtime.clock import HostClock
>>> from rtdecode.runtime.clock_map import ClockMap
>>> from rtdecode.schema.hosts import ClockProbe
>>> clock_map, local = ClockMap(), HostClock()
>>> now_ns = local.now_ns()
>>> clock_map.absorb(ClockProbe(now_ns, 5, 5, now_ns))
>>> MappedClock(local, clock_map).to_host_ns(now_ns + 10)
15
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock

from rtdecode.runtime.clock_map import ClockMap, Estimate
from rtdecode.schema.errors import ClockUnknownError
from rtdecode.schema.interfaces import Clock

_SLEW = 0.01
_FAST_SLEW = 0.5
_LARGEST_SLEWED_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class _Course:
    """How a mapped clock proceeds from one estimate: it approaches it at a limited rate."""

    estimate: Estimate
    t_ns: int
    error_ns: float
    """The estimate minus the mapped clock at `t_ns`."""

    def error_at_ns(self, local_ns: int) -> float:
        """What is left of the error at `local_ns`."""
        slew = _SLEW if abs(self.error_ns) <= _LARGEST_SLEWED_NS else _FAST_SLEW
        left_ns = max(0.0, abs(self.error_ns) - slew * max(0, local_ns - self.t_ns))
        return left_ns if self.error_ns > 0 else -left_ns

    def host_ns(self, local_ns: int) -> int:
        return self.estimate.host_ns(local_ns) - round(self.error_at_ns(local_ns))

    def uncertainty_ns(self, local_ns: int) -> float:
        return self.estimate.uncertainty_ns(local_ns) + abs(self.error_at_ns(local_ns))


class MappedClock:
    """HostNs on another host than the decoder's: the local clock through a `ClockMap`.

    It never runs backwards. It follows a new estimate by at most 10 ms per second, so that no step
    is visible in what it dates. Only where a clock was reset, by more than 100 ms, it steps
    forwards, or runs at half its rate until it is right. What is left of such an error is part of
    `uncertainty_ns`. Any thread may use it.
    """

    def __init__(self, local: Clock, clock_map: ClockMap) -> None:
        self._local, self._map, self._lock = local, clock_map, RLock()
        self._course: _Course | None = None
        self._last_ns: int | None = None
        self._largest_ns = 0.0

    def now_ns(self) -> int:
        """HostNs; raises ClockUnknownError before the first estimate."""
        with self._lock:
            now_ns = self.to_host_ns(self._local.now_ns())
            self._last_ns = now_ns if self._last_ns is None else max(self._last_ns, now_ns)
            return self._last_ns

    def sleep_until(self, t_ns: int) -> None:
        while self.now_ns() < t_ns:
            local_ns = self._local.now_ns()
            course = self._course_at(local_ns)
            # the error at that time is nearly the one now, and the loop corrects the rest
            error_ns = round(course.error_at_ns(local_ns))
            due_ns = course.estimate.local_ns(t_ns + error_ns)
            self._local.sleep_until(max(due_ns, local_ns + 1))

    def to_host_ns(self, local_ns: int) -> int:
        """HostNs of a time of this host, for example of a stamp of a program that runs here."""
        return self._course_at(local_ns).host_ns(local_ns)

    def uncertainty_ns(self, local_ns: int) -> float:
        """Largest error of this clock at `local_ns`."""
        return self._course_at(local_ns).uncertainty_ns(local_ns)

    def largest_uncertainty_ns(self) -> float:
        """Largest error of this clock since the last call of this method."""
        with self._lock:
            now_ns = self.uncertainty_ns(self._local.now_ns())
            largest_ns, self._largest_ns = max(self._largest_ns, now_ns), now_ns
            return largest_ns

    def _course_at(self, local_ns: int) -> _Course:
        """The course of the newest estimate, which begins where that of the one before ends."""
        with self._lock:
            estimate, course = self._map.estimate, self._course
            if estimate is None:
                raise ClockUnknownError
            if course is None or course.estimate is not estimate:
                # along a course, the uncertainty is largest at its beginning or at its end
                ended_ns = 0.0 if course is None else course.uncertainty_ns(local_ns)
                course = self._course = _following(course, estimate, local_ns)
                begun_ns = course.uncertainty_ns(local_ns)
                self._largest_ns = max(self._largest_ns, ended_ns, begun_ns)
            return course


def _following(course: _Course | None, estimate: Estimate, local_ns: int) -> _Course:
    """The course to `estimate` from where `course` is at `local_ns`."""
    error_ns = 0 if course is None else estimate.host_ns(local_ns) - course.host_ns(local_ns)
    is_step = error_ns > _LARGEST_SLEWED_NS
    return _Course(estimate, local_ns, 0.0 if is_step else float(error_ns))


def host_time_of(clock: Clock) -> Callable[[int], int]:
    """Function that gives HostNs of a time of this host, as `clock` maps it.

    On the decoder's host the two are the same.
    """
    return clock.to_host_ns if isinstance(clock, MappedClock) else int
