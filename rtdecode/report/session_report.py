"""The page of a session's report: its sections, their figures, and what is missing and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.evaluate.metrics import Mask
from rtdecode.report import html
from rtdecode.report.clip_table import HEAD as CLIP_HEAD
from rtdecode.report.clip_table import cells_of
from rtdecode.report.collected import Collected
from rtdecode.report.figure_files import ReportFigure, written
from rtdecode.report.figures import STAGES
from rtdecode.report.frame_strip import Frames, columns_of, frame_strip
from rtdecode.report.identity import lead_of, software_rows, twin_rows, who_and_when
from rtdecode.report.loss_table import LOSS_HEAD, loss_rows
from rtdecode.report.overview_figures import (
    MOST_BARS,
    behaviour_figure,
    clips_figure,
    latency_figure,
    score_figure,
)
from rtdecode.report.session_summary import SessionSummary
from rtdecode.report.timing_answer import timing_answer
from rtdecode.runtime.clock_state import ClockFigures
from rtdecode.schema.config import RunConfig

PAGE = "index.html"
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
_WITHOUT_DECODER = {"lost_scans", "lost_messages"}
"""Those that a session without a decoder has too."""


@dataclass(frozen=True, slots=True)
class MoreParts:
    """Parts of a page that need more than the summary and what was collected."""

    cells: Sequence[str] = ()
    online_offline: Sequence[str] = ()
    closed_loop: Sequence[str] = ()
    trials: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The content of `session.json`."""
    twin_hash: str = ""
    """Hash of the twin in the START of the decoder."""
    config_text: str = ""


def write_page(
    folder: Path,
    summary: SessionSummary,
    collected: Collected,
    config: RunConfig,
    *,
    mask: Mask,
    more: MoreParts,
) -> Path:
    """Write `index.html` and the figures that it shows into `folder`; the path of the page.

    Parameters
    ----------
    mask
        (row, col) bool, the scored pixels.
    more
        Further parts, as HTML.

    Raises
    ------
    FileWriteError
        If the disk refuses a file.
    """
    sections = [
        html.section("Who and when", *_head(summary, config)),
        html.section("Which twin", *_twin(config, more)),
        html.section("Reconstruction", *_reconstruction(folder, summary, collected, mask)),
        html.section("In words", *map(html.paragraph, summary.sentences())),
        html.section("Latency", *_latency(folder, summary)),
        html.section("Losses", *_losses(summary)),
        html.section("Events and notes", *_events(summary)),
        html.section("Cells", *more.cells),
        html.section("Behaviour", *_behaviour(folder, summary, collected)),
        html.section("Online and offline", *more.online_offline),
        html.section("Closed loop", *more.closed_loop),
        html.section("Trials", *more.trials),
        html.section("Figures", _figures(summary)),
        html.section("Software and settings", *_software(summary, more)),
    ]
    title = f"Session {summary.session}"
    page = html.page(title, lead=lead_of(summary, config), parts=list(filter(None, sections)))
    (folder / PAGE).write_text(page, encoding="utf-8")
    return folder / PAGE


def _head(summary: SessionSummary, config: RunConfig) -> Iterator[str]:
    answer = timing_answer(summary, config)
    yield html.marked(answer.sentence, f"answer {answer.verdict}")
    yield _facts("Who and when", who_and_when(summary, config))


def _facts(title: str, rows: Sequence[Sequence[str]]) -> str:
    return html.table(title, head=["what", "value"], rows=rows, of_text=True, captioned=False)


def _twin(config: RunConfig, more: MoreParts) -> Iterator[str]:
    rows = twin_rows(more.facts, more.twin_hash, config)
    yield _facts("Which twin", rows)
    if not rows:
        yield html.missing("There is no twin: the config has no decoder (`decode: null`).")


def _reconstruction(
    folder: Path, summary: SessionSummary, collected: Collected, mask: Mask
) -> Iterator[str]:
    frames = _frames(collected, summary, mask)
    columns = columns_of(frames, decoded_s=summary.decoded_s, length_s=summary.seconds)
    if columns:
        yield written(_strip(frames, columns, mask), folder)
    else:
        yield html.missing(f"No frames are shown: {_why_no_frames(summary)}")
    if (over_time := score_figure(summary)) is not None:
        caption = (
            "Score over time. Correlation of decoded and displayed frames over a sliding window "
            "(video r; 1 is perfect, 0 is chance). Shaded: nothing was decoded. Dotted lines: "
            "first warning (amber) or alarm (red) of a kind, and notes (grey)."
        )
        alt = "Running score over the session"
        yield written(ReportFigure("score_over_time", over_time, alt, caption), folder)
    elif summary.video_r is not None:
        yield html.missing("The session is too short for a running score.")
    yield from _clips(folder, collected)


def _why_no_frames(summary: SessionSummary) -> str:
    if not summary.decoder:
        return "the config has no decoder (`decode: null`)."
    if not summary.frames_out:
        return "nothing was decoded."
    return "no frame that was decoded after the warm-up has a displayed frame to compare with."


def _frames(collected: Collected, summary: SessionSummary, mask: Mask) -> Frames:
    pairs = list(collected.even.kept.values())
    empty = np.zeros((0, *mask.shape), np.float32)
    if not pairs:
        return Frames(empty, empty, empty, np.zeros(0))
    t_ns = [pair.reconstruction.t_frame_mid_ns - summary.first_ns for pair in pairs]
    return Frames(
        displayed=np.stack([pair.displayed.luminance for pair in pairs]),
        decoded=np.stack([pair.reconstruction.luminance for pair in pairs]),
        uncertainty=np.stack([pair.reconstruction.uncertainty for pair in pairs]),
        t_s=np.array(t_ns, np.float64) / 1e9,
    )


