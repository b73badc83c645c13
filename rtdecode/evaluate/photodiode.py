"""Delay from a flip to light, from the trace of a photodiode under the patch and the frames' log.

The trace is thresholded half-way between its two levels, which are followed over time, and each
edge is dated between two samples by linear interpolation. The edges of the log are the flips at
which the patch changes. The offset at which most edges of both agree in time and direction aligns
the two; each edge is then matched with the nearest one within half a frame.

    found = light_delay(trace, flips)
    found.median_ms, found.sd_ms, found.p95_ms

Delays are absolute only if the trace has the times of the host's clock. A trace with a clock of its
own gives their spread and the drift of its clock: its unknown offset includes the delay.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.trace_edges import Edges, TwoLevels
from rtdecode.schema.errors import TraceTooShortError, TraceUnmatchedError

_NS_PER_MS = 1e6
_LEAST_EDGES = 20
_EARLIEST_NS, _LATEST_NS = -50e6, 500e6
"""Delays that are searched on the host's clock."""
_BIN_NS = 3e6
_USUAL_NS = -5e6
"""Light is not earlier than this: where several delays fit, the first one after it is taken."""
_AS_GOOD = 0.9
"""Share of the best agreement that another delay must have to be as good."""
_ALIGNING_EDGES = 400
"""Edges of a trace with its own clock by which it is first aligned; later ones follow its drift."""
_LEAST_SHARE = 0.6
"""Smallest share of edges that agree; by chance it is about a quarter."""

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]


class TraceClock(StrEnum):
    """Clock of the times of a trace."""

    HOST = "host"
    """CLOCK_MONOTONIC of the decoder's host, as in the log."""
    OWN = "own"


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Samples of a photodiode."""

    t_ns: I64
    """(sample,) increasing times in ns of `clock`."""
    level: F64
    """(sample,) in any unit, higher where it is brighter."""
    clock: TraceClock


@dataclass(frozen=True, slots=True, eq=False)
class PatchFlips:
    """Displayed frames of a session."""

    t_ns: I64
    """(frame,) flip in HostNs, without light delay."""
    white: Bools
    """(frame,) whether the patch was white."""

    def edges(self) -> Edges:
        """Flips at which the patch changed."""
        changed = np.flatnonzero(np.diff(self.white.astype(np.int8))) + 1
        return Edges(self.t_ns[changed].astype(np.float64), self.white[changed])


@dataclass(frozen=True, slots=True)
class LightDelay:
    """Delay from flip to light over all matched edges of the patch."""

    clock: TraceClock
    median_ms: float
    """0 for a trace with its own clock, whose delay is unknown."""
    sd_ms: float
    p95_ms: float
    """95th percentile; of a trace with its own clock, above the median."""
    rise_ms: float
    """Median of edges to white, as `median_ms`."""
    fall_ms: float
    """Median of edges to black, as `median_ms`."""
    edges_matched: int
    edges_missing: int
    """Changes of the patch in the log, while the trace was recorded, without an edge in it."""
    frames_matched: int
    """Frames in whose middle the trace has the level of their patch."""
    frames_differing: int
    drift_ppm: float
    """Gain of the trace's own clock on the host's; 0 on the host's clock."""
    sample_ms: float
    """Sampling interval of the trace."""


@dataclass(frozen=True, slots=True)
class _Map:
    """Time of a flip → time of its light in the trace: offset + gain (t - centre)."""

    centre_ns: float
    offset_ns: float
    gain: float = 1.0
    delay_ms: float = 0.0
    """Delay of the light at the offset; 0 where the offset contains that of the clocks."""

    def light_ns(self, t_ns: F64) -> F64:
        return self.offset_ns + self.gain * (t_ns - self.centre_ns)


