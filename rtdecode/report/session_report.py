"""The report of a session: one picture and one self-contained page."""

import io
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from rtdecode.report import html
from rtdecode.report.figures import (
    EVENT_COLOURS,
    INK,
    SOFT,
    STAGES,
    Times,
    Video,
    breaks_s,
    empty,
    frame_strip,
    latency_bars,
    new_figure,
    score_over_time,
    twin_check_over_time,
)
from rtdecode.report.summary import SessionSummary
from rtdecode.schema.errors import ShapeError

PICTURE, PAGE = "report.png", "index.html"
_COLUMNS = 8
_DRAWN_BREAK_S = 0.5
_DPI = 130
_LINE_LETTERS = 140
_TITLE_INCHES, _LINE_INCHES, _PANEL_INCHES = 0.5, 0.25, (3.6, 3.3)
_FIGURES = {
    "video_r": "video r",
    "frame_r": "frame r",
    "ssim": "SSIM",
    "shift_ms": "shift in time, ms",
    "frames_scored": "scored frames",
    "scored_pixels": "scored pixels",
    "fps_out": "decoded frames per second",
    "late_frames": "late frames",
    "late_percent": "late frames, %",
    "worst_late_frames": "late frames in the worst 10 s",
    "lost_scans": "scans lost by the microscope",
    "lost_messages": "messages that the log lacks",
    "scans_not_decoded": "scans not decoded",
    "frames_not_decoded": "frames not decoded",
    "frames_shed": "of them left out in overload",
}


def write_session_report(
    folder: Path,
    *,
    summary: SessionSummary,
    displayed: Video,
    decoded: Video,
    t_s: Times,
    more: Sequence[str] = (),
) -> tuple[Path, Path]:
    """Write `report.png` and `index.html` into `folder`; returns both paths.

    Parameters
    ----------
    folder
        Made where it is missing.
    summary
        The session's figures and sentences.
    displayed, decoded
        (frame, row, col) grey levels on the same frames; NaN where there is none. The frames
        in the figure are taken evenly from those that have both.
    t_s
        (frame,) time of each frame in s since the first message.
    more
        Further parts of the page, as HTML.

    Raises
    ------
    ShapeError
        If displayed and decoded frames are not of the same shape.
    """
    if displayed.shape != decoded.shape:
        expected = f"the shape of the displayed frames {displayed.shape}"
        raise ShapeError("decoded", expected=expected, got=decoded)
    png = _png(_figure(summary, displayed, decoded, t_s=t_s))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PICTURE).write_bytes(png)
    (folder / PAGE).write_text(_page(summary, png, more), encoding="utf-8")
    return folder / PICTURE, folder / PAGE


def _figure(summary: SessionSummary, displayed: Video, decoded: Video, *, t_s: Times) -> Figure:
    lines = [line for text in summary.sentences() for line in textwrap.wrap(text, _LINE_LETTERS)]
    text_inches = _TITLE_INCHES + _LINE_INCHES * len(lines)
    figure = new_figure(inches=(14, text_inches + sum(_PANEL_INCHES)))
    text, strip, below = figure.subfigures(
        3, 1, height_ratios=[text_inches, *_PANEL_INCHES], squeeze=False
    ).ravel()
    title = f"Session {summary.session}"
    # names and events may hold a dollar sign, which begins a formula otherwise
    plain = {"va": "top", "parse_math": False}
    text.text(0.012, 0.97, title, fontsize=19, fontweight="bold", color=INK, **plain)
    text.text(
        0.012,
        1 - _TITLE_INCHES / text_inches,
        "\n".join(lines),
        fontsize=11.5,
        color=SOFT,
        linespacing=1.45,
        **plain,
    )
    _draw_strip(strip, summary, displayed, decoded, t_s=t_s)
    left, right = below.subplots(1, 2, width_ratios=[1.25, 1])
    _draw_score(left, summary)
    _draw_latency(right, summary)
    return figure


def _draw_score(axes: Axes, summary: SessionSummary) -> None:
    scores = [(t, np.nan if r is None else r) for t, r in summary.video_r_over_time]
    if scores:
        score_over_time(
            axes,
            t_s=[t for t, _ in scores],
            video_r=[r for _, r in scores],
            decoded_s=summary.decoded_s,
            length_s=summary.seconds,
        )
        _mark_events(axes, summary)
        _draw_twin_check(axes, summary)
    elif summary.video_r is None:
        empty(axes, "Nothing was scored.")
    else:
        empty(axes, "The session is too short for a running score.")


