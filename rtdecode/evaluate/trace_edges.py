"""The two levels of a photodiode's trace, and its edges between samples, for the light delay."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.errors import TraceClippedError, TraceFlatError, TraceRateError

F64 = NDArray[np.float64]

_PIECE_FRAMES = 45
"""Frames over which the two levels are measured; the patch has each level within 13 frames."""
_LOWER, _UPPER = 5, 95
_ACTIVE = 0.5
"""Share of the usual span that a piece must have for its levels to be used."""
_HYSTERESIS = 0.2
"""Share of the span by which an edge must exceed the threshold on both sides."""
_LEAST_SPAN = 5.0
"""Smallest span in units of the noise SD; noise alone has 3.3."""
_CLIPPED = 0.9
"""Share of bright samples that equal the largest one in a clipped trace."""
_DARK = (10, 60)
"""Percentiles between which dark samples spread by noise, and not by slow edges."""
_NOISY = 1e-3
"""Spread of the dark level, as a share of the span, above which the trace is analogue."""
_SAMPLES_A_FRAME = 3.0
_RATE_TOLERANCE = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Changes between dark and bright."""

    t_ns: F64
    """(edge,) increasing times in ns."""
    rising: NDArray[np.bool_]
    """(edge,) True from dark to bright."""


class TwoLevels:
    """A trace that alternates between a dark and a bright level, both of which may drift.

    Parameters
    ----------
    t_ns
        (sample,) increasing times in ns.
    level
        (sample,) in any unit, higher where it is brighter.
    frame_ns
        Duration of a frame in ns.

    Raises
    ------
    TraceRateError
        If a frame has fewer than three samples.
    TraceFlatError
        If there are no two levels above the noise.
    TraceClippedError
        If the bright level is cut off.
    """

    def __init__(self, t_ns: NDArray[np.int64], level: F64, *, frame_ns: float) -> None:
        self._t_ns, self._level, self._frame_ns = t_ns.astype(np.float64), level, frame_ns
        sample_ns = float(np.median(np.diff(self._t_ns)))
        if sample_ns * _SAMPLES_A_FRAME > frame_ns:
            raise TraceRateError(got_ms=sample_ns / 1e6, frame_ms=frame_ns / 1e6)
        piece = max(2, round(_PIECE_FRAMES * frame_ns / sample_ns))
        self._threshold, self._span = _threshold(self._t_ns, level, piece)
        noise = 1.4826 * float(np.median(np.abs(np.diff(level)))) / np.sqrt(2)
        if self._span <= _LEAST_SPAN * noise or self._span == 0:
            raise TraceFlatError(span=self._span, noise=noise)
        self._require_unclipped()

    def bright_at(self, t_ns: F64) -> NDArray[np.bool_]:
        """(time,) whether the trace is above its threshold at each of the times."""
        return np.interp(t_ns, self._t_ns, self._level - self._threshold) > 0

    def edges(self) -> Edges:
        """Edges of the trace, dated where it crosses the threshold last before it passes."""
        above = self._level - self._threshold
        side = np.where(np.abs(above) > _HYSTERESIS * self._span, np.sign(above), 0.0)
        known = np.flatnonzero(side)
        passed = known[1:][np.diff(side[known]) != 0]
        crossings = np.flatnonzero(np.diff(above > 0))
        last = crossings[np.searchsorted(crossings, passed) - 1]
        share = above[last] / (above[last] - above[last + 1])
        times = self._t_ns[last] + share * (self._t_ns[last + 1] - self._t_ns[last])
        return Edges(times, side[passed] > 0)

    def require_frames(self, edges: Edges) -> None:
        """Raise TraceRateError unless the shortest intervals of `edges` are those of a frame."""
        intervals = np.diff(edges.t_ns)
        shortest = np.percentile(intervals, 10)
        single = float(np.mean(intervals[intervals < 1.5 * shortest]))
        if abs(single / self._frame_ns - 1) > _RATE_TOLERANCE:
            raise TraceRateError(got_ms=single / 1e6, frame_ms=self._frame_ns / 1e6)

    def _require_unclipped(self) -> None:
        bright = self._level[self._level > self._threshold]
        dark = self._level[self._level <= self._threshold]
        at_top = float(np.mean(bright == self._level.max())) if bright.size else 0.0
        # a digital photodiode has two constant levels, an analogue one has noise on both
        spread = float(np.ptp(np.percentile(dark, _DARK))) if dark.size else 0.0
        if at_top > _CLIPPED and spread > _NOISY * self._span:
            raise TraceClippedError(level=float(self._level.max()), share=at_top)


def _threshold(t_ns: F64, level: F64, piece: int) -> tuple[F64, float]:
    """(sample,) middle of the two levels, and the usual difference between them."""
    starts = np.arange(0, max(1, len(level) - piece // 2), piece)
    pieces = [level[start : start + piece] for start in starts]
    lower, upper = np.array([np.percentile(one, (_LOWER, _UPPER)) for one in pieces]).T
    spans = upper - lower
    active = spans >= _ACTIVE * np.percentile(spans, _UPPER)
    middles = np.array([t_ns[start : start + piece].mean() for start in starts])
    centres = ((lower + upper) / 2)[active]
    return np.interp(t_ns, middles[active], centres), float(np.median(spans[active]))
