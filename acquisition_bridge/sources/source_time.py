"""Time stamps of a rig's clock as HostNs, for all live adapters: the map, and what does not fit it.

Duties: estimate the offset of the rig's clock, reject a stamp that no delay explains, and begin the
map anew where the clock itself was set anew. It is a pure state machine, without clock or socket.

>>> time = SourceTime()
>>> stamps_s = (0.0, 0.1, 90.0, 0.3)
>>> [time.host_ns(round(s * 1e9), arrived_ns=k * 10**8 + 500) for k, s in enumerate(stamps_s)]
[500, 100000500, None, 300000500]
>>> time.rejected
1
"""

from dataclasses import dataclass

_LEAK_PPM = 200
"""Largest relative rate of two crystal clocks, by which the estimated offset may grow."""
_JITTER_NS = 10_000_000
"""A lower offset counts at once within this distance, and else once two stamps agree on it."""
_BLOCK = 32
_TOLERANCE_NS = 250_000_000
_LONGEST_DELAY_NS = 300_000_000
_LONGEST_STEP_NS = 1_000_000_000
_CONFIRMING = 3
"""Number of consecutive stamps that agree with each other after which the clock was set anew."""
_CONFIRMING_NS = 500_000_000
_LONGEST_HOST_DELAY_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class _Seen:
    """A stamp of the source's clock and its arrival in HostNs."""

    stamp_ns: int
    arrived_ns: int

    @property
    def offset_ns(self) -> int:
        return self.arrived_ns - self.stamp_ns


class _Offset:
    """Least offset of a source's clock on which two stamps of a block agree."""

    def __init__(self) -> None:
        self._least_ns: int | None = None
        self._block: list[int] = []
        self._stamp_ns = 0

    @property
    def ns(self) -> int | None:
        """The estimate; of the first two stamps it is the least offset, None without any."""
        return self._block[0] if self._least_ns is None and self._block else self._least_ns

    def add(self, seen: _Seen) -> None:
        """Let the estimate grow by the leak since the last stamp, and lower it to this one."""
        grown_ns = max(0, seen.stamp_ns - self._stamp_ns) * _LEAK_PPM // 1_000_000
        kept = [] if len(self._block) == _BLOCK else [ns + grown_ns for ns in self._block]
        self._stamp_ns, self._block = seen.stamp_ns, sorted([*kept, seen.offset_ns])
        if self._least_ns is not None:
            self._least_ns += grown_ns
        # one stamp that is ahead must not lower the offset of all that follow it
        if len(self._block) > (2 if self._least_ns is None else 1):
            second_ns = self._block[1]
            self._least_ns = second_ns if self._least_ns is None else min(self._least_ns, second_ns)
        if self._least_ns is not None and self._least_ns - self._block[0] <= _JITTER_NS:
            self._least_ns = min(self._least_ns, self._block[0])


