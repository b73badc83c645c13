"""Figures of a session over time: score, score of each clip, latency, behaviour."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rtdecode.report.clip_table import ClipRow
from rtdecode.report.collected import CHANNELS
from rtdecode.report.figure_files import new_figure
from rtdecode.report.figures import (
    BLUE,
    EVENT_COLOURS,
    FAINT,
    INK,
    ORANGE,
    SOFT,
    STAGES,
    elided,
    latency_bars,
    quiet,
    score_over_time,
    twin_check_over_time,
    with_breaks,
)
from rtdecode.report.session_summary import SessionSummary
from rtdecode.schema.notes import NOTE

MOST_BARS = 40
_BAR_INCHES = 0.17
_NAME_LETTERS = 34
_MOST_MARKS = 12
_FIRST_PART = 0.03
"""Part of the session at whose events names are written to the right, inside the panel."""
F64 = NDArray[np.float64]


def score_figure(summary: SessionSummary) -> Figure | None:
    """Running score and twin check over the session; None where nothing has a running score."""
    scores = [(t, np.nan if r is None else r) for t, r in summary.video_r_over_time]
    if not scores:
        return None
    figure = new_figure(height=2.3)
    axes = figure.subplots()
    score_over_time(
        axes,
        t_s=[t for t, _ in scores],
        video_r=[r for _, r in scores],
        decoded_s=summary.decoded_s,
        length_s=summary.seconds,
    )
    if summary.twin_check is not None:
        running = summary.twin_check.r_over_time
        twin_check_over_time(
            axes,
            t_s=[t for t, _ in running],
            r=[np.nan if r is None else r for _, r in running],
            reference_r=summary.twin_check.reference_r,
        )
    _mark_events(axes, summary)
    return figure


def _mark_events(axes: Axes, summary: SessionSummary) -> None:
    """Mark when warnings, alarms and notes came; the first ones carry their code."""
    marked = [one for one in summary.events if one.severity in EVENT_COLOURS or one.code == NOTE]
    for place, event in enumerate(marked):
        t_s, colour = (event.first_ns - summary.first_ns) / 1e9, _colour(event.severity)
        if not 0 <= t_s <= summary.seconds:
            continue
        axes.axvline(t_s, color=colour, linewidth=0.8, linestyle=":")
        if place < _MOST_MARKS:
            side = "left" if t_s < _FIRST_PART * summary.seconds else "right"
            axes.text(
                t_s, 0.03, event.code, rotation=90, transform=axes.get_xaxis_transform(),
                ha=side, va="bottom", fontsize=7, color=colour, parse_math=False,
            )  # fmt: skip


def _colour(severity: str) -> str:
    return EVENT_COLOURS.get(severity, SOFT)


def clips_figure(rows: Sequence[ClipRow]) -> Figure | None:
    """video_r of each clip with its interval; None without a clip."""
    drawn = [row for row in rows if np.isfinite(row.video_r)][:MOST_BARS]
    if not drawn:
        return None
    figure = new_figure(height=0.65 + _BAR_INCHES * max(2, len(drawn)))
    axes = figure.subplots()
    places = np.arange(len(drawn))[::-1]
    axes.barh(places, [row.video_r for row in drawn], height=0.66, color=BLUE)
    for place, row in zip(places, drawn, strict=True):
        if np.isfinite(row.low):
            axes.plot([row.low, row.high], [place, place], color=ORANGE, linewidth=1.6)
    axes.set_yticks(places, [elided(row.clip, _NAME_LETTERS) for row in drawn])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_ylim(-0.6, len(drawn) - 0.4)
    axes.set_xlim(min(0.0, *(row.video_r for row in drawn)), 1)
    axes.set_xlabel("video r; orange: 95 % interval over blocks of 1 s")
    quiet(axes)
    axes.grid(visible=False, axis="y")
    return figure


def latency_figure(summary: SessionSummary) -> Figure | None:
    """Latency of each measured stage; None where none was measured."""
    known = [stage for stage in STAGES if stage in summary.stages_ms]
    if not known:
        return None
    figure = new_figure(height=0.6 + 0.28 * max(2, len(known)))
    latency_bars(figure.subplots(), summary.stages_ms)
    return figure


def behaviour_figure(t_s: F64, means: F64, *, length_s: float) -> Figure | None:
    """Running and pupil over the session, (bin,) and (bin, channel); None without a sample."""
    known = [k for k in range(len(CHANNELS)) if np.isfinite(means[:, k]).any()]
    if not known:
        return None
    figure = new_figure(height=0.5 + 0.95 * len(known))
    panels = figure.subplots(len(known), 1, sharex=True, squeeze=False).ravel()
    times, broken, _ = with_breaks(t_s, means)
    for axes, k, colour in zip(panels, known, (BLUE, ORANGE), strict=False):
        axes.plot(times, broken[:, k], color=colour, linewidth=0.8)
        axes.set_ylabel(CHANNELS[k].replace(" (", "\n("), color=INK)
        quiet(axes)
    panels[-1].set_xlabel("time in the session (s)")
    panels[-1].set_xlim(0, max(length_s, 1e-3))
    for axes in panels:
        axes.spines["bottom"].set_color(FAINT)
    return figure
