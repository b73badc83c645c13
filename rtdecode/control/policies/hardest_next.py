"""Policy `hardest_next`: the next clip is the one that is reconstructed worst."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rtdecode.control.policies.options import OptionCheck
from rtdecode.control.policies.presentations import (
    OnScreen,
    PresentationScore,
    PresentationScores,
    Screen,
    Turns,
    another_clip,
    seeded,
)
from rtdecode.control.policy import Observation, PolicySetting, Request
from rtdecode.schema.messages import DisplayedFrame, Reconstruction

_TRIALS = 2
"""Presentations without a score after which a clip is taken for one that has none."""


class Criterion(StrEnum):
    """What makes a clip hard."""

    SCORE = "score"
    """A low video_r."""
    UNCERTAINTY = "uncertainty"
    """A large posterior standard deviation."""


@dataclass(slots=True)
class _Estimate:
    """Mean hardness of a clip over its presentations."""

    total: float = 0.0
    n: int = 0

    @property
    def mean(self) -> float:
        return self.total / self.n


class HardestNext:
    """At the end of each clip, asks for the one that was hardest on average so far.

    Clips that were not displayed yet come first, in random order. The clip on the screen is never
    the next one, so that where one clip is hardest, the two hardest alternate. A clip that was
    displayed once and has no score counts as hardest; one that still has none after the second
    presentation, because it is too short or uniform, as least hard.

    Parameters
    ----------
    by
        score: lowest mean video_r of the presentations. uncertainty: largest mean posterior
        standard deviation.
    explore
        Fraction of the turns, 0 to 1, at which one of the clips displayed least often is chosen.
    clips
        Clips to choose from; None: all.
    lead_s
        Time in s before the end of a clip at which the next one is chosen.
    dwell_s
        Time in s for which a clip is displayed; None: in full length.
    shortest_s
        Shortest time in s of compared frames from which a presentation is scored.
    """

    def __init__(
        self,
        setting: PolicySetting,
        *,
        by: str = "score",
        explore: float = 0.1,
        clips: Sequence[str] | None = None,
        lead_s: float = 0.2,
        dwell_s: float | None = None,
        shortest_s: float = 1.0,
    ) -> None:
        check = OptionCheck("hardest_next")
        self._by = Criterion(check.one_of("by", by, tuple(Criterion)))
        self._explore = check.number("explore", explore, low=0, high=1)
        self._clips = check.clips("clips", clips, setting.clips, at_least=2)
        lead_s = check.number("lead_s", lead_s, low=0)
        dwell_s = None if dwell_s is None else check.positive("dwell_s", dwell_s)
        shortest_s = check.positive("shortest_s", shortest_s)
        self._rng = seeded(setting.seed, 2)
        self._screen = Screen(setting.frame_rate_hz)
        self._turns = Turns(setting, lead_s=lead_s, dwell_s=dwell_s)
        self._scores = PresentationScores(
            setting.screen_mask, shortest_frames=max(1, round(shortest_s * setting.frame_rate_hz))
        )
        self._displayed: dict[str, int] = {}
        self._estimates: dict[str, _Estimate] = {}
        self._presentation = -1

    def decide(self, observation: Observation) -> list[Request]:
        if isinstance(observation.body, Reconstruction):
            shown = self._screen.at(observation.body.t_frame_mid_ns)
            ended = self._scores.add(observation.body, shown)
            if ended is not None:
                self._estimate(ended)
        if not isinstance(observation.body, DisplayedFrame):
            return []
        now = self._screen.add(observation.body)
        self._count(now)
        due_ns = self._turns.due_ns(now)
        return [] if due_ns is None else [self._next_after(now.clip, due_ns)]

    def _count(self, now: OnScreen) -> None:
        if now.presentation != self._presentation:
            self._presentation = now.presentation
            self._displayed[now.clip] = self._displayed.get(now.clip, 0) + 1

    def _estimate(self, ended: PresentationScore) -> None:
        hardness = -ended.video_r if self._by is Criterion.SCORE else ended.uncertainty
        if math.isfinite(hardness):
            estimate = self._estimates.setdefault(ended.clip, _Estimate())
            estimate.total, estimate.n = estimate.total + hardness, estimate.n + 1

    def _next_after(self, clip: str, due_ns: int) -> Request:
        others = [one for one in self._clips if one != clip]
        explores = float(self._rng.random()) < self._explore
        unseen = [one for one in others if one not in self._displayed]
        if unseen or explores:
            rare = another_clip(others, clip, rng=self._rng, weights=self._displayed)
            why = "not displayed yet" if unseen else "explored: displayed least often"
            return Request.show_clip(rare, reason=why, t_due_ns=due_ns)
        hardest = max(others, key=self._hardness)
        return Request.show_clip(hardest, reason=self._why(hardest), t_due_ns=due_ns)

    def _hardness(self, clip: str) -> float:
        estimate = self._estimates.get(clip)
        if estimate is None:
            return math.inf if self._displayed.get(clip, 0) < _TRIALS else -math.inf
        return estimate.mean

    def _why(self, clip: str) -> str:
        estimate = self._estimates.get(clip)
        if estimate is None:
            return "displayed, but not scored"
        over = f"over {estimate.n} presentations, of {len(self._clips)} clips"
        if self._by is Criterion.SCORE:
            return f"lowest mean video_r, {-estimate.mean:.3f} {over}"
        return f"largest mean uncertainty, {estimate.mean:.1f} grey levels {over}"
