"""Numbering, time-stamping and checking of live scans, for all adapters to live microscopes.

Duties: map the microscope's clock to HostNs, turn its counter into scan numbers in which lost scans
show as jumps, leave out repeated and old scans, refuse a change of size, and count saturated scans.
The module does not depend on file formats, protocols or sockets.

>>> import numpy as np
>>> intake = Intake(scan_rate_hz=30.0)
>>> pixels = np.zeros((2, 2), np.uint16)
>>> scans = [intake.accepted(DecodedScan(pixels, n), arrived_ns=n * 10**8) for n in (4, 5, 5, 8)]
>>> [scan and scan.number for scan in scans], intake.health()["lost"]
([0, 1, None, 4], 2)
"""

from dataclasses import dataclass

from acquisition_bridge.sources.contract import Pixels
from rtdecode.schema.errors import ScanSizeChangedError
from rtdecode.schema.messages import Scan

_LEAK_PPM = 200
"""Largest relative rate of two crystal clocks, by which the estimated offset may grow."""


class SourceTime:
    """Maps time stamps of the source's clock to HostNs by the fastest arrivals.

    arrival = stamp + offset + delay with delay ≥ 0, so the offset is estimated by the minimum of
    arrival - stamp. The estimate may grow by 200 ppm, which follows a source clock that is slow.
    A mapped time is never later than the arrival and never decreases.
    """

    def __init__(self) -> None:
        self._offset_ns: int | None = None
        self._stamp_ns = 0
        self._mapped_ns = -1

    def host_ns(self, stamp_ns: int, *, arrived_ns: int) -> int:
        """HostNs of `stamp_ns`, which arrived at `arrived_ns`; strictly increasing before that."""
        offset_ns = arrived_ns - stamp_ns
        if self._offset_ns is not None:
            grown_ns = max(0, stamp_ns - self._stamp_ns) * _LEAK_PPM // 1_000_000
            offset_ns = min(offset_ns, self._offset_ns + grown_ns)
        self._offset_ns, self._stamp_ns = offset_ns, stamp_ns
        self._mapped_ns = min(max(self._mapped_ns + 1, stamp_ns + offset_ns), arrived_ns)
        return self._mapped_ns

    def restart(self) -> None:
        """Discard the offset after a restart of the source and its clock."""
        self._offset_ns = None


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


class ScanOrder:
    """Number of each scan, from 0 for the first received one; repeated and old scans have none.

    Attributes
    ----------
    lost, repeated, reordered
        Number of scans that were skipped, received again, or received after a later one.
    restarts
        Number of times that the counter restarted; scans lost meanwhile cannot be counted.
    """

    def __init__(self, counter_bits: int | None = None) -> None:
        self._modulus = None if counter_bits is None else 1 << counter_bits
        self._counter: int | None = None
        self._number = -1
        self._reconnected = False
        self.lost = self.repeated = self.reordered = self.restarts = 0

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
        self.lost += ahead - 1
        self._counter = counter
        self._number += ahead
        return self._number

    def reconnected(self) -> None:
        """Accept either consecutive counters or restarted ones next."""
        self._reconnected = True

    def restart(self) -> None:
        """Accept restarted counters; the numbers of scans continue."""
        self.restarts += self._counter is not None
        self._counter = None

    def _ahead(self, difference: int) -> int:
        if self._modulus is None:
            return difference
        # difference modulo 2^bits, in [-half, half): negative for an old scan
        half = self._modulus // 2
        return (difference + half) % self._modulus - half


_NS_PER_S = 1_000_000_000
_SATURATED = {"uint16": 65535, "int16": 32767}


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


class Intake:
    """Makes Scan messages of decoded scans, for all adapters to live microscopes.

    A scan ends at its arrival or, where the microscope stamps its scans, at the stamp mapped to
    HostNs; it starts one scan period before, but not before the end of its predecessor.

    Parameters
    ----------
    scan_rate_hz
        Scans per second, all planes together.
    counter_bits
        Width of a counter that wraps around; None for one that does not.
    """

    def __init__(self, *, scan_rate_hz: float, counter_bits: int | None = None) -> None:
        self._period_ns = round(_NS_PER_S / scan_rate_hz)
        self._order = ScanOrder(counter_bits)
        self._time = SourceTime()
        self._shape: tuple[int, ...] | None = None
        self._scans = self._saturated = 0
        self._last_end_ns = -1

    def accepted(self, scan: DecodedScan, *, arrived_ns: int) -> Scan | None:
        """The Scan message of `scan`; None for a repeated or old one.

        Raises
        ------
        ScanSizeChangedError
            If it has another size than the scans before.
        """
        if scan.counter_restarted:
            self._order.restart()
            self._time.restart()
        number = self._order.number(scan.counter)
        if number is None:
            return None
        self._shape = self._shape or scan.pixels.shape
        if scan.pixels.shape != self._shape:
            raise ScanSizeChangedError(number=number, before=self._shape, now=scan.pixels.shape)
        self._scans += 1
        self._saturated += bool((scan.pixels == _SATURATED[scan.pixels.dtype.name]).any())
        start_ns, end_ns = self._span(scan, arrived_ns)
        return Scan(scan.pixels, number, scan.plane, start_ns, end_ns)

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
            "saturated": self._saturated,
        }

    def _span(self, scan: DecodedScan, arrived_ns: int) -> tuple[int, int]:
        end_ns = arrived_ns
        if scan.t_source_ns is not None:
            end_ns = self._time.host_ns(scan.t_source_ns, arrived_ns=arrived_ns)
        start_ns = min(end_ns, max(self._last_end_ns, end_ns - self._period_ns))
        self._last_end_ns = end_ns
        return start_ns, end_ns
