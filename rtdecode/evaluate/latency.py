"""How long each stage took: differences of the times in messages, kept in bounded memory."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rtdecode.schema.messages import Reconstruction

_NS_PER_MS = 1e6
_FINEST_MS = 1e-3
_GROWTH = 1.02
"""Each bin is 2 % wider than the one before, so a quantile is right within 1 %."""
_BINS = math.ceil(math.log(1e6 / _FINEST_MS) / math.log(_GROWTH))


@dataclass(frozen=True, slots=True)
class StageLatency:
    """Latency of one stage in milliseconds."""

    p50: float
    p99: float
    max: float
    n: int


def stage_latencies_ms(reconstruction: Reconstruction) -> Mapping[str, float]:
    """Milliseconds in each stage, in the order in which data pass.

    `scan`: from the middle of the newest scan to its end; `transport`: to its arrival; `calcium`:
    to the responses; `decode`: to the reconstruction. `total` runs from the moment when the frame
    was on the screen to its reconstruction, and so holds the chosen lag as well.
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
    """p50, p99 and greatest latency of each stage over a whole run.

    Histograms with bins of constant relative width, from 1 us to 1000 s: the memory stays the
    same over hours. A negative span, which only clocks that disagree can give, counts as 0.
    """

    def __init__(self) -> None:
        self._bins: dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]] = {}
        self._max: dict[str, float] = {}

    def add(self, spans_ms: Mapping[str, float]) -> None:
        """Count one latency for each stage named."""
        for stage, span_ms in spans_ms.items():
            bins = self._bins.setdefault(stage, np.zeros(_BINS, np.int64))
            bins[_bin_of(span_ms)] += 1
            self._max[stage] = max(self._max.get(stage, 0.0), span_ms)

    def summary(self) -> dict[str, StageLatency]:
        """What each stage took, in the order in which the stages were first named."""
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
    return min(_BINS - 1, int(math.log(span_ms / _FINEST_MS) / math.log(_GROWTH)))


def _middle_ms(number: int) -> float:
    return _FINEST_MS * float(_GROWTH ** (number + 0.5))
