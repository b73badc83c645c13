"""What the report shows of each policy beside its actions, computed from the log of the session.

A policy that compares a signal with a threshold is called again with the recorded observations, and
its signal is drawn. For policies that choose clips the presentations are scored; for `show_back`
the responses to what was shown back are compared. Clips are those that the log has as displayed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from rtdecode.control.policies.presentations import PresentationScores, Screen
from rtdecode.control.policies.template_match import TemplateMatch
from rtdecode.control.policies.threshold import Threshold
from rtdecode.control.policy import Observation, Policy, PolicySetting
from rtdecode.evaluate.metrics import Interval
from rtdecode.evaluate.response_similarity import (
    ClipResponses,
    ShownBackSimilarity,
    shown_back_similarity,
)
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.report.closed_loop import ActionRow, chosen_clips
from rtdecode.report.closed_loop_figures import PolicyPanels, Signal
from rtdecode.report.policy_figures import score_by_clip, scores_over_time, similarities
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import BadInputError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import DisplayedFrame, Reconstruction, Score, Stamped

_NS_PER_S = 1e9
_SHORTEST_S = 1.0
"""Presentations with fewer compared seconds are not scored, as by default in the policies."""
_LABELS: Mapping[str, str] = {
    "score": "video r",
    "uncertainty": "uncertainty, grey levels",
    "luminance": "luminance, grey levels",
    "template": "correlation with the template",
}


class PolicyView(Protocol):
    """Collects from a log what the report shows of a policy."""

    kinds: Sequence[str]
    """Ends of the streams that it needs, beside those of actions and displayed frames."""

    def add(self, message: Stamped) -> None: ...

    def panels(self, rows: Sequence[ActionRow], *, zero_ns: int) -> PolicyPanels:
        """The panels, with times in s after `zero_ns`."""
        ...


def policy_view(config: RunConfig, frames: Iterable[DisplayedFrame]) -> PolicyView:
    """The view of the policy of `config`, with `frames` as displayed in the session."""
    control = config.control
    name = "" if control is None else control.policy.name
    options = {} if control is None else dict(control.policy.options)
    if name in ("threshold", "template_match"):
        return SignalView(name, options, _setting(config, frames))
    if name == "show_back":
        return ShownBackView(config)
    return ScoreView(config, target=options.get("target") if name == _ADAPTIVE else None)


_ADAPTIVE = "adaptive_parameter"


def _setting(config: RunConfig, frames: Iterable[DisplayedFrame]) -> PolicySetting:
    """A setting whose clips are those that were displayed, as far as they were."""
    found: dict[str, dict[int, NDArray[np.uint8]]] = defaultdict(dict)
    for frame in frames:
        found[frame.clip].setdefault(frame.index, frame.luminance)
    clips = {name: np.stack([by[k] for k in sorted(by)]) for name, by in found.items()}
    return PolicySetting(
        frame_rate_hz=config.frame_rate_hz,
        clips=tuple(clips),
        screen_mask=scoring_mask(config),
        seed=config.stimulus.seed,
        clip_frames=clips.__getitem__,
        earlier_actions_s=lambda _folder: (),
    )


class SignalView:
    """The signal that `threshold` or `template_match` compares with its threshold."""

    kinds: Sequence[str] = ("/reconstruction", "/score")

    def __init__(self, name: str, options: Mapping[str, Any], setting: PolicySetting) -> None:
        self._name, self._options = name, options
        self._values: list[tuple[int, float]] = []
        self._policy: Policy | None = None
        self._why = ""
        try:
            self._policy = {"threshold": Threshold, "template_match": TemplateMatch}[name](
                setting, **options
            )
        except BadInputError as error:
            self._why = f"The signal of the policy is not drawn: {error}"

    def add(self, message: Stamped) -> None:
        body = message.body
        if self._policy is None or not isinstance(body, Reconstruction | Score):
            return
        t_ns = body.t_frame_mid_ns if isinstance(body, Reconstruction) else message.t_ns
        self._policy.decide(Observation(t_ns, body))
        value = _compared(self._policy, body)
        if value is not None:
            self._values.append((t_ns, value))

    def panels(self, rows: Sequence[ActionRow], *, zero_ns: int) -> PolicyPanels:
        if not self._values:
            return PolicyPanels(sentences=[self._why] if self._why else [])
        t_ns, values = zip(*self._values, strict=True)
        t_s = (np.array(t_ns) - zero_ns) / _NS_PER_S
        return PolicyPanels(signal=Signal(self._label(), t_s, np.array(values), self._thresholds()))

    def _label(self) -> str:
        if self._name == "template_match":
            return "correlation with the best clip"
        return _LABELS[str(self._options.get("quantity", "score"))]

    def _thresholds(self) -> list[tuple[str, float]]:
        default = {"above": 0.5} if self._name == "template_match" else {}
        given = default | {k: v for k, v in self._options.items() if k in ("above", "below")}
        return [(side, float(value)) for side, value in given.items() if value is not None]


def _compared(policy: Policy, body: Reconstruction | Score) -> float | None:
    """What `policy` compared with its threshold after it was given `body`."""
    if isinstance(policy, Threshold):
        return policy.value
    if isinstance(policy, TemplateMatch) and isinstance(body, Reconstruction):
        return None if policy.identified is None else policy.identified.r
    return None


class ScoreView:
    """The score of each presentation: by clip, or over time where a target is held."""

    kinds: Sequence[str] = ("/reconstruction",)

    def __init__(self, config: RunConfig, *, target: float | None) -> None:
        self._target = target
        self._screen = Screen(config.frame_rate_hz)
        shortest = max(1, round(_SHORTEST_S * config.frame_rate_hz))
        self._scores = PresentationScores(scoring_mask(config), shortest_frames=shortest)
        self._found: list[tuple[int, str, float]] = []

    def add(self, message: Stamped) -> None:
        body = message.body
        if isinstance(body, DisplayedFrame):
            self._screen.add(body)
        elif isinstance(body, Reconstruction):
            ended = self._scores.add(body, self._screen.at(body.t_frame_mid_ns))
            if ended is not None and np.isfinite(ended.video_r):
                self._found.append((ended.t_start_ns, ended.clip, ended.video_r))

    def panels(self, rows: Sequence[ActionRow], *, zero_ns: int) -> PolicyPanels:
        if self._target is not None:
            return self._over_time(rows, self._target, zero_ns=zero_ns)
        by_clip: dict[str, list[float]] = defaultdict(list)
        for _, clip, video_r in self._found:
            by_clip[clip].append(video_r)
        chosen = chosen_clips(rows)
        return PolicyPanels(draw=lambda axes: score_by_clip(axes, by_clip, chosen))

    def _over_time(self, rows: Sequence[ActionRow], target: float, *, zero_ns: int) -> PolicyPanels:
        t_s = [(t_ns - zero_ns) / _NS_PER_S for t_ns, _, _ in self._found]
        values = [video_r for _, _, video_r in self._found]
        return PolicyPanels(
            signal=_parameter(rows, zero_ns=zero_ns),
            draw=lambda axes: scores_over_time(axes, t_s, values, target=target),
        )


def _parameter(rows: Sequence[ActionRow], *, zero_ns: int) -> Signal | None:
    """The value of the parameter from each flip at which it was set."""
    found = [
        (row.effect.t_ns, row.action.value)
        for row in rows
        if row.effect is not None and row.action.name == "set_parameter"
    ]
    if not found:
        return None
    t_s = np.array([(t_ns - zero_ns) / _NS_PER_S for t_ns, _ in found])
    values = np.array([value for _, value in found])
    # a value holds until the next one
    steps = np.repeat(t_s, 2)[1:], np.repeat(values, 2)[:-1]
    return Signal(rows[0].action.target, *steps)


class ShownBackView:
    """Similarity of the responses to what was shown back and to the originals."""

    kinds: Sequence[str] = ("/responses",)

    def __init__(self, config: RunConfig) -> None:
        self._responses = ClipResponses(FrameGrid(config.frame_rate_hz))
        self._rate_hz, self._seed = config.frame_rate_hz, config.stimulus.seed

    def add(self, message: Stamped) -> None:
        self._responses.add(message)

    def panels(self, rows: Sequence[ActionRow], *, zero_ns: int) -> PolicyPanels:
        found = shown_back_similarity(
            self._responses.presented(),
            frame_rate_hz=self._rate_hz,
            rng=np.random.default_rng(abs(self._seed)),
        )
        if found is None:
            missing = "Fewer than two clips were displayed both as original and shown back."
            return PolicyPanels(sentences=[missing])
        return PolicyPanels(
            draw=lambda axes: _draw_similarity(axes, found), sentences=[_sentence(found)]
        )


def _draw_similarity(axes: Axes, found: ShownBackSimilarity) -> None:
    rows: list[tuple[str, Interval]] = [
        ("same clip again", found.ceiling),
        ("shown back", found.shown_back),
        ("sham: another clip,\nshown back", found.sham),
        ("shown back − sham", found.effect),
    ]
    known = [(label, one) for label, one in rows if np.isfinite(one.mean)]
    similarities(axes, known, title="similarity to the responses to the original")


def _sentence(found: ShownBackSimilarity) -> str:
    effect = found.effect
    return (
        f"The responses to a reconstruction that was shown back agree with those to its original "
        f"with r {found.shown_back.mean:.3f}, those to the reconstruction of another clip (sham) "
        f"with r {found.sham.mean:.3f}: a difference of {effect.mean:.3f} (95 % interval "
        f"{effect.low:.3f} to {effect.high:.3f}), over {found.n_clips} clips and "
        f"{found.n_seconds} seconds of them."
    )
