"""Latency of each processing stage, from the times in messages, in bounded memory.

A reconstruction carries every time on its way, so the latency of a stage is the difference of two
of its fields.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rtdecode.schema.bounded import OTHERS, kept_name
from rtdecode.schema.messages import Reconstruction

_NS_PER_MS = 1e6
_BY_DECODER = ("calcium", "decode", "pacing", "total", "output_delay", "screen_to_output")
"""Latencies up to times that the decoder's process stamps."""
_FINEST_MS, _LONGEST_MS = 1e-3, 1e9
_GROWTH = 1.02
"""Each bin is 2 % wider than the previous one, so a quantile is accurate within 1 %."""
_MOST_STAGES = 50
"""Stages and outputs with a latency of their own."""
_BINS = math.ceil(math.log(1e6 / _FINEST_MS) / math.log(_GROWTH))


@dataclass(frozen=True, slots=True)
class StageLatency:
    """Latency of one stage in milliseconds."""

    p50: float
    p99: float
    max: float
    n: int


def stage_latencies_ms(reconstruction: Reconstruction) -> Mapping[str, float]:
    """Milliseconds in each stage, in the order of processing.

    `scan`: from the middle of the newest scan to its end; `transport`: to its arrival; `calcium`:
    to the responses; `decode`: to the reconstruction. `total` is the time from the middle of the
    reconstructed frame to its reconstruction, and includes the configured lag.
    """
    r = reconstruction
    times = (r.t_scan_ns, r.t_scan_end_ns, r.t_received_ns, r.t_responses_ns, r.t_ready_ns)
    names = ("scan", "transport", "calcium", "decode")
    spans = {
        name: (after - before) / _NS_PER_MS
        for name, before, after in zip(names, times, times[1:], strict=False)
    }
    return spans | {"total": (r.t_ready_ns - r.t_frame_mid_ns) / _NS_PER_MS}


class Latencies:
    """Median, 99th percentile and maximum of each stage's latency over a whole run.

    Histograms with bins of constant relative width, from 1 us to 1000 s, keep the memory constant
    over hours. A negative latency, which only clocks that disagree can produce, counts as 0. NaN
    and infinity are left out.
    """

    def __init__(self) -> None:
        self._bins: dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]] = {}
        self._max: dict[str, float] = {}

    def add(self, spans_ms: Mapping[str, float]) -> None:
        """Count one latency in ms for each stage in `spans_ms`."""
        for name, span_ms in spans_ms.items():
            if not math.isfinite(span_ms):
                continue
            stage = kept_name(self._bins, name, most=_MOST_STAGES, others=OTHERS)
            bins = self._bins.setdefault(stage, np.zeros(_BINS, np.int64))
            bins[_bin_of(span_ms)] += 1
            self._max[stage] = max(self._max.get(stage, 0.0), span_ms)

    def summary(self) -> dict[str, StageLatency]:
        """Latency of each stage, in the order in which the stages were first added."""
        return {stage: self._stage(stage) for stage in self._bins}

    def _stage(self, stage: str) -> StageLatency:
        up_to = np.cumsum(self._bins[stage])
        n, greatest = int(up_to[-1]), self._max[stage]
        p50, p99 = (
            min(greatest, _middle_ms(int(np.searchsorted(up_to, math.ceil(part * n)))))
            for part in (0.5, 0.99)
        )
        return StageLatency(p50=p50, p99=p99, max=greatest, n=n)


def _bin_of(span_ms: float) -> int:
    if span_ms <= _FINEST_MS:
        return 0
    bin_number = math.log(min(span_ms, _LONGEST_MS) / _FINEST_MS) / math.log(_GROWTH)
    return min(_BINS - 1, int(bin_number))


def _middle_ms(number: int) -> float:
    return _FINEST_MS * float(_GROWTH ** (number + 0.5))


class OutputTiming:
    """Lag and latencies of the reconstructions in a log.

    `output_delay` is the time from the middle of the newest frame, the lag after the reconstructed
    one, to the output; `screen_to_output` includes the lag.
    """

    def __init__(self, *, frame_rate_hz: float) -> None:
        self.lag_frames: int | None = None
        self._frame_ms = 1000 / frame_rate_hz
        self._latencies = Latencies()

    def add(self, frame: Reconstruction, t_sent_ns: int) -> None:
        """Add a reconstruction that was sent at `t_sent_ns`."""
        self.lag_frames = frame.lag_frames
        screen_to_output_ms = (t_sent_ns - frame.t_frame_mid_ns) / _NS_PER_MS
        self._latencies.add(
            {
                **stage_latencies_ms(frame),
                "pacing": (t_sent_ns - frame.t_ready_ns) / _NS_PER_MS,
                "behind_newest_scan": (frame.t_scan_ns - frame.t_frame_mid_ns) / _NS_PER_MS,
                "output_delay": screen_to_output_ms - frame.lag_frames * self._frame_ms,
                "screen_to_output": screen_to_output_ms,
            }
        )

    def stages_ms(self) -> dict[str, StageLatency]:
        """Latency of each stage that was measured, so that its maximum exceeds 0.

        A replay is not timed: its clock stands still while a batch is decoded, so that `decode`
        takes no time at all. What its decoder stamps is then left out.
        """
        found = {name: one for name, one in self._latencies.summary().items() if one.max > 0}
        left_out = () if "decode" in found else _BY_DECODER
        return {name: stage for name, stage in found.items() if name not in left_out}

    @property
    def is_timed(self) -> bool:
        """Whether decoding was timed, so that rate and lateness are known; true without frames."""
        return self.lag_frames is None or "decode" in self.stages_ms()
