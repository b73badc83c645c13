"""Maps the clock of another host to that of the decoder's host, with an uncertainty that holds.

Duties: bound the clock offset by the times of `ClockProbe`s. It has no socket and no thread:
`ClockSync` exchanges the probes, and `MappedClock` follows the estimate.

A probe is sent at T1 and its reply arrives at T4 on this host's clock; the decoder's host receives
it at T2 and replies at T3 on its own. Nothing arrives before it is sent. The offset o (the decoder
host's clock minus this one) is therefore bounded from both sides without any assumption on the
delays, the symmetry of the network among them:

    o(T1) ≤ T2 − T1    and    o(T4) ≥ T3 − T4

Half the difference of the two bounds is half the round trip, NTP's bound (RFC 5905). The tightest
bounds of each 2 s are kept, 64 of each. Those of two times bound the rate d of the offset, and with
d − ρ ≤ rate ≤ d + ρ each bound holds at any other time t as well, wider by ρ |t − T|. The estimate
is the middle of the intersection, its uncertainty half the width, which grows by ρ per second until
the next probe.

The rate may vary by ±10 ppm about its mean over the time of the bounds, which quartz does not
exceed. Where bounds contradict each other beyond that, as where a clock's rate is adjusted, the
oldest ones are discarded; where the newest contradicts the one before it even at the largest rate,
1000 ppm (both clocks slewed by NTP), a clock was reset.

>>> clock_map = ClockMap()
>>> clock_map.absorb(ClockProbe(1_000, 6_000, 6_100, 1_300))
>>> clock_map.estimate.host_ns(1_300), round(clock_map.estimate.uncertainty_ns(1_300))
(6200, 101)
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.hosts import ClockProbe

_BIN_NS = 2_000_000_000
_KEPT = 64
_OLDEST_NS = 600_000_000_000
LARGEST_RATE = 1000e-6
"""Largest rate of the offset: two clocks that NTP slews by 500 ppm each in opposite directions."""
WANDER = 10e-6
"""Largest deviation of the rate from its mean over the bounds that are kept."""
_F64 = NDArray[np.float64]


@dataclass(slots=True)
class Bounds:
    """The tightest bounds of the offset within 2 s, and the local times at which they hold."""

    t_upper_ns: int
    upper_ns: int
    t_lower_ns: int
    lower_ns: int

    def tighten(self, other: "Bounds") -> bool:
        """Take over the tighter bounds of `other`; whether it has any."""
        lower, upper = other.lower_ns > self.lower_ns, other.upper_ns < self.upper_ns
        if lower:
            self.t_lower_ns, self.lower_ns = other.t_lower_ns, other.lower_ns
        if upper:
            self.t_upper_ns, self.upper_ns = other.t_upper_ns, other.upper_ns
        return lower or upper

    def contradicts(self, earlier: "Bounds") -> bool:
        """Whether no clock of at most the largest rate meets these bounds and `earlier` ones."""
        rise_ns = LARGEST_RATE * abs(self.t_lower_ns - earlier.t_upper_ns)
        fall_ns = LARGEST_RATE * abs(earlier.t_lower_ns - self.t_upper_ns)
        return (
            self.lower_ns > earlier.upper_ns + rise_ns or self.upper_ns < earlier.lower_ns - fall_ns
        )


def bounds_of(probe: ClockProbe) -> Bounds | None:
    """The bounds of one complete probe; None for times that no exchange can have."""
    if probe.t_reply_received_ns < probe.t_request_ns:
        return None
    bounds = Bounds(
        t_upper_ns=probe.t_request_ns,
        upper_ns=probe.t_request_received_ns - probe.t_request_ns,
        t_lower_ns=probe.t_reply_received_ns,
        lower_ns=probe.t_reply_ns - probe.t_reply_received_ns,
    )
    return bounds if bounds.lower_ns <= bounds.upper_ns else None


@dataclass(frozen=True, slots=True)
class Estimate:
    """The offset, its rate and their uncertainties, from the bounds up to `t_ns`."""

    t_ns: int
    """Local time at which `offset_ns` holds."""
    offset_ns: int
    """The decoder host's clock minus this host's."""
    rate: float
    """Change of the offset per local time, without unit."""
    width_ns: float
    """Half the distance of the bounds at `t_ns`."""
    rate_width: float
    """Largest deviation of the true rate from `rate`."""

    def host_ns(self, local_ns: int) -> int:
        """The decoder host's time at this host's `local_ns`."""
        return local_ns + self.offset_ns + round(self.rate * (local_ns - self.t_ns))

    def local_ns(self, host_ns: int) -> int:
        """Time of this host at the decoder host's `host_ns`."""
        return self.t_ns + round((host_ns - self.t_ns - self.offset_ns) / (1 + self.rate))

    def uncertainty_ns(self, local_ns: int) -> float:
        """Largest error of `host_ns` at `local_ns`."""
        return self.width_ns + self.rate_width * abs(local_ns - self.t_ns)


