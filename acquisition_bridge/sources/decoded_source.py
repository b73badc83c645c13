"""A source made of a link that brings bytes and a decoder that finds scans in them."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from acquisition_bridge.sources.contract import FrameSpec, Measured
from acquisition_bridge.sources.intake import DecodedScan, Intake
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import DisplayedFrame


class Decoder(Protocol):
    """Pure: bytes in, scans out; however the bytes are cut, the scans are the same."""

    def feed(self, data: bytes) -> Iterable[DecodedScan]:
        """Scans that are complete with `data`; raises StreamError for bytes that cannot be."""
        ...

    def reset(self) -> None:
        """Forget what is half read: a new connection begins with a new message."""
        ...


class Link(Protocol):
    """Where the bytes come from."""

    @property
    def connections(self) -> int:
        """How often it has been connected; a change means that bytes may be missing."""
        ...

    @property
    def ended(self) -> bool:
        """True once nothing more will come."""
        ...

    def read(self, until_ns: int) -> bytes:
        """Give what has come, nothing where nothing came until `until_ns`."""
        ...

    def close(self) -> None: ...


class Switch(Protocol):
    """What sets the rig's stream going, where the rig must be asked for it."""

    def turn_on(self) -> None: ...

    def turn_off(self) -> None:
        """Undo it; never raises, for the rig may be gone."""
        ...


class DecodedSource:
    """Scans from a live microscope; raises StreamError and ScanSizeChangedError."""

    needs_displayed_frames = False

    def __init__(
        self,
        link: Link,
        decoder: Decoder,
        *,
        clock: Clock,
        spec: FrameSpec,
        intake: Intake,
        switch: Switch | None = None,
    ) -> None:
        self._link, self._decoder, self._clock = link, decoder, clock
        self._intake = intake
        self._switch = switch
        self._connections = link.connections
        self.spec = spec

    @property
    def ended(self) -> bool:
        return self._link.ended

    def begin(self, t_ns: int) -> None:
        if self._switch is not None:
            self._switch.turn_on()

    def show(self, frame: DisplayedFrame) -> None:
        """The real animal looks at the real screen."""

    def measured_until(self, until_ns: int) -> Sequence[Measured]:
        data = self._link.read(until_ns)
        if self._connections != self._link.connections:
            self._connections = self._link.connections
            self._decoder.reset()
            self._intake.reconnected()
        arrived_ns = self._clock.now_ns()
        decoded = self._decoder.feed(data)
        accepted = (self._intake.accepted(scan, arrived_ns=arrived_ns) for scan in decoded)
        return [scan for scan in accepted if scan is not None]

    def health(self) -> dict[str, float]:
        return {**self._intake.health(), "connections": self._link.connections}

    def close(self) -> None:
        if self._switch is not None:
            self._switch.turn_off()
        self._link.close()
