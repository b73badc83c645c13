"""The report of a session: one picture and one page, in words that need no glossary."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rtdecode.report import html
from rtdecode.report.figures import (
    INK,
    SOFT,
    STAGES,
    Video,
    empty,
    frame_strip,
    latency_bars,
    new_figure,
    score_over_time,
)
from rtdecode.schema.errors import ShapeError

PICTURE, PAGE = "report.png", "index.html"
_COLUMNS = 8
_DPI = 130


def write_session_report(
    folder: Path,
    *,
    summary: Mapping[str, Any],
    truth: Video,
    reconstruction: Video,
    scores: Sequence[tuple[float, float]] = (),
    sentences: Sequence[str] | None = None,
    frame_rate_hz: float = 30.0,
) -> tuple[Path, Path]:
    """Write `report.png` and the self-contained `index.html` into `folder`; both their paths.

    Parameters
    ----------
    folder
        Made where it is missing.
    summary
        Figures of the session. Used where present, and left out where missing or None:
        `session`, `seconds`, `fps_out`, `late_percent`, `lost_messages`, `video_r`, `frame_r`,
        `ssim`, `shift_ms`, `lag_frames`, `frames_scored`, and `stages_ms`, a map from stage to
        `p50`, `p99` and `max` in milliseconds.
    truth, reconstruction
        (frame, row, col) grey levels on the same frames; NaN where there is none. The frames
        that the strip shows are taken evenly from those that have both.
    scores
        Running score as (seconds since the start, video r).
    sentences
        What the session came to, in words; made from `summary` where None.

    Raises
    ------
    ShapeError
        If truth and reconstruction are not of the same shape.
    """
    if truth.shape != reconstruction.shape:
        expected = f"the truth's shape {truth.shape}"
        raise ShapeError("reconstruction", expected=expected, got=reconstruction)
    said = list(sentences) if sentences is not None else in_words(summary)
    figure = _figure(
        summary, truth, reconstruction, scores=scores, said=said, frame_rate_hz=frame_rate_hz
    )
    png = _png(figure)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PICTURE).write_bytes(png)
    (folder / PAGE).write_text(_page(summary, png, said=said), encoding="utf-8")
    return folder / PICTURE, folder / PAGE


def in_words(summary: Mapping[str, Any]) -> list[str]:
    """What the session came to, a sentence for each thing that is known."""
    known = {name: value for name, value in summary.items() if value is not None}
    sentences = []
    if "seconds" in known:
        sentences.append(f"{known['seconds']:.0f} s were recorded; {_lost(known)}.")
    if known.get("fps_out"):
        late = f", {known['late_percent']:.1f} % of them late" if "late_percent" in known else ""
        sentences.append(f"{known['fps_out']:.1f} frames a second came out{late}.")
    if "video_r" in known:
        sentences.append(
            f"What was decoded follows what was shown with a correlation of "
            f"{known['video_r']:.2f} over all pixels and frames (1 is perfect, 0 is chance)."
        )
    if "lag_frames" in known:
        sentences.append(f"The decoder ran {known['lag_frames']} frames behind by choice.")
    return sentences


def _lost(known: Mapping[str, Any]) -> str:
    lost = int(known.get("lost_messages", 0))
    return f"{lost} messages were lost" if lost else "nothing was lost"


def _figure(
    summary: Mapping[str, Any],
    truth: Video,
    reconstruction: Video,
    *,
    scores: Sequence[tuple[float, float]],
    said: Sequence[str],
    frame_rate_hz: float,
) -> Figure:
    figure = new_figure(inches=(14, 8.0))
    title = f"Session {summary.get('session', '')}".strip()
    words, strip, below = figure.subfigures(
        3, 1, height_ratios=[0.16, 0.44, 0.40], squeeze=False
    ).ravel()
    words.text(0.012, 0.76, title, fontsize=19, fontweight="bold", color=INK, va="center")
    for line, sentence in enumerate(_wrapped(said)):
        words.text(0.012, 0.40 - 0.25 * line, sentence, fontsize=12.5, color=SOFT, va="center")
    _draw_strip(strip, truth, reconstruction, frame_rate_hz=frame_rate_hz)
    left, right = below.subplots(1, 2, width_ratios=[1.25, 1])
    if scores:
        score_over_time(left, t_s=[t for t, _ in scores], video_r=[r for _, r in scores])
    else:
        empty(left, "nothing was scored")
    if any(stage in STAGES for stage in summary.get("stages_ms") or {}):
        latency_bars(right, summary["stages_ms"])
    else:
        empty(right, "no latency was measured")
    return figure


def _draw_strip(strip: Any, truth: Video, reconstruction: Video, *, frame_rate_hz: float) -> None:
    frames = _shown_frames(truth, reconstruction)
    if not frames:
        empty(strip.subplots(), "no frame has both truth and reconstruction")
        return
    rows = strip.subplots(3, len(frames), squeeze=False)
    frame_strip(
        rows,
        truth=truth,
        reconstruction=reconstruction,
        frames=frames,
        frame_rate_hz=frame_rate_hz,
    )


def _shown_frames(truth: Video, reconstruction: Video) -> list[int]:
    """Pick frames evenly among those that have both."""
    both = np.isfinite(truth).all((1, 2)) & np.isfinite(reconstruction).all((1, 2))
    usable: NDArray[np.intp] = np.flatnonzero(both)
    if usable.size > _COLUMNS:
        places = (np.arange(_COLUMNS) + 0.5) * usable.size / _COLUMNS
        usable = usable[places.astype(int)]
    return [int(k) for k in usable]


def _wrapped(said: Sequence[str]) -> tuple[str, str]:
    """Two lines of about the same length."""
    text = " ".join(said)
    cut = text.find(" ", len(text) // 2)
    return (text, "") if cut < 0 else (text[:cut], text[cut + 1 :])


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI)
    return file.getvalue()


def _page(summary: Mapping[str, Any], png: bytes, *, said: Sequence[str]) -> str:
    stages = summary.get("stages_ms") or {}
    latencies = [
        [name, *(f"{stages[stage][part]:.1f}" for part in ("p50", "p99", "max"))]
        for stage, name in STAGES.items()
        if stage in stages
    ]
    names = {
        "video_r": "video r",
        "frame_r": "frame r",
        "ssim": "SSIM",
        "shift_ms": "shift in time, ms",
        "frames_scored": "frames scored",
        "fps_out": "frames a second",
        "late_percent": "late, %",
        "lost_messages": "messages lost",
    }
    figures = [
        [name, f"{summary[key]:.4g}"] for key, name in names.items() if summary.get(key) is not None
    ]
    parts = [
        html.picture(png, says="Shown and decoded frames, score over time, latency"),
        "<p>In the error, blue is darker than what was shown, orange brighter.</p>",
        html.table("Figures", head=["", "value"], rows=figures),
        html.table("Latency in ms", head=["stage", "median", "99 %", "greatest"], rows=latencies),
    ]
    title = f"Session {summary.get('session', '')}".strip()
    return html.page(title, sentences=said, parts=parts)
