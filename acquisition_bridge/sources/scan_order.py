"""The order of scans: counters that wrap, scans that are missing, repeated or out of order."""

from dataclasses import dataclass


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
