"""The contract between the bridge and its adapters: `ScanSource`, with one file for each adapter.

Duties of an adapter: read one kind of microscope, file or simulation, and give each scan once, in
order, with the microscope's own number and its start and end in HostNs. An adapter must not depend
on the decoder, drop or invent scans, or change pixel values; `intake.Intake` numbers and
time-stamps the scans of all live adapters. docs/conformance.md lists the tests of the contract.

>>> import numpy as np
>>> as_counts(np.array([[0, 255]], np.uint8)).tolist(), as_counts(np.zeros((2, 2), ">i2")).dtype.str
([[0, 255]], '<i2')
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.messages import Behaviour, DisplayedFrame, Fluorescence, Scan

Measured = Scan | Behaviour | Fluorescence


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """Format of a source's scans; None where it is unknown before the first scan."""

    rows_px: int | None
    cols_px: int | None
    dtype: str
    planes: int = 1
    channels: int = 1
    """Number of channels in the file or stream, of which one is streamed."""
    scan_rate_hz: float | None = None
    """Scans per second, all planes together."""


class ScanSource(Protocol):
    """A microscope, a file or a simulation that yields scans in order, with time and number.

    `Scan.number` counts the scans that the microscope acquired, so a jump of it is lost data. A
    source yields no scan twice, none after a newer one, and none that was not acquired.
    """

    @property
    def spec(self) -> FrameSpec:
        """Size, type, planes and rate of the scans."""
        ...

    @property
    def needs_displayed_frames(self) -> bool:
        """True for a simulated animal, which is shown the displayed frames."""
        ...

    @property
    def ended(self) -> bool:
        """True once the source will yield no further scan."""
        ...

    def begin(self, t_ns: int) -> None:
        """Start measuring at `t_ns`, in HostNs."""
        ...

    def show(self, frame: DisplayedFrame) -> None:
        """Show a displayed frame to the simulated animal; other sources ignore it."""
        ...

    def measured_until(self, until_ns: int) -> Sequence[Measured]:
        """Measurements since the last call, in order.

        Parameters
        ----------
        until_ns
            HostNs up to which the call waits for a first measurement; then it returns none.

        Raises
        ------
        StreamError, ScanSizeChangedError
            If the microscope sends bytes that are no scan, or scans of another size.
        """
        ...

    def health(self) -> dict[str, float]:
        """Counters for the heartbeat."""
        ...

    def close(self) -> None:
        """Release files and connections; may be called twice."""
        ...


Pixels = NDArray[Any]
"""(row, col) uint16 or int16."""

COUNT_TYPES = ("uint8", "uint16", "int16")


def as_counts(pixels: NDArray[Any]) -> Pixels:
    """8-bit counts as uint16 and big-endian ones as little-endian, with unchanged values."""
    # messages carry 16-bit counts only (docs/wire.md)
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint16)
    return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