class BoundsByTime:
    """The tightest bounds of each 2 s, in the order of the probes' replies.

    Parameters
    ----------
    most
        Number of them that are kept, the newest ones; None keeps all.
    """

    def __init__(self, most: int | None = None) -> None:
        self.kept: deque[Bounds] = deque(maxlen=most)
        self._begun_ns = 0
        """Local time at which the newest ones began to be collected."""

    def is_contradicted_by(self, new: Bounds) -> bool:
        """Whether a clock was reset between the newest bounds and `new` ones."""
        return bool(self.kept) and new.contradicts(self.kept[-1])

    def add(self, new: Bounds) -> bool:
        """Take over `new` bounds; False where they are nowhere tighter."""
        if self.kept and 0 <= new.t_lower_ns - self._begun_ns < _BIN_NS:
            return self.kept[-1].tighten(new)
        self.kept.append(new)
        self._begun_ns = new.t_lower_ns
        return True


class ClockMap:
    """Estimates the offset of the decoder host's clock from probes, in the order of their replies.

    Attributes
    ----------
    estimate
        The newest estimate; None before the first probe. It is replaced as a whole, so that other
        threads may read it.
    n_resets
        How many times a clock was reset.
    """

    def __init__(self) -> None:
        self._bounds = BoundsByTime(_KEPT)
        self.estimate: Estimate | None = None
        self.n_resets = 0

    def absorb(self, probe: ClockProbe) -> None:
        """Update the estimate with a completed probe; one of impossible times is ignored."""
        new = bounds_of(probe)
        if new is None:
            return
        if self._bounds.is_contradicted_by(new):
            self._bounds.kept.clear()
            self.n_resets += 1
        if self._bounds.add(new):
            self.estimate = self._estimated(new.t_lower_ns)

    def _estimated(self, t_ns: int) -> Estimate:
        kept = self._bounds.kept
        while len(kept) > 1 and kept[0].t_lower_ns < t_ns - _OLDEST_NS:
            kept.popleft()
        while (found := estimate_of(kept, t_ns=t_ns)) is None:
            kept.popleft()
        return found


def estimate_of(bounds: Sequence[Bounds], *, t_ns: int) -> Estimate | None:
    """The estimate at the local time `t_ns` from all `bounds`; None where they contradict."""
    columns = _Columns(bounds, t_ns=t_ns)
    slowest, fastest = columns.rates()
    if slowest > fastest + 2 * WANDER and len(bounds) > 1:
        return None
    return columns.estimate(slowest, fastest)


class _Columns:
    """Bounds as arrays in ns relative to the newest upper bound and to `t_ns`, which are exact."""

    def __init__(self, bounds: Sequence[Bounds], *, t_ns: int) -> None:
        self._t_ns, self._zero_ns = t_ns, bounds[-1].upper_ns
        self._t_upper = _array([one.t_upper_ns - t_ns for one in bounds])
        self._upper = _array([one.upper_ns - self._zero_ns for one in bounds])
        self._t_lower = _array([one.t_lower_ns - t_ns for one in bounds])
        self._lower = _array([one.lower_ns - self._zero_ns for one in bounds])

    def rates(self) -> tuple[float, float]:
        """Smallest and largest mean rate that the bounds of all pairs of times permit."""
        # from a lower bound to a later upper one, and from an upper bound to a later lower one
        fastest = _slopes(self._t_lower, self._lower, self._t_upper, self._upper).min(initial=1.0)
        slowest = _slopes(self._t_upper, self._upper, self._t_lower, self._lower).max(initial=-1.0)
        return max(float(slowest), -LARGEST_RATE), min(float(fastest), LARGEST_RATE)

    def estimate(self, slowest: float, fastest: float) -> Estimate:
        """The middle of the intersection of all bounds at `t_ns`."""
        rate = (slowest + fastest) / 2
        # the mean lies within [slowest − w, fastest + w], the rate at any time within ± w of it
        rate_width = max((fastest - slowest) / 2 + 2 * WANDER, WANDER)
        upper = np.min(self._upper - rate * self._t_upper + rate_width * np.abs(self._t_upper))
        lower = np.max(self._lower - rate * self._t_lower - rate_width * np.abs(self._t_lower))
        return Estimate(
            t_ns=self._t_ns,
            offset_ns=self._zero_ns + round(float(upper + lower) / 2),
            rate=rate,
            width_ns=max(0.0, float(upper - lower) / 2) + 1,
            rate_width=rate_width,
        )


def _array(values: list[int]) -> _F64:
    return np.array(values, np.float64)


def _slopes(t_from: _F64, start: _F64, t_to: _F64, end: _F64) -> _F64:
    """(pair,) slopes from each point to every later one."""
    passed = t_to[None, :] - t_from[:, None]
    later = passed > 0
    return np.asarray((end[None, :] - start[:, None])[later] / passed[later])
