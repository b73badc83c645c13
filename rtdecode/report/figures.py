"""Panels of session reports, each drawn into given axes."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogFormatter
from numpy.typing import NDArray

from rtdecode.evaluate.latency import StageLatency

Video = NDArray[np.floating] | NDArray[np.uint8]

INK, SOFT, BLUE, ORANGE, FAINT = "#1c2229", "#5f6873", "#24608f", "#b35c00", "#dcdad3"
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
    rows: Sequence[Sequence[Axes]],
    *,
    displayed: Video,
    decoded: Video,
    frames: Sequence[int],
    frame_rate_hz: float,
) -> None:
    """Draw displayed frame, decoded frame and error of chosen frames, one column a frame."""
    names = ("displayed", "decoded", "error")
    for row, name in zip(rows, names, strict=True):
        row[0].set_ylabel(name, fontsize=13, color=INK)
    for column, k in enumerate(frames):
        pair = displayed[k].astype(float), decoded[k].astype(float)
        for row, picture in zip(rows, pair, strict=False):
            row[column].imshow(picture, cmap="gray", vmin=0, vmax=255)
        rows[2][column].imshow(
            pair[1] - pair[0], cmap=_ERROR_COLOURS, vmin=-_FULL_ERROR, vmax=_FULL_ERROR
        )
        rows[0][column].set_title(f"{k / frame_rate_hz:.1f} s", fontsize=10, color=SOFT)
    for axes in np.asarray(rows).flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)


def score_over_time(axes: Axes, *, t_s: Sequence[float], video_r: Sequence[float]) -> None:
    """Draw the running score."""
    axes.plot(t_s, video_r, color=BLUE, linewidth=2.2)
    lowest = min([0.0, *(r for r in video_r if np.isfinite(r))])
    axes.set_ylim(-1 if lowest < 0 else 0, 1)
    axes.set_xlabel("seconds since the first recorded message", color=SOFT)
    axes.set_title(
        "correlation of decoded and displayed frames (video r)", loc="left", fontsize=12, color=INK
    )
    quiet(axes)


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
