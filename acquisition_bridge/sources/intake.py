"""The one door through which live scans come in: numbered, stamped, checked."""

from dataclasses import dataclass

from acquisition_bridge.sources.contract import Pixels
from rtdecode.schema.errors import ScanSizeChangedError
from rtdecode.schema.messages import Scan

_LEAK_PPM = 200
"""Crystal clocks differ by less; the offset may follow a source clock that runs this much slow."""


class SourceTime:
    """Maps the source's stamps to HostNs by the quickest arrivals.

    An arrival is a stamp plus the offset of the two clocks plus a delay that is never negative, so
    the least (arrival - stamp) is the best guess of the offset; it is let to grow by 200 ppm, so
    that a slow source clock is followed. A mapped time is therefore never after its arrival.
    """

    def __init__(self) -> None:
        self._offset_ns: int | None = None
        self._stamp_ns = 0
        self._mapped_ns = -1

    def host_ns(self, stamp_ns: int, *, arrived_ns: int) -> int:
        """HostNs of `stamp_ns`, of which the news came at `arrived_ns`; never goes backwards."""
        offset_ns = arrived_ns - stamp_ns
        if self._offset_ns is not None:
            grown_ns = max(0, stamp_ns - self._stamp_ns) * _LEAK_PPM // 1_000_000
            offset_ns = min(offset_ns, self._offset_ns + grown_ns)
        self._offset_ns, self._stamp_ns = offset_ns, stamp_ns
        self._mapped_ns = min(max(self._mapped_ns + 1, stamp_ns + offset_ns), arrived_ns)
        return self._mapped_ns

    def restart(self) -> None:
        """Forget the offset: the source has started again, its clock too."""
        self._offset_ns = None


@dataclass(frozen=True, slots=True)
class VolumeLayout:
    """How a microscope's frame counter runs through a volume, with frames lost to flyback."""

    slices: int = 1
    frames_per_slice: int = 1
    flyback_frames: int = 0

    @property
    def frames_per_volume(self) -> int:
        """Frames from one volume's start to the next, flyback among them."""
        return self.slices * self.frames_per_slice + self.flyback_frames

    def place(self, frame: int) -> tuple[int, int] | None:
        """(scan, plane) of the frame counted from 0, scans without flyback; None in flyback."""
        volume, within = divmod(frame, self.frames_per_volume)
        scans = self.slices * self.frames_per_slice
        if within >= scans:
            return None
        return volume * scans + within, within // self.frames_per_slice


class ScanOrder:
    """Gives each scan its number, counted from the first that was seen, and refuses old ones.

    Attributes
    ----------
    lost, repeated, reordered
        Counters that were jumped over, that came again, that came after a later one.
    restarts
        How often the source began to count anew; nobody knows how many scans lie in between.
    """

    def __init__(self, counter_bits: int | None = None) -> None:
        self._modulus = None if counter_bits is None else 1 << counter_bits
        self._counter: int | None = None
        self._number = -1
        self._reconnected = False
        self.lost = self.repeated = self.reordered = self.restarts = 0

    def number(self, counter: int) -> int | None:
        """Number of the scan with `counter`, or None where it is old and must be left out."""
        ahead = 1 if self._counter is None else self._ahead(counter - self._counter)
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
        """Expect either the next counters, or ones that begin anew."""
        self._reconnected = True

    def restart(self) -> None:
        """Expect counters that begin anew; numbers go on where they were."""
        self.restarts += self._counter is not None
        self._counter = None

    def _ahead(self, difference: int) -> int:
        if self._modulus is None:
            return difference
        half = self._modulus // 2
        return (difference + half) % self._modulus - half


_NS_PER_S = 1_000_000_000
_SATURATED = {"uint16": 65535, "int16": 32767}


@dataclass(frozen=True, slots=True, eq=False)
class DecodedScan:
    """A scan as the microscope's bytes say it."""

    pixels: Pixels
    counter: int
    plane: int = 0
    t_source_ns: int | None = None
    """The microscope's own stamp, on its own clock; None where it gives none."""
    begins: bool = False
    """True where the microscope has begun to count anew."""


class Intake:
    """Makes Scan messages of decoded scans, whatever rig they come from.

    A scan ends when its news came, or, where the microscope stamps its scans, at that stamp mapped
    to this host; it began one scan period before.
    """

    def __init__(self, *, scan_rate_hz: float, counter_bits: int | None = None) -> None:
        self._period_ns = round(_NS_PER_S / scan_rate_hz)
        self._order = ScanOrder(counter_bits)
        self._time = SourceTime()
        self._shape: tuple[int, ...] | None = None
        self._scans = self._saturated = 0
        self._last_end_ns = -1

    def accepted(self, scan: DecodedScan, *, arrived_ns: int) -> Scan | None:
        """Scan as it goes on, or None where it is a repeated or an older one.

        Raises ScanSizeChangedError where it has another size than those before.
        """
        if scan.begins:
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
        """Expect that scans were missed, or that the microscope counts and stamps anew."""
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
