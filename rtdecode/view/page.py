"""State of the live page: turns messages into packets for browsers, and into a status.

It depends on no socket and no browser: `server.PageServer` passes messages to it and sends the
packets.

    page = Page(frame_rate_hz=30.0, clock=HostClock())
    packets = page.packets_of(subscriber.take(0.1))
    status = page.status()
"""

import json
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.alignment import TruthOnGrid
from rtdecode.evaluate.latency import stage_latencies_ms
from rtdecode.evaluate.loop_latency import LoopLatency
from rtdecode.schema.evaluation import ResponsePrediction
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import (
    DisplayedFrame,
    Received,
    Reconstruction,
    Responses,
    Score,
    Stamped,
)
from rtdecode.view.control_state import ControlState
from rtdecode.view.microscope import Microscope
from rtdecode.view.packets import (
    ActivityStrip,
    Flag,
    Packet,
    activity_packet,
    grey_plane,
    picture_packet,
    present_packet,
)
from rtdecode.view.run_facts import RunFacts
from rtdecode.view.run_state import RunState

_NS_PER_S = 1e9
_NS_PER_MS = 1e6
_KEPT_FRAMES = 450
"""Latencies cover the last 15 s; those of the whole session are in its report."""
_KEPT_SCORES = 600
_STEPS = {
    "transport": "transport to the decoder",
    "calcium": "scan to activity",
    "decode": "reconstruction",
}
"""Stages that can make a frame late, as the page names them."""
_DISPLAYED_KEPT_FRAMES = 300
_ALONE_AFTER_FRAMES = 60
"""Displayed frames without a reconstruction after which they are sent alone; 2 s."""


