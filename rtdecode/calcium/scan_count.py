"""Index of each scan, lost ones included, and the scan rate, for the calcium stages."""

from collections import deque
from dataclasses import dataclass

import numpy as np

_PERIODS = 50
_NS_PER_S = 1e9
_LONGEST_PERIODS = 2.5
"""Time between consecutive numbers, in scan periods, above which scans are missing uncounted. The
arrivals of scans without time stamps are up to two periods apart on a busy computer."""


@dataclass(frozen=True, slots=True)
class ScanTime:
    """The microscope's number of a scan, and its start and end as HostNs."""

    number: int
    t_start_ns: int
    t_end_ns: int

    @property
    def t_middle_ns(self) -> int:
        return (self.t_start_ns + self.t_end_ns) // 2


class ScanCount:
    """Index of each scan of one plane, in which lost scans count.

    A jump of the microscope's numbers is the number of lost scans. After a restart, when its
    numbers begin again, the index advances by the elapsed time in scan periods, and so it does
    where more time has passed than the numbers explain: activity is never interpolated there.

    >>> count = ScanCount(planes=1, scan_rate_hz=30.0)
    >>> [count.index_of(ScanTime(n, n * 33_333_333, (n + 1) * 33_333_333)) for n in (7, 8, 11, 11)]
    [0, 1, 4, None]
    """

    def __init__(self, *, planes: int, scan_rate_hz: float | None) -> None:
        """Set the rate in Hz of all `planes` together; None, or several planes: it is estimated."""
        self._planes = planes
        self._rate_hz = scan_rate_hz if planes == 1 else None
        self._first_ns = 0
        self._last: ScanTime | None = None
        self._index = -1
        self._periods_ns: deque[float] = deque(maxlen=_PERIODS)

    @property
    def scan_rate_hz(self) -> float:
        """Rate of one plane in Hz: as given, or the reciprocal of the median scan period."""
        if self._rate_hz is not None:
            return self._rate_hz
        return _NS_PER_S / float(np.median(self._periods_ns)) if self._periods_ns else 30.0

    def index_of(self, scan: ScanTime) -> int | None:
        """Index of `scan`; None for a repeated scan or one that is older than the newest."""
        if self._last is None:
            self._first_ns, self._index = scan.t_start_ns, 0
        elif scan.t_start_ns <= self._last.t_start_ns:
            return None
        else:
            self._index += self._increment(scan, self._last)
        self._last = scan
        return self._index

    def seconds_since_first(self, scan: ScanTime) -> float:
        """Time in s from the start of the first scan to the end of `scan`."""
        return (scan.t_end_ns - self._first_ns) / _NS_PER_S

    def _increment(self, scan: ScanTime, last: ScanTime) -> int:
        elapsed_ns = scan.t_start_ns - last.t_start_ns
        jump = scan.number - last.number
        if jump <= 0:
            return max(1, round(elapsed_ns * self.scan_rate_hz / _NS_PER_S))
        increment, period_ns = max(1, round(jump / self._planes)), self._longer_period_ns()
        # per-scan period across lost scans, so that a gap does not bias the rate
        self._periods_ns.append(elapsed_ns / increment)
        if period_ns is not None and elapsed_ns > _LONGEST_PERIODS * increment * period_ns:
            return round(elapsed_ns / period_ns)
        return increment

    def _longer_period_ns(self) -> float | None:
        """The longer one of the given and the measured scan period; None while neither is known."""
        given = [] if self._rate_hz is None else [_NS_PER_S / self._rate_hz]
        measured = [float(np.median(self._periods_ns))] if self._periods_ns else []
        return max([*given, *measured], default=None)