class SourceTime:
    """Maps time stamps of the source's clock to HostNs by the fastest arrivals.

    arrival = stamp + offset + delay with delay ≥ 0, so the offset is estimated by the least
    arrival - stamp. The estimate may grow by 200 ppm, which follows a source clock that is slow.
    A mapped time is never later than the arrival and never decreases.

    A stamp is implausible if it lies before its predecessor, or further ahead of the map than the
    time since its predecessor explains. Three of them in a row that agree with each other are a
    clock that was set anew, and so is a delay of more than `longest_delay_ns` that stays constant
    for half a second (a backlog becomes shorter); the map then begins anew with these stamps.

    Parameters
    ----------
    offset_ns
        The offset where it is known, 0 for stamps that are HostNs; None estimates it.
    longest_delay_ns
        Constant delay, beyond the least one, up to which the map is kept.

    Attributes
    ----------
    rejected, restarts
        Number of implausible stamps, and of times that the source's clock was set anew.
    """

    def __init__(
        self, *, offset_ns: int | None = None, longest_delay_ns: int = _LONGEST_DELAY_NS
    ) -> None:
        self._known_ns, self._longest_delay_ns = offset_ns, longest_delay_ns
        self._estimate = _Offset()
        self._last: _Seen | None = None
        self._step_ns = 0
        self._mapped_ns = -1
        self._suspects: list[_Seen] = []
        self._delayed: list[_Seen] = []
        self.rejected = self.restarts = 0

    def host_ns(self, stamp_ns: int, *, arrived_ns: int, steps: int = 1) -> int | None:
        """HostNs of `stamp_ns`, which arrived at `arrived_ns`; None for an implausible stamp.

        Parameters
        ----------
        steps
            Number of samples since the last stamp, lost ones included.
        """
        seen = _Seen(stamp_ns, arrived_ns)
        if self._is_implausible(seen, steps):
            self._suspect(seen)
            if len(self._suspects) < _CONFIRMING:
                return None
            self._begin_anew(self._suspects)
        else:
            self.rejected += len(self._suspects)
            self._suspects = []
            if self._is_set_anew(seen):
                self._begin_anew(self._delayed)
        return self._mapped(seen)

    def predicted_ns(self, *, arrived_ns: int, steps: int = 1) -> int:
        """HostNs of a sample whose stamp is implausible: `steps` samples after the last one."""
        if self._mapped_ns < 0:
            return arrived_ns
        self._mapped_ns = min(self._mapped_ns + max(1, steps * self._step_ns), arrived_ns)
        return self._mapped_ns

    def restart(self) -> None:
        """Discard the offset after a restart of the source and its clock."""
        self._estimate, self._last = _Offset(), None
        self._suspects, self._delayed = [], []

    def precedes(self, stamp_ns: int) -> bool:
        """Whether `stamp_ns` lies before the last plausible stamp."""
        return self._last is not None and stamp_ns < self._last.stamp_ns

    def _offset_ns(self) -> int | None:
        return self._estimate.ns if self._known_ns is None else self._known_ns

    def _is_implausible(self, seen: _Seen, steps: int) -> bool:
        offset_ns, last = self._offset_ns(), self._last
        if offset_ns is None:
            return False
        tolerance_ns = _TOLERANCE_NS + 2 * steps * min(self._step_ns, _LONGEST_STEP_NS)
        is_ahead = seen.offset_ns < offset_ns - tolerance_ns
        if last is None:
            return is_ahead
        # a backlog is delivered at once, with stamps that rise faster than the arrivals
        step_ns, passed_ns = seen.stamp_ns - last.stamp_ns, seen.arrived_ns - last.arrived_ns
        return step_ns < -tolerance_ns or (is_ahead and step_ns > passed_ns + tolerance_ns)

    def _suspect(self, seen: _Seen) -> None:
        if self._suspects:
            last = self._suspects[-1]
            step_ns, passed_ns = seen.stamp_ns - last.stamp_ns, seen.arrived_ns - last.arrived_ns
            if not 0 < step_ns <= passed_ns + _TOLERANCE_NS:
                self.rejected += len(self._suspects)
                self._suspects = []
        self._suspects.append(seen)

    def _is_set_anew(self, seen: _Seen) -> bool:
        """Whether a long delay has been constant, which a backlog never is."""
        offset_ns = self._offset_ns()
        if offset_ns is None or seen.offset_ns - offset_ns <= self._longest_delay_ns:
            self._delayed = []
            return False
        first = (self._delayed or [seen])[0]
        span_ns = seen.stamp_ns - first.stamp_ns
        if abs(seen.offset_ns - first.offset_ns) > span_ns // 20 + 5 * _JITTER_NS:
            self._delayed = []
        self._delayed.append(seen)
        return len(self._delayed) >= _CONFIRMING and span_ns >= _CONFIRMING_NS

    def _begin_anew(self, seen: list[_Seen]) -> None:
        self.restart()
        self._known_ns = None
        self.restarts += 1
        for one in seen[:-1]:
            self._add(one)

    def _add(self, seen: _Seen) -> None:
        self._estimate.add(seen)
        if self._last is not None:
            self._step_ns = max(0, seen.stamp_ns - self._last.stamp_ns)
        self._last = seen

    def _mapped(self, seen: _Seen) -> int:
        self._add(seen)
        host_ns = seen.stamp_ns + (self._offset_ns() or 0)
        self._mapped_ns = min(max(self._mapped_ns + 1, host_ns), seen.arrived_ns)
        return self._mapped_ns


def host_clock_time() -> SourceTime:
    """A map of stamps that already are HostNs; a sample may take up to a minute to arrive."""
    return SourceTime(offset_ns=0, longest_delay_ns=_LONGEST_HOST_DELAY_NS)
