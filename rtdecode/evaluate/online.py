"""The live score: truth and reconstructions come in, how well they agree goes out."""

import logging
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from rtdecode.evaluate.alignment import Pair, Pairing
from rtdecode.evaluate.latency import Latencies, StageLatency, stage_latencies_ms
from rtdecode.evaluate.leakage import HASHED_EVERY_FRAMES, LEAKED_FRACTION, TrainedClips
from rtdecode.evaluate.metrics import Mask, mean_of_finite
from rtdecode.evaluate.output_count import OutputCount
from rtdecode.evaluate.running import FrameScorer, LastSeconds, Showings, Sums
from rtdecode.schema.config.session import EvaluateConfig
from rtdecode.schema.errors import ShapeError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import DisplayedFrame, Received, Reconstruction, Score

log = logging.getLogger(__name__)

_REACH_S = 0.4
_SHORTEST_SHOWING_S = 3.0
_LONGEST_SHOWING_S = 10.0


class OnlineScore:
    """Scores reconstructions against the screen while they come; truth goes nowhere else.

    The running score covers the last `window_s` and comes each `period_s` of frames, not of time,
    so that a replay scores the same however its messages are cut into batches. The final one
    covers every frame after warm-up; its `video_r` is the mean over showings of clips.

    Parameters
    ----------
    config
        ObservationWindow, period and warm-up.
    mask
        (row, col) bool; where the animal's neurons see.
    frame_rate_hz
        Rate of the frame grid.
    trained
        Hashes of the twin's training clips; a clip among them is flagged, and named once.
    """

    def __init__(
        self,
        config: EvaluateConfig,
        mask: Mask,
        *,
        frame_rate_hz: float,
        trained: Sequence[str] = (),
    ) -> None:
        if not mask.any():
            raise ShapeError("mask", expected="at least one pixel set", got=mask)
        self._config = config
        self._mask_shape = mask.shape
        self._rate_hz = frame_rate_hz
        window_frames = round(config.window_s * frame_rate_hz)
        self._pairing = Pairing(FrameGrid(frame_rate_hz), hold_frames=window_frames)
        self._scorer = FrameScorer(mask, reach_frames=round(_REACH_S * frame_rate_hz))
        self._window = LastSeconds(window_frames)
        self._showings = Showings(
            shortest_frames=round(_SHORTEST_SHOWING_S * frame_rate_hz),
            longest_frames=round(_LONGEST_SHOWING_S * frame_rate_hz),
        )
        self._whole = self._scorer.nothing
        self._leaks = _LeakWatch(TrainedClips(trained))
        self._latencies = Latencies()
        self._output = OutputCount()
        self._first_scored: int | None = None
        self._due: int | None = None

    def step(self, items: Sequence[Received]) -> list[Score]:
        """Take what has come, give a running score for each period that is full."""
        return [score for item in items for score in self._take(item)]

    def finish(self) -> list[Score]:
        """Score the whole run after warm-up; nothing where no frame could be scored."""
        if not self._whole.n_frames:
            return []
        showings = self._showings.video_r()
        video_r = mean_of_finite(showings) if showings else self._whole.video_r
        span_s = self._whole.n_frames / self._rate_hz
        return [self._score(self._whole, video_r=video_r, window_s=span_s, final=True)]

    @property
    def per_showing(self) -> Sequence[float]:
        """video_r of each showing of a clip so far."""
        return self._showings.video_r()

    @property
    def leaked_clips(self) -> Sequence[str]:
        """Names of the shown clips that the twin was trained on."""
        return self._leaks.clips

    @property
    def stages_ms(self) -> Mapping[str, StageLatency]:
        """Latency of each stage over the whole run."""
        return self._latencies.summary()

    def counters(self) -> dict[str, float]:
        """Plain numbers for a heartbeat, from the start of the run."""
        scored = {
            "scored_frames": float(self._whole.n_frames),
            "unmatched_frames": float(self._pairing.unmatched),
            "leaked_clips": float(len(self.leaked_clips)),
        }
        latencies = {
            f"{stage}_{name}_ms": value
            for stage, latency in self.stages_ms.items()
            for name, value in (("p50", latency.p50), ("p99", latency.p99), ("max", latency.max))
        }
        return self._output.counters() | scored | latencies

    def _take(self, item: Received) -> list[Score]:
        body = item.message.body
        self._output.count(item)
        if isinstance(body, Reconstruction | DisplayedFrame):
            self._check(body)
        if isinstance(body, Reconstruction):
            self._latencies.add(stage_latencies_ms(body))
        if isinstance(body, DisplayedFrame):
            self._leaks.watch(body)
        return [score for pair in self._pairing.take(item.message) for score in self._pair(pair)]

    def _check(self, body: Reconstruction | DisplayedFrame) -> None:
        if body.luminance.shape != self._mask_shape:
            expected = f"the mask's shape {self._mask_shape}"
            raise ShapeError(body.kind, expected=expected, got=body.luminance)

    def _pair(self, pair: Pair) -> list[Score]:
        if not pair.reconstruction.warm or not self._warmed_up(pair.frame):
            return []
        score = self._scorer.score(pair)
        self._window.add(score)
        self._whole.add(score)
        self._showings.add(pair, score, nothing=self._scorer.nothing)
        return self._running(pair.frame)

    def _warmed_up(self, frame: int) -> bool:
        if self._first_scored is None:
            self._first_scored = frame + round(self._config.warm_up_s * self._rate_hz)
        return frame >= self._first_scored

    def _running(self, frame: int) -> list[Score]:
        period_frames = max(1, round(self._config.period_s * self._rate_hz))
        if self._due is None:
            self._due = frame + period_frames - 1
        if frame < self._due:
            return []
        self._due = frame + period_frames
        sums = self._window.sums(self._scorer.nothing)
        window_s = self._config.window_s
        return [self._score(sums, video_r=sums.video_r, window_s=window_s, final=False)]

    def _score(self, sums: Sums, *, video_r: float, window_s: float, final: bool) -> Score:
        return Score(
            video_r=video_r,
            frame_r=sums.frame_r.value,
            ssim=sums.ssim.value,
            shift_ms=self._scorer.shift_frames(sums) / self._rate_hz * 1000,
            window_s=window_s,
            n_frames=sums.n_frames,
            final=final,
        )


class _LeakWatch:
    """Looks at some frames of each clip, and says once when the twin was trained on it."""

    def __init__(self, trained: TrainedClips) -> None:
        self._trained = trained
        self._looked: defaultdict[str, list[bool]] = defaultdict(list)
        self.clips: list[str] = []

    def watch(self, shown: DisplayedFrame) -> None:
        looked = self._looked[shown.clip]
        if shown.index % HASHED_EVERY_FRAMES or len(looked) >= _LOOKS or shown.clip in self.clips:
            return
        looked.append(self._trained.is_trained_frame(shown.luminance))
        if len(looked) == _LOOKS and sum(looked) >= LEAKED_FRACTION * _LOOKS:
            self.clips.append(shown.clip)
            log.warning("the twin was trained on clip '%s': its score means nothing", shown.clip)


_LOOKS = math.ceil(2.0 * 30 / HASHED_EVERY_FRAMES)
"""Frames that are looked at before a clip is judged: about the first two seconds of it."""
