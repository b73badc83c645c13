"""What every source of scans offers to the bridge, whatever microscope is behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.messages import Behaviour, DisplayedFrame, Fluorescence, Scan

Measured = Scan | Behaviour | Fluorescence


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """What a source's scans look like; None where only the first scan will tell."""

    rows_px: int | None
    cols_px: int | None
    dtype: str
    planes: int = 1
    channels: int = 1
    """How many the file or stream holds; one of them is streamed."""
    scan_rate_hz: float | None = None
    """Scans of all planes together, each second."""


class ScanSource(Protocol):
    """A microscope, a file or a simulation: scans in order, each with its own time and number.

    `number` counts what the microscope took, so that a jump in it is data it lost; a source never
    gives a scan twice, never an older one after a newer one, and never makes one up.
    """

    @property
    def spec(self) -> FrameSpec:
        """Size, type, planes and rate of the scans."""
        ...

    @property
    def needs_displayed_frames(self) -> bool:
        """True where the source must be shown what is on the animal's screen."""
        ...

    @property
    def ended(self) -> bool:
        """True once all was given that there will ever be."""
        ...

    def begin(self, t_ns: int) -> None:
        """Start measuring at `t_ns`."""
        ...

    def show(self, frame: DisplayedFrame) -> None:
        """Take notice of a frame that was shown."""
        ...

    def measured_until(self, until_ns: int) -> Sequence[Measured]:
        """Give what has been measured, in order; wait for the first at most until `until_ns`."""
        ...

    def health(self) -> dict[str, float]:
        """Counters for the heartbeat."""
        ...

    def close(self) -> None:
        """Let go of files and connections; may be called twice."""
        ...


Pixels = NDArray[Any]
"""(row, col) uint16 or int16."""

COUNT_TYPES = ("uint8", "uint16", "int16")


def as_counts(pixels: NDArray[Any]) -> Pixels:
    """Widen 8-bit counts to uint16 and turn big-endian ones round; the values stay."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint16)
    return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
