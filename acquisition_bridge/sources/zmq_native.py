"""A source for rig programs that send messages of docs/wire.md: MATLAB, C++, LabVIEW, Python.

The rig connects a PUSH socket and sends `scan`, `behaviour` or `fluorescence` messages
in either wire version. A scan's `number` is the rig's own counter. Its times are HostNs where
`clock` is "host", and otherwise stamps of the rig's clock, mapped by the fastest arrivals.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from acquisition_bridge.sources.contract import FrameSpec, Measured
from acquisition_bridge.sources.intake import DecodedScan, Intake, SourceTime
from rtdecode.runtime.sockets import CLOCK_NAME, Collector, Messaging
from rtdecode.schema.config.acquisition import ZmqNativeSource as ZmqNativeConfig
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Behaviour, DisplayedFrame, Fluorescence, Received, Scan


class NativeMessages:
    """Converts received messages to measurements in HostNs, without a socket."""

    def __init__(self, *, scan_rate_hz: float) -> None:
        self.intake = Intake(scan_rate_hz=scan_rate_hz)
        self._behaviour_time = SourceTime()
        self._rois_time = SourceTime()
        self.ignored = 0

    def measured(self, received: Received) -> Measured | None:
        """The measurement in `received`, in HostNs; None for an old one or another kind."""
        body, is_host = received.message.body, received.message.clock == CLOCK_NAME
        arrived_ns = received.t_received_ns
        if isinstance(body, Scan):
            return self._scan(body, arrived_ns, is_host=is_host)
        if isinstance(body, Behaviour):
            if is_host:
                return body
            t_ns = self._behaviour_time.host_ns(body.t_sample_ns, arrived_ns=arrived_ns)
            return replace(body, t_sample_ns=t_ns)
        if isinstance(body, Fluorescence):
            if is_host:
                return body
            t_ns = self._rois_time.host_ns(body.t_scan_ns, arrived_ns=arrived_ns)
            return replace(body, t_scan_ns=t_ns)
        self.ignored += 1
        return None

    def _scan(self, body: Scan, arrived_ns: int, *, is_host: bool) -> Scan | None:
        stamp_ns = None if is_host else body.t_end_ns
        decoded = DecodedScan(body.pixels_counts, body.number, body.plane, stamp_ns)
        scan = self.intake.accepted(decoded, arrived_ns=arrived_ns)
        if scan is None or not is_host:
            return scan
        return replace(scan, t_start_ns=body.t_start_ns, t_end_ns=body.t_end_ns)


class ZmqNativeSource:
    """Receiving end of the rig program's PUSH socket.

    Raises
    ------
    AddressInUseError
        If the address is taken.
    MessageError
        From `measured_until`, for bytes that are no message of docs/wire.md.
    """

    needs_displayed_frames = False
    ended = False

    def __init__(self, config: ZmqNativeConfig, *, clock: Clock, queue: int = 1000) -> None:
        self._messaging = Messaging()
        self._clock = clock
        self._messages = NativeMessages(scan_rate_hz=config.scan_rate_hz)
        self.spec = FrameSpec(None, None, "uint16", scan_rate_hz=config.scan_rate_hz)
        try:
            self._inlet = Collector(
                self._messaging, clock=clock, endpoint=config.address, queue=queue
            )
        except BaseException:
            self._messaging.close()
            raise

    def begin(self, t_ns: int) -> None:
        """Ignored: the microscope runs independently."""

    def show(self, frame: DisplayedFrame) -> None:
        """Ignored: the animal is in front of the screen."""

    def measured_until(self, until_ns: int) -> Sequence[Measured]:
        wait_s = max(0, until_ns - self._clock.now_ns()) / 1e9
        return list(self._measurements(self._inlet.take(wait_s)))

    def health(self) -> dict[str, float]:
        return {**self._messages.intake.health(), "ignored": self._messages.ignored}

    def close(self) -> None:
        self._messaging.close()

    def _measurements(self, taken: Sequence[tuple[bytes, Received]]) -> Iterable[Measured]:
        for _, received in taken:
            body = self._messages.measured(received)
            if body is not None:
                yield body
