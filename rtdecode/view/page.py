"""The page as a stage: messages in, packets for browsers out, and what to say about it all."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.alignment import TruthOnGrid
from rtdecode.evaluate.latency import stage_latencies_ms
from rtdecode.evaluate.output_count import OutputCount
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    End,
    Gap,
    Received,
    Reconstruction,
    Responses,
    Score,
    Stamped,
)
from rtdecode.view.packets import (
    ActivityStrip,
    Flag,
    Packet,
    activity_packet,
    grey_plane,
    picture_packet,
)
from rtdecode.view.status_text import Ages, notice

_NS_PER_S = 1e9
_NS_PER_MS = 1e6
_KEPT_FRAMES = 450
"""Latencies are of the last 15 s: a page shows what is, a report what was."""
_KEPT_SCORES = 600
_TRUTH_WAITS_FRAMES = 300
_ALONE_AFTER_FRAMES = 60
"""Truth is shown alone when no reconstruction has come for two seconds of it."""


class Page:
    """What browsers are shown; knows no socket.

    Parameters
    ----------
    frame_rate_hz
        Rate of the frame grid.
    clock
        The host's clock, for ages and for the latency up to the page.
    """

    def __init__(self, *, frame_rate_hz: float, clock: Clock) -> None:
        self._clock = clock
        self._frame_rate_hz = frame_rate_hz
        self._truth_on_grid = TruthOnGrid(FrameGrid(frame_rate_hz))
        self._truth: dict[int, NDArray[np.uint8]] = {}
        self._strip = ActivityStrip()
        self._output = OutputCount()
        self._last_ns: dict[type[Body], int] = {}
        self._newest: Reconstruction | None = None
        self._sent_ns: dict[int, tuple[int, int]] = {}
        self._latencies: dict[str, deque[float]] = {}
        self._arrivals_ns: deque[int] = deque(maxlen=60)
        self._scores: deque[tuple[float, Score]] = deque(maxlen=_KEPT_SCORES)
        self._clip, self._neurons = "", 0
        self._ended: set[str] = set()

    def step(self, items: Sequence[Received]) -> list[Packet]:
        """Packets that these messages make, in order."""
        return [packet for item in items for packet in self._take(item)]

    def drawn(self, frame: int) -> None:
        """Note that a browser has drawn `frame`; the first one to do so counts."""
        sent = self._sent_ns.pop(frame, None)
        if sent is not None:
            t_sent_ns, t_frame_mid_ns = sent
            now_ns = self._clock.now_ns()
            self._note({"page": now_ns - t_sent_ns, "screen_to_page": now_ns - t_frame_mid_ns})

    def status(self) -> dict[str, Any]:
        """Everything that is told in numbers and words, ready for JSON."""
        counters = self._output.counters()
        says = notice(
            self._ages(),
            warm=self._newest is not None and self._newest.warm,
            ended=bool(self._ended),
            lost=int(counters["lost_messages"]),
        )
        lag_frames = self._newest.lag_frames if self._newest else 0
        return {
            "mood": says.mood,
            "word": says.word,
            "sentence": says.sentence,
            "clip": self._clip,
            "lag_frames": lag_frames,
            "lag_ms": lag_frames / self._frame_rate_hz * 1000,
            "neurons": self._neurons,
            "fps": self._fps(),
            "counters": counters,
            "lost_by_stream": self._output.lost_by_stream,
            "latency_ms": {stage: _quantiles(spans) for stage, spans in self._latencies.items()},
            "score": _score_json(self._scores[-1]) if self._scores else None,
        }

    def history(self) -> list[Mapping[str, float | None]]:
        """Scores so far, oldest first, for a browser that has just come."""
        return [_score_json(score) for score in self._scores]

    def _take(self, item: Received) -> list[Packet]:
        message, body = item.message, item.message.body
        self._last_ns[type(body)] = item.t_received_ns
        self._output.count(item)
        match body:
            case DisplayedFrame():
                return self._shown(message, body)
            case Reconstruction():
                return [self._decoded(message, body, item.t_received_ns)]
            case Responses():
                self._neurons = body.activity.size
                groups = self._strip.column(body.activity, body.valid)
                return [activity_packet(body.frame, groups=groups, neurons=self._neurons)]
            case Score():
                self._scores.append((item.t_received_ns / _NS_PER_S, body))
            case End():
                self._ended.add(message.source)
        return []

    def _shown(self, message: Stamped, shown: DisplayedFrame) -> list[Packet]:
        self._clip = shown.clip
        packets = []
        for truth in self._truth_on_grid.take(message, shown):
            self._truth[truth.frame] = truth.shown.luminance
            if len(self._truth) > _TRUTH_WAITS_FRAMES:
                self._truth.pop(next(iter(self._truth)))
            if self._newest is None or truth.frame > self._newest.frame + _ALONE_AFTER_FRAMES:
                packets.append(self._truth_alone(truth.frame, truth.shown))
        return packets

    def _truth_alone(self, frame: int, shown: DisplayedFrame) -> Packet:
        nothing = np.zeros_like(shown.luminance)
        return picture_packet(
            frame,
            planes=(shown.luminance, nothing, nothing),
            flags=Flag.TRUTH,
            lag_frames=0,
            age_ms=(self._clock.now_ns() - shown.t_flip_ns) / _NS_PER_MS,
        )

    def _decoded(self, message: Stamped, body: Reconstruction, t_received_ns: int) -> Packet:
        self._newest = body
        self._arrivals_ns.append(t_received_ns)
        self._sent_ns[body.frame] = (message.t_ns, body.t_frame_mid_ns)
        if len(self._sent_ns) > _KEPT_FRAMES:
            self._sent_ns.pop(next(iter(self._sent_ns)))
        spans = {stage: ms * _NS_PER_MS for stage, ms in stage_latencies_ms(body).items()}
        self._note(spans | {"pacing": message.t_ns - body.t_ready_ns})
        truth = self._truth_of(body)
        flags = Flag.DECODED | (Flag.WARM if body.warm else 0) | (Flag.LATE if body.late else 0)
        uncertain = body.uncertainty.any()
        planes = (
            np.zeros(body.luminance.shape, np.uint8) if truth is None else truth,
            grey_plane(body.luminance),
            grey_plane(body.uncertainty),
        )
        return picture_packet(
            body.frame,
            planes=planes,
            flags=Flag(flags | (truth is not None) | (Flag.UNCERTAINTY if uncertain else 0)),
            lag_frames=body.lag_frames,
            age_ms=(self._clock.now_ns() - body.t_frame_mid_ns) / _NS_PER_MS,
        )

    def _truth_of(self, body: Reconstruction) -> NDArray[np.uint8] | None:
        """Truth on the same pixels; another screen's truth cannot be laid over it."""
        truth = self._truth.pop(body.frame, None)
        return truth if truth is not None and truth.shape == body.luminance.shape else None

    def _note(self, spans_ns: Mapping[str, float]) -> None:
        for stage, span_ns in spans_ns.items():
            kept = self._latencies.setdefault(stage, deque(maxlen=_KEPT_FRAMES))
            kept.append(span_ns / _NS_PER_MS)

    def _ages(self) -> Ages:
        now_ns = self._clock.now_ns()
        age_s = {kind: (now_ns - at_ns) / _NS_PER_S for kind, at_ns in self._last_ns.items()}
        return Ages(
            decoded_s=age_s.get(Reconstruction),
            shown_s=age_s.get(DisplayedFrame),
            responses_s=age_s.get(Responses),
            loss_s=age_s.get(Gap),
        )

    def _fps(self) -> float:
        """Reconstructions a second over the last two seconds; 0 where they have stopped."""
        since_ns = self._clock.now_ns() - 2 * _NS_PER_S
        recent = [at_ns for at_ns in self._arrivals_ns if at_ns >= since_ns]
        if len(recent) < 2 or recent[-1] == recent[0]:  # noqa: PLR2004 - an interval has two ends
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0]) * _NS_PER_S


def _quantiles(spans_ms: deque[float]) -> dict[str, float]:
    p50, p99 = np.percentile(spans_ms, [50, 99])
    return {"p50": float(p50), "p99": float(p99)}


def _score_json(at: tuple[float, Score]) -> dict[str, float | None]:
    """JSON knows no NaN: what could not be scored is null."""
    t_s, score = at
    figures = {
        "t_s": t_s,
        "video_r": score.video_r,
        "frame_r": score.frame_r,
        "ssim": score.ssim,
        "shift_ms": score.shift_ms,
        "window_s": score.window_s,
        "final": float(score.final),
    }
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}
