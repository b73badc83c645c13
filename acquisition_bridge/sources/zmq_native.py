"""A source for rig programs that send messages of docs/wire.md: MATLAB, C++, LabVIEW, Python.

The rig connects a PUSH socket and sends `scan`, `behaviour` or `fluorescence` messages
in either wire version. The `number` of a scan or of ROI values is the rig's own counter. Times are
of this host's CLOCK_MONOTONIC where `clock` is "host", which the clock of the process maps to
HostNs, and otherwise stamps of the rig's clock, mapped by the fastest arrivals. A sample of
behaviour or ROI values whose stamp is implausible is left out, and one of behaviour with NaN or
infinity; both are counted. A scan of another size than those before is refused, unless the next
two have it too: then the source ends with ScanSizeChangedError.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import isfinite

from acquisition_bridge.sources.contract import FrameSpec, Measured
from acquisition_bridge.sources.intake import DecodedScan, Intake
from acquisition_bridge.sources.scan_numbers import Arrival, ScanOrder
from acquisition_bridge.sources.source_time import SourceTime, host_clock_time
from rtdecode.runtime.keys import RigKeys
from rtdecode.runtime.mapped_clock import host_time_of
from rtdecode.runtime.plausible import Plausibility
from rtdecode.runtime.sockets import CLOCK_NAME, Messaging
from rtdecode.runtime.subscriber import Collector
from rtdecode.schema.config.acquisition import ZmqNativeSource as ZmqNativeConfig
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Behaviour, DisplayedFrame, Fluorescence, Received, Scan

_NS_PER_S = 1e9


class StreamTime:
    """Times of the messages of one kind, of the host's clock or of the rig's."""

    def __init__(self) -> None:
        self._host, self._rig = host_clock_time(), SourceTime()

    def host_ns(self, stamp_ns: int, *, arrived_ns: int, is_host: bool) -> int | None:
        """HostNs of a stamp; None if it is implausible."""
        return (self._host if is_host else self._rig).host_ns(stamp_ns, arrived_ns=arrived_ns)

    @property
    def rejected(self) -> int:
        """Number of implausible stamps."""
        return self._host.rejected + self._rig.rejected

    @property
    def restarts(self) -> int:
        """Number of times that a clock began anew."""
        return self._host.restarts + self._rig.restarts


class NativeMessages:
    """Converts received messages to measurements in HostNs, without a socket.

    Parameters
    ----------
    to_host_ns
        HostNs of a time of this host.
    """

    def __init__(self, *, scan_rate_hz: float, to_host_ns: Callable[[int], int] = int) -> None:
        self._to_host_ns = to_host_ns
        self.intake = Intake(scan_rate_hz=scan_rate_hz)
        self._rois = ScanOrder[Received](period_ns=round(_NS_PER_S / scan_rate_hz))
        self._first_rois: int | None = None
        self._behaviour_time, self._rois_time = StreamTime(), StreamTime()
        self.ignored = self._behaviour_unusable = 0

    def measured(self, received: Received) -> list[Measured]:
        """The measurements that can be passed on once `received` arrived, in HostNs."""
        is_host = received.message.clock == CLOCK_NAME
        if is_host and self._to_host_ns is not int:  # on the decoder's host nothing is copied
            received = _mapped(received, self._to_host_ns)
        body = received.message.body
        arrived_ns = received.t_received_ns
        if isinstance(body, Scan):
            start_ns = body.t_start_ns if is_host else None
            decoded = DecodedScan(
                body.pixels_counts,
                body.number,
                body.plane,
                body.t_end_ns,
                host_start_ns=start_ns,
            )
            return list(self.intake.scans(decoded, arrived_ns=arrived_ns))
        if isinstance(body, Behaviour):
            return list(self._behaviour(body, arrived_ns, is_host=is_host))
        if isinstance(body, Fluorescence):
            passed = self._rois.passed(Arrival(received, body.number, arrived_ns))
            return [one for number, arrival in passed for one in self._values(number, arrival.scan)]
        self.ignored += 1
        return []

    def health(self) -> dict[str, float]:
        """Counters for the heartbeat, of scans, ROI values and behaviour together."""
        counted = self.intake.health()
        for name in ("lost", "repeated", "reordered", "restarts", "set_aside"):
            counted[name] += getattr(self._rois, name)
        for time in (self._behaviour_time, self._rois_time):
            counted["stamps_rejected"] += time.rejected
            # scans, ROI values and behaviour come from one clock, whose restart each map finds
            counted["clock_restarts"] = max(counted["clock_restarts"], time.restarts)
        counted["behaviour_unusable"] = self._behaviour_unusable
        return {**counted, "ignored": self.ignored}

    def _behaviour(self, body: Behaviour, arrived_ns: int, *, is_host: bool) -> Iterator[Behaviour]:
        if not (isfinite(body.running_cm_s) and isfinite(body.pupil_diameter_px)):
            self._behaviour_unusable += 1  # the pupil's centre is finite by its array's format
            return
        t_ns = self._behaviour_time.host_ns(
            body.t_sample_ns, arrived_ns=arrived_ns, is_host=is_host
        )
        if t_ns is not None:
            yield body if t_ns == body.t_sample_ns else replace(body, t_sample_ns=t_ns)

    def _values(self, number: int, received: Received) -> Iterator[Fluorescence]:
        body = received.message.body
        if not isinstance(body, Fluorescence):
            return
        t_ns = self._rois_time.host_ns(
            body.t_scan_ns,
            arrived_ns=received.t_received_ns,
            is_host=received.message.clock == CLOCK_NAME,
        )
        if self._first_rois is None:
            self._first_rois = body.number
        number += self._first_rois
        if t_ns is not None:
            unchanged = (number, t_ns) == (body.number, body.t_scan_ns)
            yield (
                body
                if unchanged
                else replace(body, number=number, t_scan_ns=t_ns, rig_number=body.number)
            )


def _mapped(received: Received, to_host_ns: Callable[[int], int]) -> Received:
    """`received` with the times of its measurement in HostNs."""
    body, message = received.message.body, received.message
    if isinstance(body, Scan):
        start_ns, end_ns = to_host_ns(body.t_start_ns), to_host_ns(body.t_end_ns)
        body = replace(body, t_start_ns=start_ns, t_end_ns=end_ns)
    elif isinstance(body, Behaviour):
        body = replace(body, t_sample_ns=to_host_ns(body.t_sample_ns))
    elif isinstance(body, Fluorescence):
        body = replace(body, t_scan_ns=to_host_ns(body.t_scan_ns))
    return replace(received, message=replace(message, body=body))


class ZmqNativeSource:
    """Receiving end of the rig program's PUSH socket.

    Parameters
    ----------
    keys
        Keys of this host and of the rig program, where another computer can reach the address.

    Raises
    ------
    AddressInUseError
        If the address is taken.
    """

    needs_displayed_frames = False
    ended = False

    def __init__(
        self,
        config: ZmqNativeConfig,
        *,
        clock: Clock,
        queue: int = 1000,
        keys: RigKeys | None = None,
    ) -> None:
        self._messaging = Messaging(keys)
        self._clock = clock
        self._messages = NativeMessages(
            scan_rate_hz=config.scan_rate_hz, to_host_ns=host_time_of(clock)
        )
        self.spec = FrameSpec(None, None, "uint16", scan_rate_hz=config.scan_rate_hz)
        try:
            self._inlet = Collector(
                self._messaging,
                clock=clock,
                endpoint=config.address,
                queue=queue,
                check=Plausibility().require_size,
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
        taken = self._inlet.take(wait_s)
        return [body for _, received in taken for body in self._messages.measured(received)]

    def health(self) -> dict[str, float]:
        refused, strangers = self._messaging.refused.n, self._messaging.strangers
        counted = {"messages_refused": refused, "strangers_refused": strangers}
        return {**self._messages.health(), **counted}

    def close(self) -> None:
        self._messaging.close()