class Page:
    """Packets and status for all browsers of one run.

    Parameters
    ----------
    frame_rate_hz
        Rate of the frame grid.
    clock
        The host's clock, for ages and for the latency up to the page.
    facts
        What the config states of the run.
    """

    def __init__(
        self, *, frame_rate_hz: float, clock: Clock, facts: RunFacts | None = None
    ) -> None:
        self._clock = clock
        self._frame_rate_hz = frame_rate_hz
        self._truth_on_grid = TruthOnGrid(FrameGrid(frame_rate_hz))
        self._displayed: dict[int, NDArray[np.uint8]] = {}
        self._strip = ActivityStrip()
        facts = facts or RunFacts()
        self.microscope = Microscope(
            frame_rate_hz=frame_rate_hz, neuropil_weight=facts.neuropil_weight
        )
        """What browsers see that have opened the Microscope tab."""
        self._state = RunState(clock=clock, facts=facts)
        self._newest: Reconstruction | None = None
        self._sent_ns: dict[int, tuple[int, int]] = {}
        self._latencies: dict[str, deque[float]] = {}
        self._arrivals_ns: deque[int] = deque(maxlen=60)
        self._first_arrival_ns = 0
        self._scores: deque[tuple[float, Score]] = deque(maxlen=_KEPT_SCORES)
        self._clip, self._neurons = "", 0
        self._twin_check: ResponsePrediction | None = None
        self._loop = LoopLatency()
        self._control = ControlState(clock=clock, config=None if facts is None else facts.control)

    def packets_of(self, items: Sequence[Received]) -> list[Packet]:
        """Packets that result from these messages, in their order."""
        return [packet for item in items for packet in self._packets_of_message(item)]

    def acknowledge(self, frame: int) -> None:
        """Note that a browser has drawn `frame`; only the first acknowledgement is timed."""
        sent = self._sent_ns.pop(frame, None)
        if sent is not None:
            t_sent_ns, t_frame_mid_ns = sent
            now_ns = self._clock.now_ns()
            self._add_latencies(
                {"page": now_ns - t_sent_ns, "screen_to_page": now_ns - t_frame_mid_ns}
            )

    def status(self) -> dict[str, Any]:
        """Status line, counts, events, latencies and newest score, as plain values for JSON."""
        lag_frames = self._newest.lag_frames if self._newest else 0
        latency_ms = {stage: _quantiles(spans) for stage, spans in self._latencies.items()}
        return {
            **self._state.as_json(longest_step=_longest_step(latency_ms)),
            "clip": self._clip,
            "lag_frames": lag_frames,
            "lag_ms": lag_frames / self._frame_rate_hz * 1000,
            "neurons": self._neurons,
            "fps": self._fps(),
            "latency_ms": latency_ms,
            "score": _score_json(self._scores[-1]) if self._scores else None,
            "loop": asdict(self._loop.figures()),
            "control": self._control.as_json(),
            "twin_check": None if self._twin_check is None else _twin_check_json(self._twin_check),
        }

    def status_texts(self) -> dict[bool, str]:
        """The status as JSON for browsers that may not act (False), and for those that may."""
        status = self.status()
        watching: dict[str, Any] = {"may_act": False}
        if status["end"]:  # paths of this machine are for its users
            watching["end"] = status["end"] | {"report": "report/index.html of the session"}
        return {False: json.dumps(status | watching), True: json.dumps(status | {"may_act": True})}

    @property
    def is_ended(self) -> bool:
        """Whether the run has ended."""
        return self._state.is_ended

    def acknowledge_alarm(self, number: int) -> None:
        """Remove the alarm with this number from the banner of all browsers."""
        self._state.acknowledge(number)

    def history(self) -> list[Mapping[str, float | None]]:
        """Scores so far, oldest first, for a browser that has just connected."""
        return [_score_json(score) for score in self._scores]

    def _packets_of_message(self, item: Received) -> list[Packet]:
        message, body = item.message, item.message.body
        self._state.add(item)
        self._loop.add(body)
        self._control.add(item)
        self.microscope.add(item)
        match body:
            case DisplayedFrame():
                return self._displayed_packets(message, body)
            case Reconstruction():
                return [self._decoded_packet(message, body, item.t_received_ns)]
            case Responses():
                self._neurons = body.activity.size
                groups = self._strip.column(body.activity, body.valid)
                return [activity_packet(body.frame, groups=groups, neurons=self._neurons)]
            case Score():
                self._scores.append((item.t_received_ns / _NS_PER_S, body))
            case ResponsePrediction():
                self._twin_check = body
        return []

    def _displayed_packets(self, message: Stamped, body: DisplayedFrame) -> list[Packet]:
        self._clip = body.clip
        age_ms = (self._clock.now_ns() - body.t_flip_ns) / _NS_PER_MS
        packets = [present_packet(body.luminance, age_ms=age_ms)]
        for truth in self._truth_on_grid.add_displayed(message, body):
            self._displayed[truth.frame] = truth.displayed.luminance
            if len(self._displayed) > _DISPLAYED_KEPT_FRAMES:
                self._displayed.pop(next(iter(self._displayed)))
            if self._newest is None or truth.frame > self._newest.frame + _ALONE_AFTER_FRAMES:
                packets.append(self._displayed_alone(truth.frame, truth.displayed))
        return packets

    def _displayed_alone(self, frame: int, shown: DisplayedFrame) -> Packet:
        nothing = np.zeros_like(shown.luminance)
        return picture_packet(
            frame,
            planes=(shown.luminance, nothing, nothing),
            flags=Flag.DISPLAYED,
            lag_frames=0,
            age_ms=(self._clock.now_ns() - shown.t_flip_ns) / _NS_PER_MS,
        )

    def _decoded_packet(self, message: Stamped, body: Reconstruction, t_received_ns: int) -> Packet:
        self._newest = body
        self._arrivals_ns.append(t_received_ns)
        self._first_arrival_ns = self._first_arrival_ns or t_received_ns
        self._sent_ns[body.frame] = (message.t_ns, body.t_frame_mid_ns)
        if len(self._sent_ns) > _KEPT_FRAMES:
            self._sent_ns.pop(next(iter(self._sent_ns)))
        spans = {stage: ms * _NS_PER_MS for stage, ms in stage_latencies_ms(body).items()}
        self._add_latencies(spans | {"pacing": message.t_ns - body.t_ready_ns})
        displayed = self._displayed_of(body)
        flags = Flag.DECODED | (Flag.WARM if body.warm else 0) | (Flag.LATE if body.late else 0)
        # a plane of another size would shift all that follow it in the packet
        uncertainty = body.uncertainty
        if uncertainty.shape != body.luminance.shape:
            uncertainty = np.zeros_like(body.luminance)
        planes = (
            np.zeros(body.luminance.shape, np.uint8) if displayed is None else displayed,
            grey_plane(body.luminance),
            grey_plane(uncertainty),
        )
        return picture_packet(
            body.frame,
            planes=planes,
            flags=Flag(
                flags | (displayed is not None) | (Flag.UNCERTAINTY if uncertainty.any() else 0)
            ),
            lag_frames=body.lag_frames,
            age_ms=(self._clock.now_ns() - body.t_frame_mid_ns) / _NS_PER_MS,
        )

    def _displayed_of(self, body: Reconstruction) -> NDArray[np.uint8] | None:
        """Displayed frame of the same grid frame; None where its size differs."""
        found = self._displayed.pop(body.frame, None)
        return found if found is not None and found.shape == body.luminance.shape else None

    def _add_latencies(self, spans_ns: Mapping[str, float]) -> None:
        for stage, span_ns in spans_ns.items():
            kept = self._latencies.setdefault(stage, deque(maxlen=_KEPT_FRAMES))
            kept.append(span_ns / _NS_PER_MS)

    def _fps(self) -> float:
        """Reconstructions per second over the last two seconds; 0 where they have stopped."""
        now_ns = self._clock.now_ns()
        recent = [at_ns for at_ns in self._arrivals_ns if now_ns - at_ns <= 2 * _NS_PER_S]
        if len(recent) < 2:  # noqa: PLR2004 - an interval has two ends
            return 0.0
        known_ns = min(2 * _NS_PER_S, now_ns - self._first_arrival_ns)
        span_ns = float(recent[-1] - recent[0])
        # those that arrive at once, as after a pause, count over the whole time
        span_ns = span_ns if 2 * span_ns > known_ns else known_ns
        return (len(recent) - 1) / span_ns * _NS_PER_S if span_ns else 0.0


def _quantiles(spans_ms: deque[float]) -> dict[str, float]:
    p50, p99 = np.percentile(spans_ms, [50, 99])
    return {"p50": float(p50), "p99": float(p99)}


def _longest_step(latency_ms: Mapping[str, Mapping[str, float]]) -> str:
    """The step of the decoder's side with the largest 99th percentile, in words."""
    spans = {name: latency_ms[name]["p99"] for name in _STEPS if name in latency_ms}
    if not spans:
        return ""
    longest = max(spans, key=lambda name: spans[name])
    return f"the longest step is {_STEPS[longest]}, 99th percentile {spans[longest]:.0f} ms"


def _twin_check_json(check: ResponsePrediction) -> dict[str, float | str | None]:
    """Figures of the twin check; null for NaN, which JSON cannot represent."""
    named = {"r": check.r, "r_training": check.r_training, "r_expected": check.r_expected}
    figures = {name: value if math.isfinite(value) else None for name, value in named.items()}
    window_s = check.window_s if math.isfinite(check.window_s) else None
    return {**figures, "verdict": check.verdict, "window_s": window_s}


def _score_json(at: tuple[float, Score]) -> dict[str, float | None]:
    """Figures of a score; null for NaN, which JSON cannot represent."""
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
