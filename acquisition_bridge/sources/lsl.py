"""LSL inlets: behaviour for any source of scans, and ROI values that the rig's program extracts.

LSL corrects the sender's time stamps to the clock of this host, which is CLOCK_MONOTONIC; the clock
of the process maps them to HostNs. A sample whose stamp is implausible is left out and counted.
Requires the extra `lsl` (mne-lsl).
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from acquisition_bridge.sources.contract import FrameSpec, Measured, ScanSource
from acquisition_bridge.sources.source_time import host_clock_time
from rtdecode.runtime.mapped_clock import host_time_of
from rtdecode.schema.config.acquisition import LslBehaviour, LslRoisSource
from rtdecode.schema.errors import ExtraMissingError, StreamAbsentError, StreamError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Behaviour, DisplayedFrame, Fluorescence

_NS_PER_S = 1_000_000_000
_POLL_NS = 2_000_000
Samples = tuple[NDArray[Any], NDArray[np.float64]]
"""(sample, channel) values and (sample,) time stamps in seconds of the local clock."""


class SampleInlet(Protocol):
    """A stream of samples."""

    def pull(self) -> Samples:
        """All samples since the last call; possibly none."""
        ...

    def close(self) -> None: ...


class LslInlet:
    """One LSL stream, found by name; it reconnects when its sender returns.

    Raises
    ------
    ExtraMissingError
        If mne-lsl is not installed.
    StreamAbsentError
        If no sender of `stream` is found within `wait_s` seconds.
    """

    def __init__(self, stream: str, *, wait_s: float) -> None:
        try:
            lsl = importlib.import_module("mne_lsl.lsl")
        except ModuleNotFoundError as error:
            raise ExtraMissingError(package="mne-lsl", extra="lsl") from error
        found = lsl.resolve_streams(timeout=wait_s, name=stream)
        if not found:
            raise StreamAbsentError(stream=stream, waited_s=wait_s)
        self._inlet = lsl.StreamInlet(found[0], recover=True, processing_flags=["clocksync"])
        self._inlet.open_stream(timeout=wait_s)

    def pull(self) -> Samples:
        values, stamps = self._inlet.pull_chunk(timeout=0.0)
        return np.asarray(values), np.asarray(stamps, np.float64)

    def close(self) -> None:
        self._inlet.close_stream()


class BehaviourSamples:
    """Samples to Behaviour messages.

    Those with NaN or infinity, and those with an implausible stamp, are left out and counted.

    Parameters
    ----------
    to_host_ns
        HostNs of a time of this host.
    """

    def __init__(self, config: LslBehaviour, to_host_ns: Callable[[int], int] = int) -> None:
        self._to_host_ns = to_host_ns
        self._columns = (
            config.running_channel,
            config.pupil_diameter_channel,
            config.pupil_x_channel,
            config.pupil_y_channel,
        )
        self.unusable = 0
        self.time = host_clock_time()

    def bodies(self, samples: Samples, *, arrived_ns: int) -> Iterator[Behaviour]:
        """One message per sample; raises StreamError if a configured channel is missing."""
        for row, stamp_s in zip(*samples, strict=True):
            picked = [_picked(row, column) for column in self._columns]
            if not np.isfinite([*picked, stamp_s]).all():
                self.unusable += 1
                continue
            stamp_ns = self._to_host_ns(round(stamp_s * _NS_PER_S))
            t_ns = self.time.host_ns(stamp_ns, arrived_ns=arrived_ns)
            if t_ns is not None:
                yield Behaviour(t_ns, picked[0], picked[1], np.array(picked[2:], np.float32))


class WithBehaviour:
    """A source of scans combined with an LSL stream of behaviour, which replaces its own."""

    def __init__(
        self, scans: ScanSource, inlet: SampleInlet, config: LslBehaviour, *, clock: Clock
    ) -> None:
        self._scans, self._inlet, self._clock = scans, inlet, clock
        self._samples = BehaviourSamples(config, host_time_of(clock))
        self._count = 0

    @property
    def spec(self) -> FrameSpec:
        return self._scans.spec

    @property
    def needs_displayed_frames(self) -> bool:
        return self._scans.needs_displayed_frames

    @property
    def ended(self) -> bool:
        return self._scans.ended

    def begin(self, t_ns: int) -> None:
        self._scans.begin(t_ns)

    def show(self, frame: DisplayedFrame) -> None:
        self._scans.show(frame)

    def measured_until(self, until_ns: int) -> Sequence[Measured]:
        scans = [
            body for body in self._scans.measured_until(until_ns) if not isinstance(body, Behaviour)
        ]
        samples = self._inlet.pull()
        behaviour = list(self._samples.bodies(samples, arrived_ns=self._clock.now_ns()))
        self._count += len(behaviour)
        return [*behaviour, *scans]

    def health(self) -> dict[str, float]:
        scans, time = self._scans.health(), self._samples.time
        return {
            **scans,
            "behaviour": self._count,
            "behaviour_unusable": self._samples.unusable,
            "stamps_rejected": scans.get("stamps_rejected", 0) + time.rejected,
            "clock_restarts": scans.get("clock_restarts", 0) + time.restarts,
        }

    def close(self) -> None:
        self._inlet.close()
        self._scans.close()


class LslRois:
    """ROI values that the microscope's program extracts: Fluorescence messages without scans."""

    needs_displayed_frames = False
    ended = False

    def __init__(self, config: LslRoisSource, inlet: SampleInlet, *, clock: Clock) -> None:
        self._inlet, self._clock, self._to_host_ns = inlet, clock, host_time_of(clock)
        self.spec = FrameSpec(None, None, "float32", scan_rate_hz=config.scan_rate_hz)
        self._neurons: int | None = None
        self._number = self._unusable = 0
        self._time = host_clock_time()

    def begin(self, t_ns: int) -> None:
        """Ignored: the microscope runs independently."""

    def show(self, frame: DisplayedFrame) -> None:
        """Ignored: the animal is in front of the screen."""

    def measured_until(self, until_ns: int) -> Sequence[Measured]:
        while not (bodies := list(self._bodies(self._inlet.pull()))):
            now_ns = self._clock.now_ns()
            if now_ns >= until_ns:
                return ()
            self._clock.sleep_until(min(until_ns, now_ns + _POLL_NS))
        return bodies

    def health(self) -> dict[str, float]:
        return {
            "scans": self._number,
            "unusable": self._unusable,
            "stamps_rejected": self._time.rejected,
            "clock_restarts": self._time.restarts,
        }

    def close(self) -> None:
        self._inlet.close()

    def _bodies(self, samples: Samples) -> Iterator[Fluorescence]:
        arrived_ns, still = self._clock.now_ns(), np.zeros(2, np.float32)
        for row, stamp_s in zip(*samples, strict=True):
            values = np.asarray(row, np.float32)
            self._neurons = self._neurons or values.size
            if values.size != self._neurons:
                raise StreamError(
                    stream="lsl_rois", reason=f"{values.size} values after {self._neurons}"
                )
            number, self._number = self._number, self._number + 1
            if not (np.isfinite(values).all() and np.isfinite(stamp_s)):
                self._unusable += 1
                continue
            stamp_ns = self._to_host_ns(round(stamp_s * _NS_PER_S))
            t_ns = self._time.host_ns(stamp_ns, arrived_ns=arrived_ns)
            if t_ns is not None:
                yield Fluorescence(values, np.zeros_like(values), number, t_ns, still)


def _picked(row: NDArray[Any], column: int | None) -> float:
    if column is None:
        return 0.0
    if column >= len(row):
        raise StreamError(stream="lsl", reason=f"channel {column} (from 0) of {len(row)}")
    return float(row[column])