def light_delay(trace: Trace, flips: PatchFlips) -> LightDelay:
    """Align the trace with the flips; the delay from flip to light and its spread.

    Raises
    ------
    TraceTooShortError, TraceFlatError, TraceClippedError, TraceRateError, TraceUnmatchedError
        If the trace does not show the patch of these frames; the message states what to do.
    """
    logged = flips.edges()
    _require_edges(min(len(logged.t_ns), len(trace.t_ns)))
    frame_ns = float(np.median(np.diff(flips.t_ns)))
    levels = TwoLevels(trace.t_ns, trace.level, frame_ns=frame_ns)
    seen = levels.edges()
    _require_edges(len(seen.t_ns))
    levels.require_frames(seen)
    align = _aligned_on_host if trace.clock is TraceClock.HOST else _aligned_by_code
    light = align(seen, logged, frame_ns / 2)
    expected = Edges(light.light_ns(logged.t_ns), logged.rising)
    nearest, matched = _nearest(seen, expected, frame_ns / 2)
    inside = int(_inside(expected.t_ns, trace).sum())
    if matched.sum() < max(_LEAST_EDGES, _LEAST_SHARE * inside):
        raise _unmatched(int(matched.sum()), inside, trace.clock)
    delays = (seen.t_ns[nearest] - expected.t_ns)[matched] / _NS_PER_MS
    agree = _frames_agree(trace, flips, levels=levels, light=light)
    return LightDelay(
        clock=trace.clock,
        **_statistics(delays + light.delay_ms, logged.rising[matched]),
        edges_matched=len(delays),
        edges_missing=max(0, inside - len(delays)),
        frames_matched=int(agree.sum()),
        frames_differing=int((~agree).sum()),
        drift_ppm=(light.gain - 1) * 1e6,
        sample_ms=float(np.median(np.diff(trace.t_ns))) / _NS_PER_MS,
    )


def _statistics(delays_ms: F64, rising: Bools) -> dict[str, float]:
    return {
        "median_ms": float(np.median(delays_ms)),
        "sd_ms": float(np.std(delays_ms)),
        "p95_ms": float(np.percentile(delays_ms, 95)),
        "rise_ms": _median(delays_ms[rising]),
        "fall_ms": _median(delays_ms[~rising]),
    }


def _frames_agree(trace: Trace, flips: PatchFlips, *, levels: TwoLevels, light: _Map) -> Bools:
    """(frame in the trace,) whether the trace has the level of the patch in the frame's middle."""
    lasts = np.minimum(np.diff(flips.t_ns), np.median(np.diff(flips.t_ns)))
    middle = light.light_ns(flips.t_ns[:-1] + lasts / 2)
    inside = _inside(middle, trace)
    agree: Bools = (levels.bright_at(middle) == flips.white[:-1])[inside]
    return agree


def _inside(t_ns: F64, trace: Trace) -> Bools:
    inside: Bools = (t_ns > trace.t_ns[0]) & (t_ns < trace.t_ns[-1])
    return inside


def _unmatched(matched: int, expected: int, clock: TraceClock) -> TraceUnmatchedError:
    check = "--rate-hz"
    if clock is TraceClock.HOST:
        check = "that its times are CLOCK_MONOTONIC of this host in ns"
    return TraceUnmatchedError(matched=matched, expected=expected, check=check)


def _aligned_on_host(seen: Edges, logged: Edges, _within_ns: float) -> _Map:
    """Alignment by the delay at which most edges agree, on one clock."""
    differences = _differences(seen, logged, _EARLIEST_NS, _LATEST_NS)
    if differences.size == 0:
        raise _unmatched(0, len(logged.t_ns), TraceClock.HOST)
    close = np.abs(differences - _coarse_delay_ns(differences)) < 2 * _BIN_NS
    delay_ns = float(np.median(differences[close]))
    return _Map(0.0, delay_ns, delay_ms=delay_ns / _NS_PER_MS)


def _coarse_delay_ns(differences: F64) -> float:
    """The delay with most pairs of edges; the first one where several are as good.

    An alternating patch has pairs at each second frame.
    """
    starts = np.arange(_EARLIEST_NS, _LATEST_NS + _BIN_NS, _BIN_NS)
    counts = np.convolve(np.histogram(differences, starts)[0], np.ones(3), mode="same")
    as_good = np.flatnonzero(counts >= _AS_GOOD * counts.max())
    usual = as_good[starts[as_good] >= _USUAL_NS]
    first = usual[0] if usual.size else as_good[-1]
    # neighbouring bins share pairs, so the best of them may follow
    near = np.arange(first, min(first + 3, len(counts)))
    return float(starts[near[np.argmax(counts[near])]] + _BIN_NS / 2)


