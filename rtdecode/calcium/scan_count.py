"""Counts scans, lost ones too, and learns their rate."""

from collections import deque
from dataclasses import dataclass

import numpy as np

_LEARNED_FROM = 50
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class ScanTime:
    """Which scan, by the microscope's own number, and when."""

    number: int
    t_start_ns: int
    t_end_ns: int

    @property
    def t_middle_ns(self) -> int:
        return (self.t_start_ns + self.t_end_ns) // 2


class ScanCount:
    """Index of each scan of one plane on a line without holes.

    A jump in the microscope's own numbers is that many lost scans. Numbers that begin again,
    after the microscope was restarted, go on where the clock says.
    """

    def __init__(self, *, planes: int, scan_rate_hz: float | None) -> None:
        """Take the rate of all `planes` together; None, and that of several planes, is learned."""
        self._planes = planes
        self._rate_hz = scan_rate_hz if planes == 1 else None
        self._first_ns = 0
        self._last: ScanTime | None = None
        self._index = -1
        self._periods_ns: deque[float] = deque(maxlen=_LEARNED_FROM)

    @property
    def scan_rate_hz(self) -> float:
        """Of the one plane: as given, or one over the median time between neighbouring scans."""
        if self._rate_hz is not None:
            return self._rate_hz
        return _NS_PER_S / float(np.median(self._periods_ns)) if self._periods_ns else 30.0

    def index_of(self, scan: ScanTime) -> int | None:
        """Index of `scan`, or None for a repeat or one that is older than the newest."""
        if self._last is None:
            self._first_ns, self._index = scan.t_start_ns, 0
        elif scan.t_start_ns <= self._last.t_start_ns:
            return None
        else:
            self._index += self._step(scan, self._last)
        self._last = scan
        return self._index

    def seconds_since_first(self, scan: ScanTime) -> float:
        """Time from the first scan's start to this scan's end."""
        return (scan.t_end_ns - self._first_ns) / _NS_PER_S

    def _step(self, scan: ScanTime, last: ScanTime) -> int:
        elapsed_ns = scan.t_start_ns - last.t_start_ns
        jump = scan.number - last.number
        if jump > 0:
            step = max(1, round(jump / self._planes))
            self._periods_ns.append(elapsed_ns / step)
            return step
        return max(1, round(elapsed_ns * self.scan_rate_hz / _NS_PER_S))
