"""Scan numbers from the counter of a microscope, for all live adapters.

Duties: turn a counter into numbers in which lost scans show as jumps, follow counters that wrap
around or begin anew, and leave out repeated and old scans and those with an implausible counter. It
is a pure state machine, without clock or socket.

>>> order = ScanOrder(period_ns=33_000_000)
>>> counters = (4, 5, 5, 8, 10**9, 9)
>>> passed = [order.passed(Arrival(None, n, k * 33_000_000)) for k, n in enumerate(counters)]
>>> [number for scans in passed for number, _ in scans], order.lost, order.set_aside
([0, 1, 4, 5], 2, 1)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
_FEW = 16
"""Largest step of the counter that is a loss whatever time has passed."""
_MOST_LOST = 10_000
"""Largest loss without the time that it takes; a larger step is a counter that was set anew."""
_CONFIRMING = 3
_CONFIRMING_RECENT = 30
"""Number of rising counters in a row which show that the counter was set anew; more are required
where they repeat recent ones, which a rig may send again."""
_RECENT = 100
_WRAPS_BITS = (15, 16, 31, 32)


@dataclass(frozen=True, slots=True, eq=False)
class Arrival(Generic[T]):
    """A scan with its counter and its arrival in HostNs."""

    scan: T
    counter: int
    arrived_ns: int


class ScanOrder(Generic[T]):
    """Number of each scan, from 0 for the first received one; repeated and old scans have none.

    A counter continues its predecessor if it is ahead by a few scans, or by no more than the time
    that has passed allows, also across the wrap of a counter of 15, 16, 31 or 32 bits. A scan whose
    counter does not continue is held. If the next ones continue the count, it is left out; if they
    continue the held one, the microscope began anew, or lost many scans, and all are passed on.

    Parameters
    ----------
    counter_bits
        Width of a counter that is known to wrap around; None for any other.
    period_ns
        Time between two scans.

    Attributes
    ----------
    lost, repeated, reordered, set_aside
        Number of scans that were skipped, received again, received after a later one, or left out
        for an implausible counter.
    restarts
        Number of times that the counter began anew; scans lost meanwhile cannot be counted.
    """

    def __init__(self, counter_bits: int | None = None, *, period_ns: int = 33_000_000) -> None:
        self._modulus = None if counter_bits is None else 1 << counter_bits
        self._period_ns = period_ns
        self._counter: int | None = None
        self._number = -1
        self._reconnected = False
        self._last: Arrival[T] | None = None
        self._held: list[Arrival[T]] = []
        self.lost = self.repeated = self.reordered = self.restarts = self.set_aside = 0

    def passed(self, arrival: Arrival[T]) -> list[tuple[int, Arrival[T]]]:
        """The scans that can be passed on now, in order, with their numbers."""
        ahead = self._ahead_of_last(arrival)
        if ahead is None or self._reconnected or self._is_plausible(ahead, arrival):
            left_out = self._leave_out_held()
            # these came, so that the jump of the counter is no loss of theirs
            self.lost -= min(left_out, max(0, (ahead or 0) - 1))
            return list(self._numbered([arrival]))
        if ahead == 0 or (self._held and arrival.counter == self._held[-1].counter):
            self.repeated += 1
            return []
        if self._held and arrival.counter < self._held[-1].counter:
            self._leave_out_held()
        self._held.append(arrival)
        if len(self._held) < self._confirming():
            return []
        return list(self._numbered(self._resumed()))

    def number(self, counter: int) -> int | None:
        """Number of the scan with the microscope's `counter`; None for a repeated or old scan."""
        ahead = 1 if self._counter is None else self._ahead(counter - self._counter)
        # after a new connection, a smaller counter is a restart and not an old scan
        if self._reconnected and ahead < 1:
            self.restarts += 1
            ahead = 1
        self._reconnected = False
        if ahead < 1:
            self.repeated += ahead == 0
            self.reordered += ahead < 0
            return None
        return self._advanced(counter, ahead)

    def reconnected(self) -> None:
        """Accept either consecutive counters or restarted ones next."""
        self._reconnected = True

    def restart(self) -> None:
        """Accept restarted counters; the numbers of scans continue."""
        self.restarts += self._counter is not None
        self._counter = None

    def _advanced(self, counter: int, ahead: int) -> int:
        self.lost += ahead - 1
        self._counter = counter
        self._number += ahead
        return self._number

    def _numbered(self, arrivals: list[Arrival[T]]) -> Iterator[tuple[int, Arrival[T]]]:
        for arrival in arrivals:
            ahead = self._ahead_of_last(arrival) or 0
            number = (
                self.number(arrival.counter)
                if ahead < 1 or self._reconnected
                else self._advanced(arrival.counter, ahead)
            )
            self._last = arrival
            if number is not None:
                yield number, arrival

    def _resumed(self) -> list[Arrival[T]]:
        """The held scans, whose counter is that of the microscope from now on."""
        held, self._held = self._held, []
        if not 0 < held[0].counter - (self._counter or 0) <= _MOST_LOST:
            self.restart()
        return held

    def _leave_out_held(self) -> int:
        """Leave out the held scans; their number."""
        held, self._held = self._held, []
        old = sum((self._ahead_of_last(arrival) or 0) < 0 for arrival in held)
        self.reordered += old
        self.set_aside += len(held) - old
        return len(held)

    def _confirming(self) -> int:
        first, last = self._held[0].counter, self._counter or 0
        repeats_recent = 1 < first <= last and last - first <= _RECENT
        return _CONFIRMING_RECENT if repeats_recent else _CONFIRMING

    def _is_plausible(self, ahead: int, arrival: Arrival[T]) -> bool:
        if ahead <= _FEW or self._last is None:
            return ahead > 0
        # arrivals alone: a scan with an odd number may have an odd time stamp as well
        passed_ns = arrival.arrived_ns - self._last.arrived_ns
        return (ahead - 1) * self._period_ns <= 2 * passed_ns

    def _ahead_of_last(self, arrival: Arrival[T]) -> int | None:
        """Steps of the counter since the last scan, across a wrap; None without a last scan."""
        if self._counter is None:
            return None
        ahead = self._ahead(arrival.counter - self._counter)
        if ahead >= 0 or self._modulus is not None:
            return ahead
        for bits in _WRAPS_BITS:
            most = 1 << (bits - 1 if arrival.counter < 0 else bits)
            wrapped = (arrival.counter - self._counter) % (1 << bits)
            is_near = most - most // 16 <= self._counter < most and wrapped <= most // 16
            if is_near and self._is_plausible(wrapped, arrival):
                return wrapped
        return ahead

    def _ahead(self, difference: int) -> int:
        if self._modulus is None:
            return difference
        # difference modulo 2^bits, in [-half, half): negative for an old scan
        half = self._modulus // 2
        return (difference + half) % self._modulus - half