def _aligned_by_code(seen: Edges, logged: Edges, within_ns: float) -> _Map:
    """Alignment of a trace whose clock has an unknown offset and drifts."""
    reach = _ALIGNING_EDGES // 2
    some = _middle(seen, reach)
    differences = _differences(some, logged, -np.inf, np.inf)
    lowest = differences.min()
    counts = np.bincount(((differences - lowest) // _BIN_NS).astype(np.int64))
    # of two neighbouring bins; the offset lies between them
    offset_ns = lowest + (int(np.argmax(counts + np.r_[counts[1:], 0])) + 1) * _BIN_NS
    centre_ns = float(some.t_ns.mean())
    found = _Map(centre_ns - offset_ns, centre_ns)
    while True:
        found = _fitted(_middle(seen, reach), logged, found, within_ns)
        if reach >= len(seen.t_ns):
            return found
        reach *= 2


def _middle(edges: Edges, reach: int) -> Edges:
    """The edges in the middle, `reach` to each side."""
    centre = len(edges.t_ns) // 2
    part = slice(max(0, centre - reach), centre + reach)
    return Edges(edges.t_ns[part], edges.rising[part])


def _fitted(seen: Edges, logged: Edges, before: _Map, within_ns: float) -> _Map:
    """The line through the edges that `before` matches."""
    expected = Edges(before.light_ns(logged.t_ns), logged.rising)
    nearest, matched = _nearest(seen, expected, within_ns)
    if matched.sum() < _LEAST_EDGES:
        raise _unmatched(int(matched.sum()), len(seen.t_ns), TraceClock.OWN)
    x = logged.t_ns[matched] - before.centre_ns
    y = seen.t_ns[nearest[matched]] - before.offset_ns
    slope, intercept = np.polyfit(x, y, 1)
    return _Map(before.centre_ns, before.offset_ns + float(intercept), float(slope))


def _differences(seen: Edges, logged: Edges, earliest_ns: float, latest_ns: float) -> F64:
    """Seen minus logged time of all pairs of edges in one direction, within limits."""
    found = []
    for rising in (True, False):
        of_log, of_trace = logged.t_ns[logged.rising == rising], seen.t_ns[seen.rising == rising]
        first = np.searchsorted(of_trace, of_log + earliest_ns)
        after = np.searchsorted(of_trace, of_log + latest_ns)
        pairs = after - first
        place = np.arange(pairs.sum()) - np.repeat(np.cumsum(pairs) - pairs, pairs)
        found.append(of_trace[np.repeat(first, pairs) + place] - np.repeat(of_log, pairs))
    return np.concatenate(found)


def _nearest(seen: Edges, expected: Edges, within_ns: float) -> tuple[I64, Bools]:
    """(expected edge,) number of the nearest seen one in its direction, and whether it is near."""
    nearest = np.zeros(len(expected.t_ns), np.int64)
    for rising in (True, False):
        of_trace = np.flatnonzero(seen.rising == rising)
        of_log = np.flatnonzero(expected.rising == rising)
        if of_trace.size == 0:
            continue
        times, wanted = seen.t_ns[of_trace], expected.t_ns[of_log]
        after = np.clip(np.searchsorted(times, wanted), 1, max(1, len(times) - 1))
        before = after - 1
        after = np.minimum(after, len(times) - 1)
        is_before = np.abs(wanted - times[before]) <= np.abs(wanted - times[after])
        nearest[of_log] = of_trace[np.where(is_before, before, after)]
    near = np.abs(seen.t_ns[nearest] - expected.t_ns) < within_ns
    return nearest, near & (seen.rising[nearest] == expected.rising)


def _require_edges(count: int) -> None:
    if count < _LEAST_EDGES:
        raise TraceTooShortError(edges=count, needed=_LEAST_EDGES)


def _median(values: F64) -> float:
    return float(np.median(values)) if values.size else float("nan")
