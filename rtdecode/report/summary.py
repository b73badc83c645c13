"""What a session came to, computed from its log alone, so that it can be computed again."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rtdecode.evaluate.latency import Latencies, StageLatency, stage_latencies_ms
from rtdecode.evaluate.leakage import trained_clips
from rtdecode.evaluate.online import OnlineScore
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.messages import Gap, Received, Reconstruction, Score
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader

_NS_PER_MS = 1e6
_READ_KINDS = ("displayed_frame", "reconstruction", "gap")


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one session.

    `fps_out` counts emitted frames over the time from the first to the last; `late_percent` those
    of them that were ready after their due time. Scores are over all frames after the warm-up; None
    where there was nothing to score. `stages_ms` holds p50, p99 and the greatest latency in ms.
    """

    session: str
    complete: bool
    seconds: float
    fps_out: float
    late_percent: float
    lost_messages: int
    lost_by_stream: Mapping[str, int]
    video_r: float | None
    frame_r: float | None
    ssim: float | None
    shift_ms: float | None
    frames_scored: int
    leaked_clips: Sequence[str]
    """Shown clips that the twin was trained on; a score with one in it means nothing."""
    lag_frames: int | None
    stages_ms: Mapping[str, StageLatency]
    messages: Mapping[str, int]
    environment: Mapping[str, Any]
    """On what it ran, and by which version; empty where the session does not tell."""

    def as_json(self) -> dict[str, Any]:
        """The figures as plain values, without the environment."""
        figures = asdict(self)
        del figures["environment"]
        return figures

    def in_words(self) -> str:
        """A few lines that a scientist understands."""
        return "\n".join((self._recorded(), *self._came_out(), *self._followed(), *self._took()))

    def _recorded(self) -> str:
        whole = "the log is complete" if self.complete else "the log ends in the middle"
        lost = ", ".join(f"{n} of {stream}" for stream, n in self.lost_by_stream.items())
        return f"{self.seconds:.0f} s recorded; {whole}; lost: {lost or 'nothing'}."

    def _came_out(self) -> list[str]:
        if not self.fps_out:
            return []
        return [f"{self.fps_out:.1f} frames a second came out, {self.late_percent:.1f} % late."]

    def _followed(self) -> list[str]:
        if self.video_r is None:
            return []
        leaked = [
            f"The twin was trained on {clip}: the score means nothing."
            for clip in self.leaked_clips
        ]
        followed = (
            f"What came out follows what was shown: video r {self.video_r:.2f}, "
            f"frame r {self.frame_r:.2f}, over {self.frames_scored} frames inside the mouse's "
            f"mask, {self.lag_frames} frames behind the newest responses."
        )
        return [*leaked, followed]

    def _took(self) -> list[str]:
        if "screen_to_output" not in self.stages_ms:
            return []
        whole = self.stages_ms["screen_to_output"]
        names = ("scan", "transport", "calcium", "decode", "pacing")
        parts = ", ".join(f"{name} {self.stages_ms[name].p50:.0f}" for name in names)
        return [
            f"From the screen to the output {whole.p50:.0f} ms (99 %: {whole.p99:.0f} ms); "
            f"in its stages, ms: {parts}."
        ]


def write_summary(summary: Summary, path: Path) -> None:
    """Write figures and environment as JSON; the folder is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**summary.as_json(), "environment": summary.environment}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


class _Tally:
    """What one pass over the log collects."""

    def __init__(self) -> None:
        self.latencies = Latencies()
        self.lost: dict[str, int] = {}
        self.sent_ns: list[int] = []
        self.n_late = 0
        self.lag_frames: int | None = None

    def add(self, item: Received) -> None:
        body = item.message.body
        if isinstance(body, Gap):
            self.lost[body.stream] = self.lost.get(body.stream, 0) + body.n_missing
        if isinstance(body, Reconstruction):
            self._add_reconstruction(body, item.message.t_ns)

    def fps(self) -> float:
        """Emitted frames a second."""
        if len(self.sent_ns) < 2:  # noqa: PLR2004 - one interval needs two frames
            return 0.0
        return (len(self.sent_ns) - 1) * 1e9 / (self.sent_ns[-1] - self.sent_ns[0])

    def late_percent(self) -> float:
        """Share of emitted frames that were late."""
        return 100.0 * self.n_late / max(1, len(self.sent_ns))

    def _add_reconstruction(self, frame: Reconstruction, t_sent_ns: int) -> None:
        self.sent_ns.append(t_sent_ns)
        self.n_late += frame.late
        self.lag_frames = frame.lag_frames
        pacing_ms = (t_sent_ns - frame.t_ready_ns) / _NS_PER_MS
        shown_ms = (t_sent_ns - frame.t_frame_mid_ns) / _NS_PER_MS
        behind_ms = (frame.t_scan_ns - frame.t_frame_mid_ns) / _NS_PER_MS
        spans = stage_latencies_ms(frame)
        self.latencies.add(
            {
                **spans,
                "pacing": pacing_ms,
                "behind_newest_scan": behind_ms,
                "screen_to_output": shown_ms,
            }
        )


def summarise(session: SessionLayout) -> Summary:
    """Read the log of `session` once and sum it up; memory does not grow with its length."""
    config = read_config(session.config)
    tally, score = _Tally(), _online_score(config)
    reader = LogReader(session.log)
    for item in reader.messages(lambda stream: stream.endswith(_READ_KINDS)):
        tally.add(item)
        score.step([item])
    final = next(iter(score.finish()), None)
    counted = LogReader(session.log).summary()
    return Summary(
        session=session.folder.name,
        complete=counted.complete,
        seconds=(counted.last_ns - counted.first_ns) / 1e9,
        fps_out=tally.fps(),
        late_percent=tally.late_percent(),
        lost_messages=sum(tally.lost.values()),
        lost_by_stream=tally.lost,
        **_scores(final),
        leaked_clips=list(score.leaked_clips),
        lag_frames=tally.lag_frames,
        stages_ms=tally.latencies.summary(),
        messages=counted.counts,
        environment=_environment(session.environment),
    )


def _environment(path: Path) -> dict[str, Any]:
    """What the session says of its machine; a session that was copied in part may say nothing."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _online_score(config: RunConfig) -> OnlineScore:
    return OnlineScore(
        config.evaluate,
        scoring_mask(config),
        frame_rate_hz=config.emit.frame_rate_hz,
        trained=trained_clips(config),
    )


def _scores(final: Score | None) -> dict[str, Any]:
    names = ("video_r", "frame_r", "ssim", "shift_ms")
    if final is None:
        return dict.fromkeys(names) | {"frames_scored": 0}
    values = {name: getattr(final, name) for name in names}
    known = {name: value if math.isfinite(value) else None for name, value in values.items()}
    return {**known, "frames_scored": final.n_frames}
