"""Panels of session reports, each drawn into given axes."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogFormatter
from numpy.typing import NDArray

from rtdecode.evaluate.latency import StageLatency

Video = NDArray[np.floating] | NDArray[np.uint8]
Times = NDArray[np.float64]

INK, SOFT, BLUE, ORANGE, FAINT = "#1c2229", "#5f6873", "#24608f", "#b35c00", "#dcdad3"
EVENT_COLOURS: Mapping[str, str] = {"warning": "#946200", "alarm": "#b3261e"}
_HOLE = "#e9e4da"
_BREAK_WIDTH = 0.25
"""Width of a column for a time in which nothing was decoded, as part of one for a frame."""
_FULL_ERROR = 96.0
_ERROR_COLOURS = LinearSegmentedColormap.from_list("error", ["#0054a6", "#faf9f6", "#be5400"])
"""Blue is darker than displayed, orange brighter; distinct in all common colour blindness."""
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


def frame_strip(
    figure: SubFigure,
    *,
    displayed: Video,
    decoded: Video,
    columns: Sequence[int | None],
    t_s: Times,
) -> None:
    """Draw displayed frame, decoded frame and error, one column a frame, with their scales.

    Parameters
    ----------
    columns
        Indices of frames; None for a time between two of them in which nothing was decoded.
    t_s
        (frame,) time of each frame in s.
    """
    widths = [_BREAK_WIDTH if k is None else 1.0 for k in columns]
    rows = figure.subplots(3, len(columns) + 1, width_ratios=[*widths, 0.07], squeeze=False)
    for row, name in zip(rows, ("displayed", "decoded", "error"), strict=True):
        row[0].set_ylabel(name, fontsize=13, color=INK)
    for column, k in enumerate(columns):
        if k is None:
            _draw_break([row[column] for row in rows])
            continue
        pair = displayed[k].astype(float), decoded[k].astype(float)
        for row, picture in zip(rows, pair, strict=False):
            grey = row[column].imshow(picture, cmap="gray", vmin=0, vmax=255)
        error = rows[2][column].imshow(
            pair[1] - pair[0], cmap=_ERROR_COLOURS, vmin=-_FULL_ERROR, vmax=_FULL_ERROR
        )
        rows[0][column].set_title(f"{t_s[k]:.1f} s", fontsize=10, color=SOFT)
    for axes in rows[:, :-1].flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    rows[1][-1].set_axis_off()
    _draw_scale(figure, rows[0][-1], grey, label="grey level", ticks=(0, 255))
    label = "error, grey levels"
    _draw_scale(figure, rows[2][-1], error, label=label, ticks=(-_FULL_ERROR, 0, _FULL_ERROR))


def _draw_break(column: Sequence[Axes]) -> None:
    for axes in column:
        axes.set_facecolor(_HOLE)
    column[1].text(
        0.5, 0.5, "not decoded", rotation=90, transform=column[1].transAxes, ha="center",
        va="center", fontsize=10, color=SOFT,
    )  # fmt: skip


def _draw_scale(
    figure: SubFigure, axes: Axes, image: AxesImage, *, label: str, ticks: Sequence[float]
) -> None:
    scale = figure.colorbar(image, cax=axes, ticks=list(ticks))
    scale.set_label(label, fontsize=9, color=SOFT)
    scale.outline.set_visible(False)
    axes.tick_params(colors=SOFT, length=0, labelsize=9)


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
        axes.plot(
            times[inside], scores[inside], color=BLUE, linewidth=2.2, marker=marker, markersize=4
        )
    lowest = min([0.0, *scores[np.isfinite(scores)]])
    axes.set_ylim(-1 if lowest < 0 else 0, 1)
    shade_breaks(axes, decoded_s, length_s=length_s)
    axes.set_xlabel("time in the session, s (shaded: nothing was decoded)", color=SOFT)
    axes.set_ylabel("video r (1 is perfect)", color=SOFT)
    axes.set_title(
        "correlation of decoded and displayed frames (video r)", loc="left", fontsize=12, color=INK
    )
    quiet(axes)


def twin_check_over_time(
    axes: Axes, *, t_s: Sequence[float], r: Sequence[float], reference_r: float
) -> None:
    """Draw the running single-trial r of the twin check, and half of its reference as a limit."""
    axes.plot(t_s, r, color=ORANGE, linewidth=2.2, label="twin check (single-trial r)")
    axes.axhline(reference_r, color=ORANGE, linewidth=1, linestyle=":", label="its reference")
    axes.axhline(reference_r / 2, color=SOFT, linewidth=1, linestyle="--", label="alarm below")
    axes.legend(loc="lower right", fontsize=9, framealpha=1, edgecolor="white", labelcolor=SOFT)


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
        axes.axvspan(begin_s, end_s, color=_HOLE, linewidth=0, zorder=0)
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
        axes.plot([p50, p99], [place, place], color=FAINT, linewidth=5, zorder=1)
        axes.plot(p50, place, "o", color=BLUE, markersize=9)
        axes.plot(p99, place, "|", color=ORANGE, markersize=15, markeredgewidth=2.5)
        axes.plot(greatest, place, "|", color=SOFT, markersize=9)
        axes.annotate(
            f"{p50:.3g} ms",
            (p50, place),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=INK,
        )
    axes.set_yticks(places, [STAGES[stage] for stage in known])
    axes.set_xscale("log")
    axes.set_ylim(-0.6, len(known) - 0.2)
    for ticks in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        ticks(LogFormatter(minor_thresholds=(2, 0.4)))
    axes.set_xlabel("ms: median (dot), 99th percentile (orange), maximum (grey)", color=SOFT)
    axes.set_title("latency of each stage", loc="left", fontsize=12, color=INK)
    quiet(axes)


def quiet(axes: Axes) -> None:
    """Remove the frame and lighten the grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=SOFT, which="both", length=0, labelsize=10)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)


def empty(axes: Axes, reason: str) -> None:
    """Print in an empty panel why it has no data."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, reason, ha="center", va="center", color=SOFT, fontsize=12)


def new_figure(*, inches: tuple[float, float]) -> Figure:
    """Make a white figure of `inches` (width, height) without pyplot's global state."""
    padding = ConstrainedLayoutEngine(w_pad=0.05, h_pad=0.05, rect=(0.006, 0.01, 0.986, 0.98))
    return Figure(figsize=inches, facecolor="white", layout=padding)
