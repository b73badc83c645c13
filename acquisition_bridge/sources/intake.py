"""Numbering, time-stamping and checking of live scans, for all adapters to live microscopes.

Duties: give each scan its number (`scan_numbers`) and its time in HostNs (`source_time`), refuse a
change of size, and count saturated scans. The module does not depend on file formats, protocols or
sockets.

>>> import numpy as np
>>> intake = Intake(scan_rate_hz=30.0)
>>> pixels = np.zeros((2, 2), np.uint16)
>>> passed = [intake.scans(DecodedScan(pixels, n), arrived_ns=n * 10**8) for n in (4, 5, 5, 8)]
>>> [[scan.number for scan in scans] for scans in passed], intake.health()["lost"]
([[0], [1], [], [4]], 2)
"""

from dataclasses import dataclass

from acquisition_bridge.sources.contract import Pixels
from acquisition_bridge.sources.scan_numbers import Arrival, ScanOrder
from acquisition_bridge.sources.source_time import SourceTime, host_clock_time
from rtdecode.schema.errors import ScanSizeChangedError
from rtdecode.schema.messages import Scan

_NS_PER_S = 1_000_000_000
_SATURATED = {"uint16": 65535, "int16": 32767}
_LONGEST_PERIODS = 10


@dataclass(frozen=True, slots=True)
class VolumeLayout:
    """Order of slices in a microscope's frame counter, with flyback frames after each volume."""

    slices: int = 1
    frames_per_slice: int = 1
    flyback_frames: int = 0

    @property
    def frames_per_volume(self) -> int:
        """Frames from the start of one volume to that of the next, flyback included."""
        return self.slices * self.frames_per_slice + self.flyback_frames

    def place(self, frame: int) -> tuple[int, int] | None:
        """(scan, plane) of a frame, both from 0, without flyback frames; None during flyback.

        >>> [VolumeLayout(slices=2, flyback_frames=1).place(frame) for frame in range(4)]
        [(0, 0), (1, 1), None, (2, 0)]
        """
        volume, within = divmod(frame, self.frames_per_volume)
        scans = self.slices * self.frames_per_slice
        if within >= scans:
            return None
        return volume * scans + within, within // self.frames_per_slice


@dataclass(frozen=True, slots=True, eq=False)
class DecodedScan:
    """A scan as decoded from the microscope's bytes."""

    pixels: Pixels
    counter: int
    plane: int = 0
    t_source_ns: int | None = None
    """Time stamp of the microscope's clock; None where it sends none."""
    counter_restarted: bool = False
    """True for the first scan after the microscope restarted its counter."""
    host_start_ns: int | None = None
    """Start of the scan in HostNs; then `t_source_ns`, its end, is in HostNs too."""


class Intake:
    """Makes Scan messages of decoded scans, for all adapters to live microscopes.

    A scan ends at its arrival or, where the microscope stamps its scans, at the stamp mapped to
    HostNs; it starts one scan period before, but not before the end of its predecessor. A scan
    whose stamp is implausible is dated by its number.

    Parameters
    ----------
    scan_rate_hz
        Scans per second, all planes together.
    counter_bits
        Width of a counter that wraps around; None for one that does not.
    """

    def __init__(self, *, scan_rate_hz: float, counter_bits: int | None = None) -> None:
        self._period_ns = round(_NS_PER_S / scan_rate_hz)
        self._order = ScanOrder[DecodedScan](counter_bits, period_ns=self._period_ns)
        self._time, self._host_time = SourceTime(), host_clock_time()
        self._shape: tuple[int, ...] | None = None
        self._scans = self._saturated = 0
        self._last_number = self._last_end_ns = -1

    def scans(self, scan: DecodedScan, *, arrived_ns: int) -> list[Scan]:
        """The Scan messages that can be passed on once `scan` arrived, in order.

        None for a repeated or old scan. A scan whose number does not continue those before is held
        until the next ones show whether the microscope began anew.

        Raises
        ------
        ScanSizeChangedError
            If it has another size than the scans before.
        """
        if scan.counter_restarted:
            self._order.restart()
            self._time.restart()
        restarts = self._order.restarts
        passed = self._order.passed(Arrival(scan, scan.counter, arrived_ns))
        if self._order.restarts > restarts:
            self._restart_time(passed[0][1].scan)
        return [self._message(number, arrival) for number, arrival in passed]

    def reconnected(self) -> None:
        """Accept missing scans, or restarted counters and stamps, after a new connection."""
        self._order.reconnected()
        self._time.restart()

    def health(self) -> dict[str, float]:
        """Counters for the heartbeat."""
        order = self._order
        return {
            "scans": self._scans,
            "lost": order.lost,
            "repeated": order.repeated,
            "reordered": order.reordered,
            "restarts": order.restarts,
            "set_aside": order.set_aside,
            "saturated": self._saturated,
            "stamps_rejected": self._time.rejected + self._host_time.rejected,
            "clock_restarts": self._time.restarts + self._host_time.restarts,
        }

    def _restart_time(self, first: DecodedScan) -> None:
        """Map the rig's clock anew where it was restarted together with the counter."""
        stamp_ns = first.t_source_ns
        if first.host_start_ns is None and stamp_ns is not None and self._time.precedes(stamp_ns):
            self._time.restart()

    def _message(self, number: int, arrival: Arrival[DecodedScan]) -> Scan:
        scan = arrival.scan
        self._shape = self._shape or scan.pixels.shape
        if scan.pixels.shape != self._shape:
            raise ScanSizeChangedError(number=number, before=self._shape, now=scan.pixels.shape)
        self._scans += 1
        self._saturated += bool((scan.pixels == _SATURATED[scan.pixels.dtype.name]).any())
        steps, self._last_number = number - self._last_number, number
        start_ns, end_ns = self._span(scan, arrival.arrived_ns, steps)
        return Scan(scan.pixels, number, scan.plane, start_ns, end_ns, scan.counter)

    def _span(self, scan: DecodedScan, arrived_ns: int, steps: int) -> tuple[int, int]:
        """Start and end in HostNs; ends increase, also of scans that arrived together."""
        end_ns = max(self._end_ns(scan, arrived_ns, steps), self._last_end_ns + 1)
        start_ns = max(self._last_end_ns, end_ns - self._period_ns)
        given_ns = scan.host_start_ns
        if given_ns is not None and end_ns == scan.t_source_ns:
            is_plausible = 0 <= end_ns - given_ns <= _LONGEST_PERIODS * self._period_ns
            start_ns = given_ns if is_plausible else start_ns
        self._last_end_ns = end_ns
        return min(start_ns, end_ns), end_ns

    def _end_ns(self, scan: DecodedScan, arrived_ns: int, steps: int) -> int:
        if scan.t_source_ns is None:
            return arrived_ns
        time = self._time if scan.host_start_ns is None else self._host_time
        mapped_ns = time.host_ns(scan.t_source_ns, arrived_ns=arrived_ns, steps=steps)
        if mapped_ns is None:
            return time.predicted_ns(arrived_ns=arrived_ns, steps=steps)
        return mapped_ns
