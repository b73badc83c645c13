"""When a scan was taken, in time of this host, from the microscope's stamps and from arrivals."""

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
