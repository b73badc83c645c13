"""Computes the summary of a session from its log and its config alone, at any time.

`run`, `demo`, `replay`, `score`, the report and `--json` take it from here, so that they cannot
disagree.

    summary = summarise(session_at(Path("sessions/2026-01-31_12-00-00")))
    print(summary.text())
    write_summary(summary, Path("summary.json"))
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtdecode.control.loading import policy_name
from rtdecode.evaluate.latency import OutputTiming
from rtdecode.evaluate.loop_latency import LoopFigures
from rtdecode.evaluate.online import online_score
from rtdecode.evaluate.output_count import OutputCount
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.report.collected import Collected
from rtdecode.report.log_content import LogContent, decoded_scans, finite, read_log
from rtdecode.report.session_summary import SessionSummary
from rtdecode.report.twin_check import (
    RecordedTwinCheck,
    TwinCheckFigures,
    TwinCheckSource,
    twin_check_figures,
)
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.disk import write_errors_named
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Score,
)
from rtdecode.session.layout import SessionLayout
from rtdecode.session.notes import later_notes
from rtdecode.session.reader import LogSummary
from rtdecode.session.recorder import DISK_FULL
from rtdecode.session.session_file import kept_wall_clock

__all__ = ["SessionSummary", "summarise", "write_summary"]

_NS_PER_S = 1e9
_LOOP_KINDS = ("/action", "/acknowledgement", "/delivery")
_STATE_KINDS = ("/start", "/end", "/health")
_READ_KINDS = ("displayed_frame", "reconstruction", "gap", "event", *_STATE_KINDS, *_LOOP_KINDS)


def write_summary(summary: SessionSummary, path: Path) -> None:
    """Write figures and environment as JSON, and the folder where it is missing; FileWriteError."""
    content = {**summary.as_json(), "environment": summary.environment}
    with write_errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def summarise(
    session: SessionLayout,
    *,
    twin_check: TwinCheckSource | None = None,
    collected: Collected | None = None,
) -> SessionSummary:
    """Compute the summary of `session` in one pass over its log, in bounded memory.

    The results of the twin check are those of `twin_check`, and by default those in the log. What
    a report needs is added to `collected`.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If log, config or screen mask is not there or cannot be read.
    """
    config = read_config(session.config)
    mask = scoring_mask(config)
    score = online_score(
        config, on_pair=lambda *pair: None if collected is None else collected.add_pair(*pair)
    )
    twin = twin_check or RecordedTwinCheck()
    content = LogContent(config, twin)
    counted = read_log(session, content, score, (*_read_kinds(config), *twin.kinds), collected)
    count, lost = content.count, _lost_by_stream(content.count, counted)
    cut = any(event.code == DISK_FULL for event in count.events)
    return SessionSummary(
        session=session.folder.name,
        complete=counted.complete and not counted.has_gaps and not cut,
        first_ns=counted.first_ns,
        seconds=(counted.last_ns - counted.first_ns) / _NS_PER_S,
        decoder=config.decode is not None,
        decoder_started=config.processes is None or Role.DECODER in config.processes,
        **_output(count, content.timing),
        lost_scans=count.lost_scans,
        lost_messages=sum(lost.values()),
        lost_by_stream=lost,
        decoded_s=content.segments.spans_s(zero_ns=counted.first_ns),
        without_end=list(content.without_end),
        damage=[part.sentence(zero_ns=counted.first_ns) for part in counted.damage],
        **_final_scores(next(iter(score.finish()), None)),
        scored_pixels=int(mask.sum()),
        screen_pixels=int(mask.size),
        leaked_clips=list(score.leaked_clips),
        video_r_over_time=content.running,
        twin_check=_checked(content, config, first_ns=counted.first_ns),
        clocks=content.clocks.figures(),
        **_of_folder(session, content),
        loop=_loop(content, config),
        messages=counted.counts,
        events=count.events,
        frames_with_fewer_steps=_fewer_steps(config, count),
        neurons=content.neurons,
        causality=content.causality,
        **decoded_scans(config.calcium, counted.counts, lost=lost, by_plane=content.by_plane),
    )


def _of_folder(session: SessionLayout, content: LogContent) -> dict[str, Any]:
    """What the other files of the session state."""
    return {
        "environment": _environment(session.environment),
        "repaired": session.repaired,
        "wall_clock": content.wall_clock or kept_wall_clock(session),
        "later_notes": later_notes(session),
    }


def _read_kinds(config: RunConfig) -> tuple[str, ...]:
    """Kinds that are unpacked; scans only where their planes have to be counted."""
    return (*_READ_KINDS, "/scan") if config.calcium.planes > 1 else _READ_KINDS


def _fewer_steps(config: RunConfig, count: OutputCount) -> int:
    most = 0 if config.decode is None else config.decode.steps
    return sum(frames for steps, frames in count.by_steps.items() if steps < most)


def _checked(content: LogContent, config: RunConfig, *, first_ns: int) -> TwinCheckFigures | None:
    grid = FrameGrid(config.frame_rate_hz)
    return twin_check_figures(content.checked, grid, first_ns=first_ns)


def _loop(content: LogContent, config: RunConfig) -> LoopFigures:
    """Figures of the closed loop, with the policy of the config where it asked for nothing."""
    figures = content.loop.figures()
    if config.control is None or figures.policy is not None:
        return figures
    return replace(figures, policy=policy_name(config.control.policy))


def _output(count: OutputCount, timing: OutputTiming) -> dict[str, Any]:
    """Figures of the emitted frames."""
    return {
        "frames_out": count.n_frames,
        **(_lateness(count) if timing.is_timed else _NO_LATENESS),
        "missed": count.missed,
        "frames_not_decoded": count.frames_not_decoded,
        "frames_shed": count.frames_shed,
        "lag_frames": timing.lag_frames,
        "frames_left_out": count.frames_left_out,
        "neurons_left_out": count.neurons_left_out,
        "stages_ms": timing.stages_ms(),
    }


_NO_LATENESS: Mapping[str, Any] = {"fps_out": None, "late_percent": None}


def _lateness(count: OutputCount) -> dict[str, Any]:
    """Rate and late frames, where time was measured."""
    return {
        "fps_out": count.fps,
        "late_percent": count.counters()["late_percent"],
        "late_frames": count.n_late,
        "worst_late_frames": count.worst_late.late,
        "worst_late_of": count.worst_late.frames,
        "worst_late_end_ns": count.worst_late.end_ns,
    }


def _lost_by_stream(count: OutputCount, log: LogSummary) -> dict[str, int]:
    """Messages that the log lacks: never received, or in parts that cannot be read."""
    lost = Counter(count.lost_by_stream)
    for part in log.damage:
        lost.update(part.counts)
    return dict(lost)


def _final_scores(final: Score | None) -> dict[str, Any]:
    names = ("video_r", "frame_r", "ssim", "shift_ms")
    if final is None:
        return dict.fromkeys(names) | {"frames_scored": 0}
    values = {name: finite(getattr(final, name)) for name in names}
    return {**values, "frames_scored": final.n_frames}


def _environment(path: Path) -> dict[str, Any]:
    """Machine and versions of the session; empty where the file was not copied with it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
