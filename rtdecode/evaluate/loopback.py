"""Delay from a flip to light from the screen's own light in the scans, without a photodiode.

Light of the screen that reaches the detector of the microscope adds to each line of a scan. The
mean of each line, less its median over all scans, is a trace of that light at the rate of the
lines. It is correlated with the mean luminance of the displayed frames, moved by each delay; the
delay with the largest correlation is that of the light.

Neurons follow the screen too, tens of milliseconds later. Measure without tissue under the
objective, or with the laser's shutter closed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.errors import LeakAbsentError

_NS_PER_MS = 1e6
_STEP_MS = 1.0
_DELAYS_MS = np.arange(-20.0, 201.0, _STEP_MS)
_CONTROLS_S = np.arange(1.0, 9.0, 0.113)
"""Shifts at which screen and scans are unrelated; their correlations give the noise."""
_LEAST_Z = 6.0
_LEAST_LINES = 1000
_SMOOTHED_S = 1.0

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LoopbackDelay:
    """Delay from flip to light, by the light of the screen in the scans."""

    delay_ms: float
    correlation: float
    """Of lines and luminance at this delay."""
    z: float
    """Correlation over the SD of those at unrelated delays."""
    line_ms: float
    """Interval of the lines, below which a delay is not resolved."""


def line_trace(means: F64, start_ns: I64, end_ns: I64) -> tuple[I64, F64]:
    """Times and levels of the lines of scans.

    Parameters
    ----------
    means
        (scan, row) mean of each line.
    start_ns, end_ns
        (scan,) in HostNs, between which the lines are equally spaced.

    Returns
    -------
    (line,) middle of each line in HostNs, and (line,) its mean less the median of its row.
    """
    rows = means.shape[1]
    fraction = (np.arange(rows) + 0.5) / rows
    middle = start_ns[:, None] + (end_ns - start_ns)[:, None] * fraction
    return np.round(middle).astype(np.int64).ravel(), (means - np.median(means, axis=0)).ravel()


def loopback_delay(t_ns: I64, level: F64, *, flips_ns: I64, luminance: F64) -> LoopbackDelay:
    """The delay at which lines and luminance correlate most.

    Parameters
    ----------
    t_ns, level
        (line,) as `line_trace` gives them.
    flips_ns, luminance
        (frame,) flip in HostNs without light delay, and mean luminance of the displayed frame.

    Raises
    ------
    LeakAbsentError
        If the luminance of the screen is not found in the lines, or there are too few.
    """
    inside = (t_ns > flips_ns[0]) & (t_ns < flips_ns[-1])
    t_ns, level = t_ns[inside], level[inside]
    if len(level) < _LEAST_LINES or np.ptp(luminance) == 0:
        raise LeakAbsentError(z=0.0, needed=_LEAST_Z)
    line_ns = float(np.median(np.diff(t_ns)))
    window = max(3, round(_SMOOTHED_S * 1e9 / line_ns))
    trace = _standardised(level, window)

    def correlations(delays_ms: F64) -> F64:
        moved = t_ns - np.round(delays_ms * _NS_PER_MS).astype(np.int64)[:, None]
        frame = np.clip(np.searchsorted(flips_ns, moved) - 1, 0, len(flips_ns) - 1)
        return np.array([trace @ _standardised(luminance[one], window) for one in frame]) / len(
            t_ns
        )

    found, controls = correlations(_DELAYS_MS), correlations(_CONTROLS_S * 1e3)
    best = int(np.argmax(found))
    z = float((found[best] - controls.mean()) / controls.std())
    if z < _LEAST_Z or not 0 < best < len(found) - 1:
        raise LeakAbsentError(z=z, needed=_LEAST_Z)
    return LoopbackDelay(
        delay_ms=float(_DELAYS_MS[best] + _vertex(found[best - 1 : best + 2]) * _STEP_MS),
        correlation=float(found[best]),
        z=z,
        line_ms=line_ns / _NS_PER_MS,
    )


def _standardised(values: F64, window: int) -> F64:
    """Values less their running mean over `window`, with SD 1."""
    sums = np.cumsum(np.pad(values, (window // 2 + 1, window - window // 2 - 1), mode="reflect"))
    fast = values - (sums[window:] - sums[:-window])[: len(values)] / window
    return fast / max(float(fast.std()), 1e-12)


def _vertex(values: F64) -> float:
    """Place of the maximum of the parabola through three values at -1, 0 and 1."""
    curvature = values[0] - 2 * values[1] + values[2]
    return 0.0 if curvature == 0 else float((values[0] - values[2]) / (2 * curvature))
