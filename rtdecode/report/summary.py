"""Computes the summary of a session from its log and its config alone, at any time.

`run`, `demo`, `replay`, `score`, the report and `--json` take it from here, so that they cannot
disagree.

    summary = summarise(session_at(Path("sessions/2026-01-31_12-00-00")))
    print(summary.text())
    write_summary(summary, Path("summary.json"))
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtdecode.evaluate.latency import OutputTiming
from rtdecode.evaluate.leakage import trained_clips
from rtdecode.evaluate.online import OnlineScore
from rtdecode.evaluate.output_count import OutputCount
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.report.session_summary import SessionSummary
from rtdecode.runtime.config_file import read_config
from rtdecode.runtime.disk import write_errors_named
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.run import Role
from rtdecode.schema.messages import Received, Reconstruction, Score
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader, LogSummary
from rtdecode.session.recorder import DISK_FULL

__all__ = ["SessionSummary", "summarise", "write_summary"]

_NS_PER_S = 1e9
_READ_KINDS = ("displayed_frame", "reconstruction", "gap", "event")


def write_summary(summary: SessionSummary, path: Path) -> None:
    """Write figures and environment as JSON, and the folder where it is missing; FileWriteError."""
    content = {**summary.as_json(), "environment": summary.environment}
    with write_errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def summarise(session: SessionLayout) -> SessionSummary:
    """Compute the summary of `session` from its log; memory grows by one score a second alone.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If log, config or screen mask is not there or cannot be read.
    """
    config = read_config(session.config)
    mask = scoring_mask(config)
    score = OnlineScore(
        config.evaluate,
        mask,
        frame_rate_hz=config.frame_rate_hz,
        trained=trained_clips(config),
    )
    counted = LogReader(session.log).summary()
    timing, count, running = OutputTiming(), OutputCount(), list[tuple[float, float | None]]()
    for item in LogReader(session.log).messages(lambda stream: stream.endswith(_READ_KINDS)):
        count.count(item)
        if isinstance(item.message.body, Reconstruction):
            timing.add(item.message.body, item.message.t_ns)
        running += _running_scores(score, item, first_ns=counted.first_ns)
    cut = any(event.code == DISK_FULL for event in count.events)
    lost = _lost_by_stream(count, counted)
    return SessionSummary(
        session=session.folder.name,
        complete=counted.complete and not counted.has_gaps and not cut,
        first_ns=counted.first_ns,
        seconds=(counted.last_ns - counted.first_ns) / _NS_PER_S,
        decoder=config.decode is not None,
        decoder_started=config.processes is None or Role.DECODER in config.processes,
        frames_out=count.n_frames,
        **(_lateness(count) if timing.is_timed else _NO_LATENESS),
        lost_scans=count.lost_scans,
        lost_messages=sum(lost.values()),
        lost_by_stream=lost,
        damage=[part.sentence(zero_ns=counted.first_ns) for part in counted.damage],
        missed=count.missed,
        frames_not_decoded=count.frames_not_decoded,
        **_final_scores(next(iter(score.finish()), None)),
        scored_pixels=int(mask.sum()),
        screen_pixels=int(mask.size),
        leaked_clips=list(score.leaked_clips),
        lag_frames=timing.lag_frames,
        frames_left_out=count.frames_left_out,
        neurons_left_out=count.neurons_left_out,
        stages_ms=timing.stages_ms(),
        video_r_over_time=running,
        messages=counted.counts,
        events=count.events,
        environment=_environment(session.environment),
        repaired=session.repaired,
        **_decoded_scans(config, counted.counts, lost=lost),
    )


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


def _decoded_scans(
    config: RunConfig, counts: Mapping[str, int], *, lost: Mapping[str, int]
) -> dict[str, int]:
    """Scans in the log, and those that were sent without fluorescence, also where some are lost."""
    sent = Counter(counts)
    sent.update(lost)
    scans = [stream for stream in sent if stream.endswith("/scan")]
    compared = "decoder/start" in counts and config.calcium.planes == 1
    all_sent = sum(sent[stream] for stream in scans)
    missing = all_sent - sent["decoder/fluorescence"] if compared else 0
    recorded = sum(counts.get(stream, 0) for stream in scans)
    return {"scans": recorded, "scans_not_decoded": max(0, missing)}


def _running_scores(
    score: OnlineScore, item: Received, *, first_ns: int
) -> list[tuple[float, float | None]]:
    t_s = (item.t_received_ns - first_ns) / _NS_PER_S
    return [(t_s, _finite(made.video_r)) for made in score.step([item])]


def _final_scores(final: Score | None) -> dict[str, Any]:
    names = ("video_r", "frame_r", "ssim", "shift_ms")
    if final is None:
        return dict.fromkeys(names) | {"frames_scored": 0}
    values = {name: _finite(getattr(final, name)) for name in names}
    return {**values, "frames_scored": final.n_frames}


def _finite(value: float) -> float | None:
    """None for NaN and infinity, which JSON cannot represent."""
    return value if math.isfinite(value) else None


def _environment(path: Path) -> dict[str, Any]:
    """Machine and versions of the session; empty where the file was not copied with it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
