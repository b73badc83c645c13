"""A source composed of a link, which receives bytes, and a decoder, which extracts scans."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from acquisition_bridge.sources.contract import FrameSpec, Measured
from acquisition_bridge.sources.intake import DecodedScan, Intake
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import DisplayedFrame


class Decoder(Protocol):
    """Extracts scans from bytes; the scans do not depend on how the bytes are cut."""

    def feed(self, data: bytes) -> Iterable[DecodedScan]:
        """Scans that `data` completes; raises StreamError for bytes that are no valid message."""
        ...

    def reset(self) -> None:
        """Discard an incomplete message: a new connection begins with a new message."""
        ...


class Link(Protocol):
    """A file or connection from which bytes are received."""

    @property
    def connections(self) -> int:
        """Number of connections so far; after a change, bytes may be missing."""
        ...

    @property
    def ended(self) -> bool:
        """True once no further bytes will arrive."""
        ...

    def read(self, until_ns: int) -> bytes:
        """Bytes received since the last call; empty if none arrived until `until_ns`."""
        ...

    def close(self) -> None: ...


class Switch(Protocol):
    """Starts the rig's stream, where the rig sends it only on request."""

    def turn_on(self) -> None: ...

    def turn_off(self) -> None:
        """Stop the stream; never raises, because the rig may already be disconnected."""
        ...


class DecodedSource:
    """Scans of a live microscope: bytes of `link`, decoded, numbered and time-stamped."""

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
        """Ignored: the animal is in front of the screen."""

    def measured_until(self, until_ns: int) -> Sequence[Measured]:
        data = self._link.read(until_ns)
        # bytes of a new connection must not complete a message of the old one
        if self._connections != self._link.connections:
            self._connections = self._link.connections
            self._decoder.reset()
            self._intake.reconnected()
        arrived_ns = self._clock.now_ns()
        return [
            scan
            for decoded in self._decoder.feed(data)
            for scan in self._intake.scans(decoded, arrived_ns=arrived_ns)
        ]

    def health(self) -> dict[str, float]:
        return {**self._intake.health(), "connections": self._link.connections}

    def close(self) -> None:
        if self._switch is not None:
            self._switch.turn_off()
        self._link.close()