def _draw_twin_check(axes: Axes, summary: SessionSummary) -> None:
    if summary.twin_check is not None:
        running = summary.twin_check.r_over_time
        twin_check_over_time(
            axes,
            t_s=[t for t, _ in running],
            r=[np.nan if r is None else r for _, r in running],
            reference_r=summary.twin_check.reference_r,
        )


def _draw_latency(axes: Axes, summary: SessionSummary) -> None:
    if any(stage in STAGES for stage in summary.stages_ms):
        latency_bars(axes, summary.stages_ms)
    else:
        empty(axes, "No latency was measured.")


def _mark_events(axes: Axes, summary: SessionSummary) -> None:
    """Mark when warnings and alarms first came."""
    for event in summary.events:
        if event.severity in EVENT_COLOURS:
            t_s = (event.first_ns - summary.first_ns) / 1e9
            axes.axvline(t_s, color=EVENT_COLOURS[event.severity], linewidth=1, linestyle=":")
            axes.text(
                t_s, 0.02, f" {event.code}", rotation=90, transform=axes.get_xaxis_transform(),
                ha="right", va="bottom", fontsize=7, color=EVENT_COLOURS[event.severity],
                parse_math=False,
            )  # fmt: skip


def _draw_strip(
    strip: SubFigure, summary: SessionSummary, displayed: Video, decoded: Video, *, t_s: Times
) -> None:
    frames = _chosen_frames(displayed, decoded)
    if not frames:
        empty(strip.subplots(), "No frame was both displayed and decoded.")
        return
    breaks = breaks_s(summary.decoded_s, length_s=summary.seconds)
    columns: list[int | None] = [frames[0]]
    for before, k in pairwise(frames):
        between = (end - begin for begin, end in breaks if t_s[before] <= begin and end <= t_s[k])
        if max(between, default=0.0) >= _DRAWN_BREAK_S:
            columns.append(None)
        columns.append(k)
    frame_strip(strip, displayed=displayed, decoded=decoded, columns=columns, t_s=t_s)


def _chosen_frames(displayed: Video, decoded: Video) -> list[int]:
    """Pick frames evenly among those that have both."""
    both = np.isfinite(displayed).all((1, 2)) & np.isfinite(decoded).all((1, 2))
    usable: NDArray[np.intp] = np.flatnonzero(both)
    if usable.size > _COLUMNS:
        places = (np.arange(_COLUMNS) + 0.5) * usable.size / _COLUMNS
        usable = usable[places.astype(int)]
    return [int(k) for k in usable]


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI)
    return file.getvalue()


def _page(summary: SessionSummary, png: bytes, more: Sequence[str]) -> str:
    stages = summary.stages_ms
    latencies = [
        [name, *(f"{ms:.1f}" for ms in (stages[stage].p50, stages[stage].p99, stages[stage].max))]
        for stage, name in STAGES.items()
        if stage in stages
    ]
    values = [(name, getattr(summary, field)) for field, name in _FIGURES.items()]
    if summary.twin_check is not None:
        values.append(("twin check, single-trial r", summary.twin_check.r))
        values.append(("twin check, reference r", summary.twin_check.reference_r))
    figures = [[name, f"{value:.4g}"] for name, value in values if value is not None]
    parts = [
        html.picture(png, alt="Displayed and decoded frames, score over time, latency"),
        "<p>In the error, blue is darker than the displayed frame, orange brighter. Dotted lines "
        "mark when a warning (amber) or an alarm (red) first came.</p>",
        *more,
        events_table(summary),
        html.table("Figures", head=["", "value"], rows=figures),
        html.table(
            "Latency in ms", head=["stage", "median", "99th percentile", "maximum"], rows=latencies
        ),
    ]
    return html.page(f"Session {summary.session}", sentences=summary.sentences(), parts=parts)


def events_table(summary: SessionSummary) -> str:
    """HTML table of the session's events with their times in s; empty where there are none."""
    rows = []
    for event in summary.events:
        times = [f"{(t_ns - summary.first_ns) / 1e9:.1f}" for t_ns in event.span_ns]
        counts = ", ".join(f"{name}: {count:,.0f}" for name, count in event.counts.items())
        row = [event.text, event.severity, event.process, *times, str(event.times), counts]
        rows.append(row)
    head = ["event", "severity", "process", "first, s", "last, s", "times", "counts"]
    return html.table("Events", head=head, rows=rows)
