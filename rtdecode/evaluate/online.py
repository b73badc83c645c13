"""Live score: displayed frames and reconstructions in, running and final scores out.

Duties: align both streams, score every pair of frames inside the screen mask, and flag clips that
the twin was trained on. The stage has no socket and no clock, and its scores do not depend on how
the stream is cut into batches. It must not influence the decoder: the ground truth goes nowhere
else from here.

>>> import numpy as np
>>> mask = np.ones((2, 2), bool)
>>> online = OnlineScore(EvaluateConfig(), mask, frame_rate_hz=30.0)
>>> online.step([]), online.finish(), online.counters()["scored_frames"]
([], [], 0.0)
"""

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from rtdecode.evaluate.alignment import Pair, Pairing
from rtdecode.evaluate.latency import Latencies, StageLatency, stage_latencies_ms
from rtdecode.evaluate.leakage import (
    HASHED_EVERY_FRAMES,
    LEAKED_FRACTION,
    TrainedClips,
    trained_clips,
)
from rtdecode.evaluate.metrics import Mask, mean_of_finite
from rtdecode.evaluate.output_count import OutputCount
from rtdecode.evaluate.running import FrameScore, FrameScorer, Presentations, SlidingWindow, Sums
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.evaluate.trial_scores import TrialScores
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import RecordedTrialsSource
from rtdecode.schema.config.session import EvaluateConfig
from rtdecode.schema.errors import ShapeError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import DisplayedFrame, Received, Reconstruction, Score

log = logging.getLogger(__name__)

_REACH_S = 0.4
_SHORTEST_PRESENTATION_S = 3.0
_LONGEST_PRESENTATION_S = 10.0
_CHECKED_S = 2.0
"""Length of a clip, about, that is compared with the training clips."""


OnPair = Callable[[Pair, FrameScore | None], None]


