"""The one door through which live scans come in: numbered, stamped, checked."""

from dataclasses import dataclass

from acquisition_bridge.sources.scan_order import ScanOrder
from acquisition_bridge.sources.scan_pixels import Pixels
from acquisition_bridge.timestamps import SourceTime
from rtdecode.schema.errors import ScanSizeChangedError
from rtdecode.schema.messages import Scan

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
