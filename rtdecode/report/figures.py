"""Panels of session reports, each drawn into given axes."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogFormatter
from numpy.typing import NDArray

from rtdecode.evaluate.latency import StageLatency

Video = NDArray[np.floating] | NDArray[np.uint8]
Times = NDArray[np.float64]

INK, SOFT, BLUE, ORANGE, FAINT = "#1c2229", "#5f6873", "#24608f", "#b35c00", "#dcdad3"
_ROUNDED_FROM_MS = 100
EVENT_COLOURS: Mapping[str, str] = {"warning": "#946200", "alarm": "#b3261e"}
HOLE = "#e9e4da"
STAGES: Mapping[str, str] = {
    "scan": "scan, middle to end",
    "transport": "transport to the decoder",
    "calcium": "scan to activity",
    "decode": "reconstruction",
    "pacing": "output pacing",
    "page": "transport to the page",
    "total": "screen to reconstruction",
    "screen_to_output": "screen to output",
}
"""Label of each stage in figures and tables."""


def score_over_time(
    axes: Axes,
    *,
    t_s: Sequence[float],
    video_r: Sequence[float],
    decoded_s: Sequence[tuple[float, float]],
    length_s: float,
) -> None:
    """Draw the running score over the session, broken and shaded where nothing was decoded.

    Parameters
    ----------
    t_s, video_r
        Time in s of each score, and the score.
    decoded_s
        First and last time in s of each part that was decoded without a break.
    length_s
        Length of the session in s.
    """
    times, scores = np.asarray(t_s), np.asarray(video_r)
    part = np.searchsorted([begin_s for begin_s, _ in decoded_s], times, side="right")
    for number in np.unique(part):
        inside = part == number
        # a single score between two breaks has no line
        marker = "o" if inside.sum() == 1 else ""
        axes.plot(times[inside], scores[inside], color=BLUE, marker=marker, markersize=3)
    lowest = min([0.0, *scores[np.isfinite(scores)]])
    axes.set_ylim(-1 if lowest < 0 else 0, 1)
    shade_breaks(axes, decoded_s, length_s=length_s)
    axes.set_xlabel("time in the session (s)", color=INK)
    axes.set_ylabel("video r", color=INK)
    quiet(axes)


def twin_check_over_time(
    axes: Axes, *, t_s: Sequence[float], r: Sequence[float], reference_r: float
) -> None:
    """Draw the running single-trial r of the twin check, and half of its reference as a limit."""
    axes.plot(t_s, r, color=ORANGE, label="twin check (single-trial r)")
    axes.axhline(reference_r, color=ORANGE, linewidth=0.8, linestyle=":", label="its reference")
    axes.axhline(reference_r / 2, color=SOFT, linewidth=0.8, linestyle="--", label="alarm below")
    axes.legend(loc="lower right", framealpha=0.9, edgecolor="white", labelcolor=INK, ncols=3)


def breaks_s(
    decoded_s: Sequence[tuple[float, float]], *, length_s: float
) -> list[tuple[float, float]]:
    """Times in s between the parts that were decoded, from 0 to `length_s`."""
    ends, begins = [0.0, *(end for _, end in decoded_s)], [begin for begin, _ in decoded_s]
    pairs = zip(ends, [*begins, length_s], strict=True)
    return [(end, begin) for end, begin in pairs if begin > end]


def shade_breaks(axes: Axes, decoded_s: Sequence[tuple[float, float]], *, length_s: float) -> None:
    """Shade the times in which nothing was decoded, on an axis of the whole session."""
    for begin_s, end_s in breaks_s(decoded_s, length_s=length_s):
        axes.axvspan(begin_s, end_s, color=HOLE, linewidth=0, zorder=0)
    axes.set_xlim(0, max(length_s, 1e-3))


def with_breaks(
    t_s: NDArray[np.float64], values: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[tuple[float, float]]]:
    """Times and values (sample, …) with NaN where samples are missing, and the parts without.

    Samples are missing where a step in time exceeds 2.5 times the median step.
    """
    steps = np.diff(t_s)
    after = np.flatnonzero(steps > 2.5 * np.median(steps)) + 1 if steps.size else np.zeros(0, int)
    edges = [0, *after, len(t_s)]
    parts = [(float(t_s[a]), float(t_s[b - 1])) for a, b in pairwise(edges) if b > a]
    broken = np.insert(values.astype(np.float64), after, np.nan, axis=0)
    return np.insert(t_s, after, t_s[after]), broken, parts


def latency_bars(axes: Axes, stages_ms: Mapping[str, StageLatency]) -> None:
    """Draw median, 99th percentile and maximum latency in ms of each measured stage."""
    known = [stage for stage in STAGES if stage in stages_ms]
    places = np.arange(len(known))[::-1]
    for place, stage in zip(places, known, strict=True):
        p50, p99, greatest = stages_ms[stage].p50, stages_ms[stage].p99, stages_ms[stage].max
        axes.plot([p50, p99], [place, place], color=FAINT, linewidth=3.5, zorder=1)
        axes.plot(p50, place, "o", color=BLUE, markersize=5)
        axes.plot(p99, place, "|", color=ORANGE, markersize=9, markeredgewidth=1.8)
        axes.plot(greatest, place, "|", color=SOFT, markersize=6)
        axes.annotate(
            f"{p50:,.0f} ms" if p50 >= _ROUNDED_FROM_MS else f"{p50:.3g} ms",
            (p50, place),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            color=INK,
        )
    axes.set_yticks(places, [STAGES[stage] for stage in known])
    axes.set_xscale("log")
    axes.set_ylim(-0.6, len(known) - 0.2)
    for ticks in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        ticks(LogFormatter(minor_thresholds=(2, 0.4)))
    axes.set_xlabel("latency (ms): median (dot), 99th percentile (orange), maximum (grey)")
    quiet(axes)


def quiet(axes: Axes) -> None:
    """Remove the frame and lighten the grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=SOFT, which="both", length=0, labelcolor=INK)
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def elided(name: str, letters: int) -> str:
    """`name` without its middle where it has more than `letters`.

    >>> elided("show-0-001-camera+rocket", 11)
    'show-…ocket'
    """
    half = (letters - 1) // 2
    return name if len(name) <= letters else f"{name[:half]}…{name[-half:]}"


def empty(axes: Axes, reason: str) -> None:
    """Print in an empty panel why it has no data."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, reason, ha="center", va="center", color=SOFT)


def new_figure(*, inches: tuple[float, float]) -> Figure:
    """Make a white figure of `inches` (width, height) without pyplot's global state."""
    padding = ConstrainedLayoutEngine(w_pad=0.05, h_pad=0.05, rect=(0.006, 0.01, 0.986, 0.98))
    return Figure(figsize=inches, facecolor="white", layout=padding)
