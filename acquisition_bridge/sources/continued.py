"""The source of a bridge that was started again: its scans continue the numbers of those before.

Duties: leave out the scans of a file that were passed on before the restart, number the others so
that numbers increase over the whole session, and count the scans and the time in between. It is a
wrapper of any source, without clock or socket.

A live source is received from now on. Where the rig numbers its scans, the step of its numbers is
the step of ours, and the scans in between are counted as lost; a rig whose numbers began anew, or
that has none, is continued with the next number. A file is read from its beginning, with the same
numbers as before.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from acquisition_bridge.sources.contract import FrameSpec, Measured, ScanSource
from rtdecode.schema.messages import Behaviour, DisplayedFrame, Fluorescence, Scan

_NS_PER_S = 1e9
_FEW_SCANS = 16
"""Step of the rig's numbers that is plausible whatever time has passed."""
_COUNTED = (
    "lost",
    "repeated",
    "reordered",
    "set_aside",
    "restarts",
    "stamps_rejected",
    "clock_restarts",
)
"""Counters of a source that a file which is read again has counted before."""

NAMES = ("number", "own_number", "t_end_ns")
"""The numbers of `LastScan`, as a progress file keeps them."""


@dataclass(frozen=True, slots=True)
class LastScan:
    """The last scan, or sample of ROI values, that was passed on before a restart."""

    number: int
    own_number: int
    """The rig's own number, or that of the source where the rig has none."""
    t_end_ns: int


def last_scan(body: Scan | Fluorescence) -> LastScan:
    """What the bridge keeps of `body` for the case of a restart."""
    own = body.number if body.rig_number < 0 else body.rig_number
    return LastScan(body.number, own, body.t_end_ns if isinstance(body, Scan) else body.t_scan_ns)


class ContinuedSource:
    """`source` from the scan after `last` on; see the module.

    Attributes
    ----------
    down_s
        Time in s from the end of `last` to that of the first scan after it; 0 before it has come.
    """

    def __init__(self, source: ScanSource, last: LastScan) -> None:
        self._source, self._last = source, last
        self._ahead: int | None = None
        self._lost = 0
        self._before: dict[str, float] = {}
        self.down_s = 0.0

    @property
    def spec(self) -> FrameSpec:
        return self._source.spec

    @property
    def needs_displayed_frames(self) -> bool:
        return self._source.needs_displayed_frames

    @property
    def ended(self) -> bool:
        return self._source.ended

    def begin(self, t_ns: int) -> None:
        self._source.begin(t_ns)

    def show(self, frame: DisplayedFrame) -> None:
        self._source.show(frame)

    def measured_until(self, until_ns: int) -> Sequence[Measured]:
        bodies = self._source.measured_until(until_ns)
        return [
            body if isinstance(body, Behaviour) else self._numbered(body)
            for body in bodies
            if isinstance(body, Behaviour) or not self._is_passed_on(body)
        ]

    def health(self) -> dict[str, float]:
        own = self._source.health()
        counted = {name: own[name] - self._before.get(name, 0) for name in _COUNTED if name in own}
        lost = counted.get("lost", 0) + self._lost
        return {**own, **counted, "lost": lost, "down_s": self.down_s}

    def close(self) -> None:
        self._source.close()

    def _is_passed_on(self, body: Scan | Fluorescence) -> bool:
        """Whether `body` was passed on before the restart; never for a live source."""
        return False

    def _numbered(self, body: Scan | Fluorescence) -> Scan | Fluorescence:
        if self._ahead is None:
            first = last_scan(body)
            self.down_s = max(0.0, (first.t_end_ns - self._last.t_end_ns) / _NS_PER_S)
            step = self._step(body, first)
            self._lost = step - 1
            self._ahead = self._last.number + step - body.number
        return replace(body, number=body.number + self._ahead)

    def _step(self, body: Scan | Fluorescence, first: LastScan) -> int:
        """Steps from the last number to that of the first scan, by the rig's own numbers."""
        step = first.own_number - self._last.own_number
        rate_hz = self.spec.scan_rate_hz
        most = math.inf if rate_hz is None else _FEW_SCANS + 2 * self.down_s * rate_hz
        return step if body.rig_number >= 0 and 1 <= step <= most else 1


class ContinuedFile(ContinuedSource):
    """A file that is read again from its beginning, without the scans up to `last`."""

    def _is_passed_on(self, body: Scan | Fluorescence) -> bool:
        if self._ahead is None:
            # what was counted up to here was reported before the restart
            self._before = self._source.health()
        return self._ahead is None and last_scan(body).own_number <= self._last.own_number

    def _step(self, body: Scan | Fluorescence, first: LastScan) -> int:
        return first.own_number - self._last.own_number