class OnlineScore:
    """Stage that scores reconstructions against displayed frames while they arrive.

    The running score covers the last `window_s` and is given after every `period_s` of frames, not
    of time, so that a replay gives the same scores. The final score covers all frames after the
    warm-up; its `video_r` is the mean over presentations of clips.

    Parameters
    ----------
    config
        Window, period and warm-up.
    mask
        (row, col) bool, True for the scored pixels.
    frame_rate_hz
        Rate of the frame grid.
    trained
        Hashes of the training clips of the twin; a displayed clip among them is reported once.
    by_trial
        Whether the displayed clips are trials of a recorded data set: the final score is then the
        mean over trials, by the definitions of `rtdecode reconstruct`.
    on_pair
        Is given each pair of frames of a full estimation window, and what it adds to the score;
        None during the warm-up.

    Raises
    ------
    ShapeError
        If the mask is empty, or if a frame has another shape than the mask.
    """

    def __init__(
        self,
        config: EvaluateConfig,
        mask: Mask,
        *,
        frame_rate_hz: float,
        trained: Sequence[str] = (),
        by_trial: bool = False,
        on_pair: OnPair = lambda _pair, _score: None,
    ) -> None:
        if not mask.any():
            raise ShapeError("mask", expected="at least one pixel set", got=mask)
        self._config, self._on_pair = config, on_pair
        self._mask_shape = mask.shape
        self._rate_hz = frame_rate_hz
        window_frames = round(config.window_s * frame_rate_hz)
        self._pairing = Pairing(FrameGrid(frame_rate_hz), hold_frames=window_frames)
        self._scorer = FrameScorer(mask, reach_frames=round(_REACH_S * frame_rate_hz))
        self._window = SlidingWindow(window_frames)
        self._presentations = Presentations(
            shortest_frames=round(_SHORTEST_PRESENTATION_S * frame_rate_hz),
            longest_frames=round(_LONGEST_PRESENTATION_S * frame_rate_hz),
        )
        self._whole = self._scorer.empty_sums
        self._leaks = _LeakCheck(TrainedClips(trained), frame_rate_hz=frame_rate_hz)
        self._trials = TrialScores(mask, frame_rate_hz=frame_rate_hz) if by_trial else None
        self._latencies = Latencies()
        self._output = OutputCount()
        self._first_scored: int | None = None
        self._due: int | None = None

    def step(self, items: Sequence[Received]) -> list[Score]:
        """Running scores of the periods that `items` complete."""
        return [score for item in items for score in self._scores_of(item)]

    def finish(self) -> list[Score]:
        """Final score of the run after the warm-up; empty where no frame could be scored."""
        if self._trials is not None:
            return self._final_of_trials(self._trials)
        if not self._whole.n_frames:
            return []
        per_clip = self._presentations.video_r()
        video_r = mean_of_finite(per_clip) if per_clip else self._whole.video_r
        span_s = self._whole.n_frames / self._rate_hz
        return [self._score(self._whole, video_r=video_r, window_s=span_s, final=True)]

    @property
    def per_presentation(self) -> Sequence[float]:
        """video_r of each presentation of a clip, or of each trial, so far."""
        if self._trials is not None:
            return [scores.video_r for _, scores in self._trials.scores()]
        return self._presentations.video_r()

    @property
    def leaked_clips(self) -> Sequence[str]:
        """Names of the displayed clips that the twin was trained on."""
        return self._leaks.clips

    @property
    def stages_ms(self) -> Mapping[str, StageLatency]:
        """Latency of each stage over the whole run."""
        return self._latencies.summary()

    def counters(self) -> dict[str, float]:
        """Counters for a heartbeat, since the start of the run."""
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

    def _scores_of(self, item: Received) -> list[Score]:
        body = item.message.body
        self._output.count(item)
        if isinstance(body, Reconstruction | DisplayedFrame):
            self._check(body)
        if isinstance(body, Reconstruction):
            self._latencies.add(stage_latencies_ms(body))
        if isinstance(body, DisplayedFrame):
            self._leaks.add(body)
            if self._trials is not None:
                self._trials.add_displayed(body)
        return [score for pair in self._pairing.add(item.message) for score in self._pair(pair)]

    def _check(self, body: Reconstruction | DisplayedFrame) -> None:
        if body.luminance.shape != self._mask_shape:
            expected = f"the shape of the mask, {self._mask_shape}"
            raise ShapeError(body.kind, expected=expected, got=body.luminance)

    def _final_of_trials(self, trials: TrialScores) -> list[Score]:
        mean = trials.mean()
        if not mean.n_frames:
            return []
        return [
            Score(
                video_r=mean.video_r,
                frame_r=mean.frame_r,
                ssim=mean.ssim,
                shift_ms=mean.shift_ms,
                window_s=mean.n_frames / self._rate_hz,
                n_frames=mean.n_frames,
                final=True,
            )
        ]

    def _pair(self, pair: Pair) -> list[Score]:
        if self._trials is not None:
            self._trials.add(pair)
        if not pair.reconstruction.warm:
            return []
        if not self._warmed_up(pair.frame):
            self._on_pair(pair, None)
            return []
        score = self._scorer.score(pair)
        self._window.add(score)
        self._whole.add(score)
        self._on_pair(pair, score)
        self._presentations.add(pair, score, empty=self._scorer.empty_sums)
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
        sums = self._window.added_to(self._scorer.empty_sums)
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


def online_score(config: RunConfig, *, on_pair: OnPair = lambda _pair, _score: None) -> OnlineScore:
    """The score of a run of `config`, with its screen mask and the training clips of its twin.

    `on_pair` as `OnlineScore` takes it. Raises as `scoring_mask` does.
    """
    return OnlineScore(
        config.evaluate,
        scoring_mask(config),
        frame_rate_hz=config.frame_rate_hz,
        trained=trained_clips(config),
        by_trial=isinstance(config.acquisition.source, RecordedTrialsSource),
        on_pair=on_pair,
    )


class _LeakCheck:
    """Compares the first frames of each clip with the training clips; reports a match once."""

    def __init__(self, trained: TrainedClips, *, frame_rate_hz: float) -> None:
        self._trained = trained
        self._needed = math.ceil(_CHECKED_S * frame_rate_hz / HASHED_EVERY_FRAMES)
        self._matches: defaultdict[str, list[bool]] = defaultdict(list)
        self.clips: list[str] = []

    def add(self, displayed: DisplayedFrame) -> None:
        matches = self._matches[displayed.clip]
        if displayed.index % HASHED_EVERY_FRAMES or len(matches) >= self._needed:
            return
        matches.append(self._trained.is_trained_frame(displayed.luminance))
        if len(matches) == self._needed and sum(matches) >= LEAKED_FRACTION * self._needed:
            self.clips.append(displayed.clip)
            log.warning(
                "the twin was trained on clip '%s', so its score is not valid", displayed.clip
            )