def _strip(frames: Frames, columns: Sequence[int | None], mask: Mask) -> ReportFigure:
    outline = "" if mask.all() else " The orange outline is that of the screen mask."
    caption = (
        "Displayed and decoded frames, their error (decoded minus displayed; blue is darker than "
        "displayed, orange brighter) and the standard deviation (SD) of the estimate, all in grey "
        "levels, evenly over the session." + outline
    )
    alt = "Displayed and decoded frames, error and uncertainty at several times"
    return ReportFigure("reconstruction", frame_strip(frames, columns, mask=mask), alt, caption)


def _clips(folder: Path, collected: Collected) -> Iterator[str]:
    rows = collected.clips.rows()
    if (drawn := clips_figure(rows)) is None:
        return
    first = f" The first {MOST_BARS} of {len(rows)}." if len(rows) > MOST_BARS else ""
    caption = f"Score of each clip, over all its presentations.{first}"
    yield written(ReportFigure("score_by_clip", drawn, "Score of each clip", caption), folder)
    yield html.table("Score by clip", head=CLIP_HEAD, rows=cells_of(rows))
    if collected.clips.left_out:
        n = f"{collected.clips.left_out:,}"
        yield html.missing(f"{n} presentations of further clips are not listed.")


def _latency(folder: Path, summary: SessionSummary) -> Iterator[str]:
    if (drawn := latency_figure(summary)) is None:
        why = "nothing was decoded" if not summary.frames_out else "a replay does not time it"
        yield html.missing(f"No latency was measured: {why}.")
        return
    caption = "Latency of each stage on the way of a scan; the lag is part of the last two."
    yield written(ReportFigure("latency", drawn, "Latency of each stage", caption), folder)
    stages = summary.stages_ms
    rows = [
        [name, *(f"{ms:.1f}" for ms in (stages[stage].p50, stages[stage].p99, stages[stage].max))]
        for stage, name in STAGES.items()
        if stage in stages
    ]
    head = ["stage", "median", "99th percentile", "maximum"]
    yield html.table("Latency in ms", head=head, rows=rows)
    clocks = [_clock(clock) for clock in summary.clocks]
    head = ["host", "ahead (s)", "drift (ppm)", "uncertainty (ms)"]
    yield html.table("Clocks of other computers", head=head, rows=clocks)


def _clock(clock: ClockFigures) -> list[str]:
    numbers = f"{clock.offset_s:.6f}", f"{clock.drift_ppm:.0f}"
    return [clock.host, *numbers, f"{clock.largest_uncertainty_ms:.1f}"]


def _losses(summary: SessionSummary) -> Iterator[str]:
    yield html.table("Losses in four layers", head=LOSS_HEAD, rows=loss_rows(summary), of_text=True)


def _events(summary: SessionSummary) -> Iterator[str]:
    yield events_table(summary)
    rows = [[f"{note.utc:%Y-%m-%d %H:%M} UTC", note.text] for note in summary.later_notes]
    head = ["time", "note"]
    yield html.table("Notes after the end", head=head, rows=rows, of_text=True)
    if not summary.events and not rows:
        yield html.missing("There was no event and no note.")


def events_table(summary: SessionSummary) -> str:
    """HTML table of the session's events with their times in s; empty where there are none."""
    rows = []
    for event in summary.events:
        times = [f"{(t_ns - summary.first_ns) / 1e9:.1f}" for t_ns in event.span_ns]
        counts = ", ".join(f"{name}: {count:,.0f}" for name, count in event.counts.items())
        row = [event.text, event.severity, event.process, *times, str(event.times), counts]
        rows.append(row)
    head = ["event", "severity", "process", "first, s", "last, s", "times", "counts"]
    return html.table("Events", head=head, rows=rows, of_text=True)


def _behaviour(folder: Path, summary: SessionSummary, collected: Collected) -> Iterator[str]:
    behaviour = collected.behaviour
    drawn = behaviour_figure(*behaviour.means(zero_ns=summary.first_ns), length_s=summary.seconds)
    if drawn is None:
        yield html.missing("No behaviour was recorded: the rig sent no running speed and no pupil.")
        return
    caption = f"Running speed and pupil diameter, means of {behaviour.samples:,} samples."
    alt = "Running speed and pupil diameter over the session"
    yield written(ReportFigure("behaviour", drawn, alt, caption), folder)


def _figures(summary: SessionSummary) -> str:
    apply = _FIGURES if summary.decoder else _WITHOUT_DECODER
    values = [(_FIGURES[each], getattr(summary, each)) for each in _FIGURES if each in apply]
    if summary.twin_check is not None:
        values.append(("twin check, single-trial r", summary.twin_check.r))
        values.append(("twin check, reference r", summary.twin_check.reference_r))
    rows = [[name, f"{value:.4g}"] for name, value in values if value is not None]
    return html.table("Figures", head=["figure", "value"], rows=rows, captioned=False)


def _software(summary: SessionSummary, more: MoreParts) -> Iterator[str]:
    rows = software_rows(summary)
    yield _facts("Software and machine", rows)
    if not rows:
        yield html.missing("Software and machine were not recorded: environment.json is missing.")
    if more.config_text:
        yield html.folded("The config of the run", more.config_text)
