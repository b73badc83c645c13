"""Another host's clock, mapped onto the decoder host's from probes on the control line.

A probe is four times: asked here, heard there, answered there, returned here. Its offset is
((heard - asked) + (answered - returned)) / 2 and it is wrong by at most half its round trip, so of
each exchange of eight the one with the least round trip counts (Cristian 1989; NTP, RFC 5905).
Over the exchanges a line is fitted robustly (Theil 1950; Sen 1968): offset and drift.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from rtdecode.schema.messages import ClockProbe

PROBES_AN_EXCHANGE = 8
_KEPT_EXCHANGES = 45
_RESET_FACTOR = 5
_LEAST_RESET_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """The best probe of one exchange."""

    t_ns: int
    """On this host's clock, the middle of the probe."""
    offset_ns: float
    """The decoder host's clock minus this host's."""
    uncertainty_ns: float
    """Half the round trip."""


def best_of(probes: Sequence[ClockProbe]) -> Exchange:
    """The exchange that `probes` give: the one of least round trip."""
    return min((_exchange(probe) for probe in probes), key=lambda one: one.uncertainty_ns)


def _exchange(probe: ClockProbe) -> Exchange:
    out_ns = probe.t_heard_ns - probe.t_asked_ns
    back_ns = probe.t_answered_ns - probe.t_returned_ns
    return Exchange(
        t_ns=(probe.t_asked_ns + probe.t_returned_ns) // 2,
        offset_ns=(out_ns + back_ns) / 2,
        uncertainty_ns=(out_ns - back_ns) / 2,
    )


class ClockMap:
    """Maps this host's nanoseconds to the decoder host's and back.

    Before the first exchange it is the identity with infinite uncertainty. A jump of more than five
    times the uncertainty is a clock that was reset: what was known before is forgotten.
    """

    def __init__(self) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=_KEPT_EXCHANGES)
        self._offset_ns, self._drift, self._origin_ns = 0.0, 0.0, 0
        self.uncertainty_ns = float("inf")
        self.n_resets = 0

    def take(self, probes: Sequence[ClockProbe]) -> None:
        """Learn from one exchange."""
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
