"""Latency and counts of the closed loop, which page, summary, report and JSON share.

Duties: match each action with its effect by its number, and count actions by name and outcome. The
effect of a command is the flip of the first frame that shows it; that of a trigger is when its
output had taken it, and its device after the delay that the config states. Two latencies:

* reaction: from the middle of the newest scan that contributed to the observation, to the effect;
* content age: from the middle of the displayed frame that the reconstruction estimates, to the
  effect. It contains the lag of the decoder.

Both are known for actions that follow from a reconstruction; actions that are meant for a later
flip (`t_due_ns`) or for the next trial (`set_parameter`) wait on purpose and are left out. It must
not read a log or a clock.

>>> from rtdecode.schema.control import Acknowledgement, Action
>>> loop = LoopLatency()
>>> times = {"t_cause_ns": 20_000_000, "t_scan_ns": 90_000_000}
>>> loop.add(Action(0, "pause", "mine", "sent", "emit/reconstruction", 3,
...                 **times, t_observed_ns=0, t_decided_ns=0))
>>> loop.add(Acknowledgement(0, "applied", "pause", "", 0, t_flip_ns=190_000_000, frame_number=9))
>>> figures = loop.figures()
>>> figures.reaction_ms.max, figures.content_age_ms.max, figures.actions
(100.0, 170.0, {'pause': {'sent': 1}})
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from rtdecode.evaluate.latency import Latencies, StageLatency
from rtdecode.schema.bounded import OTHERS, Table, kept_name
from rtdecode.schema.control import Acknowledgement, Action, ActionName, Delivery, Outcome

_NS_PER_MS = 1e6
_MOST_UNMATCHED = 10_000
"""Actions without an effect so far, and effects without an action, that are kept."""
_MOST_NAMES = 50
"""Actions, outcomes, results and outputs that are counted apart."""
_WITHOUT_REACTION = ("sham", "open_loop")
"""Policies whose actions depend on time alone, whatever they are given."""
_REACTION, _CONTENT_AGE = "reaction_ms", "content_age_ms"
_TO_TRIGGER = "trigger_"
_OUTCOMES: Mapping[str, str] = MappingProxyType(
    {
        "sent": "sent",
        "not_armed": "withheld because the controller was not armed",
        "rate_limited": "withheld by the rate limit",
    }
)
_NAMES = ("The reaction time", "The content age")
_STARTS = ("the newest scan that contributed", "the displayed frame")


@dataclass(frozen=True, slots=True)
class LoopFigures:
    """What a policy did in a session, and how fast; all empty without a policy."""

    policy: str | None = None
    """Name of the policy of the newest action; None without one."""
    actions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Actions by name and outcome: sent, not_armed, rate_limited."""
    command_results: Mapping[str, int] = field(default_factory=dict)
    """Commands by what the stimulus did: applied, late, refused, replaced, withdrawn."""
    deliveries: Mapping[str, int] = field(default_factory=dict)
    """Triggers that each output took."""
    failed_deliveries: Mapping[str, int] = field(default_factory=dict)
    """Triggers that each output did not take."""
    reaction_ms: StageLatency | None = None
    """From the middle of the newest scan to the flip of the frame that reacts."""
    content_age_ms: StageLatency | None = None
    """From the middle of the reconstructed frame to that flip."""
    trigger_reaction_ms: StageLatency | None = None
    """From the middle of the newest scan to the trigger."""
    trigger_content_age_ms: StageLatency | None = None
    """From the middle of the reconstructed frame to the trigger."""
    output_delay_ms: Mapping[str, StageLatency] = field(default_factory=dict)
    """From the decision to the trigger, by output."""

    def sentences(self) -> list[str]:
        """State the figures in words; none without a policy."""
        if self.policy is None:
            return []
        return [self._decided(), *self._commands(), *self._triggers(), *self._latencies()]

    def _decided(self) -> str:
        if not self.actions:
            return f"The policy {self.policy} asked for no action."
        listed = [
            f"{name} ({n:,} {_OUTCOMES.get(outcome, outcome)})"
            for name, outcomes in self.actions.items()
            for outcome, n in outcomes.items()
        ]
        return f"The policy {self.policy} asked for actions: {', '.join(listed)}."

    def _commands(self) -> list[str]:
        if not self.command_results:
            return []
        listed = ", ".join(f"{n:,} {result}" for result, n in self.command_results.items())
        return [f"Of the commands to the stimulus, {listed}."]

    def _triggers(self) -> list[str]:
        stated = [
            f"Triggers that the output {name} took: {self.deliveries[name]:,}, with a median delay "
            f"of {delay.p50:.1f} ms from the decision (99th percentile {delay.p99:.1f} ms)."
            for name, delay in self.output_delay_ms.items()
        ]
        failed = self.failed_deliveries.items()
        return stated + [
            f"Triggers that the output {name} did not take: {n:,}." for name, n in failed
        ]

    def _latencies(self) -> list[str]:
        stated = []
        for effect, *both in (
            ("the flip of the frame that reacts", self.reaction_ms, self.content_age_ms),
            ("the trigger", self.trigger_reaction_ms, self.trigger_content_age_ms),
        ):
            for name, start, found in zip(_NAMES, _STARTS, both, strict=True):
                if found is not None:
                    stated.append(
                        f"{name}, from {start} to {effect}, has a median of {found.p50:.0f} ms and "
                        f"a 99th percentile of {found.p99:.0f} ms (n = {found.n:,})."
                    )
        return stated


@dataclass(frozen=True, slots=True)
class Effect:
    """When an action took effect, and whether it was a trigger."""

    t_ns: int
    is_trigger: bool

    @classmethod
    def of(cls, body: Acknowledgement | Delivery, action: Action) -> "Effect | None":
        """The effect that the stimulus or an output reports; None where there was none."""
        if isinstance(body, Acknowledgement):
            return cls(body.t_flip_ns, is_trigger=False) if body.t_flip_ns > 0 else None
        if body.error or not math.isfinite(body.delay_ms):
            return None
        return cls(action.t_decided_ns + round(body.delay_ms * _NS_PER_MS), is_trigger=True)


def loop_latencies_ms(action: Action, effect: Effect) -> dict[str, float]:
    """Reaction and content age in ms of one action, by the names in `LoopFigures`.

    Empty where the action did not follow from a reconstruction, as those of `sham` and `open_loop`,
    or was meant for a later flip or trial.
    """
    waits = action.t_due_ns > 0 or action.name == ActionName.SET_PARAMETER
    if action.cause_frame < 0 or waits or action.policy in _WITHOUT_REACTION:
        return {}
    before = _TO_TRIGGER if effect.is_trigger else ""
    spans = {before + _CONTENT_AGE: (effect.t_ns - action.t_cause_ns) / _NS_PER_MS}
    if action.t_scan_ns > 0:
        spans[before + _REACTION] = (effect.t_ns - action.t_scan_ns) / _NS_PER_MS
    return spans


class LoopLatency:
    """Counts actions and their effects, in any order of arrival, in bounded memory."""

    def __init__(self) -> None:
        self._policy: str | None = None
        self._actions: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._results: Counter[str] = Counter()
        self._delivered: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._latencies, self._delays = Latencies(), Latencies()
        self._waiting: dict[int, Action] = {}
        self._early: dict[int, Acknowledgement | Delivery] = {}
        """Effects that arrived before their action, which another process sends."""

    def add(self, body: Any) -> None:
        """Count an action, an acknowledgement or a delivery; other messages are ignored."""
        match body:
            case Action():
                self._add_action(body)
            case Acknowledgement():
                self._results[_kept(self._results, body.result)] += 1
                self._match(body)
            case Delivery():
                self._add_delivery(body)

    def figures(self) -> LoopFigures:
        """The figures of all that was added."""
        latencies = self._latencies.summary()
        return LoopFigures(
            policy=self._policy,
            actions={name: dict(counts) for name, counts in self._actions.items()},
            command_results=dict(self._results),
            deliveries=dict(self._delivered),
            failed_deliveries=dict(self._failed),
            output_delay_ms=self._delays.summary(),
            **latencies,
        )

    def _add_action(self, action: Action) -> None:
        self._policy = action.policy
        outcomes = self._actions[_kept(self._actions, action.name)]
        outcomes[_kept(outcomes, action.outcome)] += 1
        if action.outcome != Outcome.SENT:
            return
        self._waiting[action.number] = action
        _drop_oldest(self._waiting)
        if (effect := self._early.pop(action.number, None)) is not None:
            self._match(effect)

    def _add_delivery(self, delivery: Delivery) -> None:
        if delivery.error:
            self._failed[_kept(self._failed, delivery.output)] += 1
        else:
            self._delivered[_kept(self._delivered, delivery.output)] += 1
            self._delays.add({delivery.output: delivery.delay_ms})
        self._match(delivery)

    def _match(self, body: Acknowledgement | Delivery) -> None:
        action = self._waiting.pop(body.number, None)
        if action is None:
            self._early[body.number] = body
            _drop_oldest(self._early)
        elif (effect := Effect.of(body, action)) is not None:
            self._latencies.add(loop_latencies_ms(action, effect))


def _kept(table: Table, name: str) -> str:
    return kept_name(table, name, most=_MOST_NAMES, others=OTHERS)


def _drop_oldest(kept: dict[int, Any]) -> None:
    if len(kept) > _MOST_UNMATCHED:
        del kept[next(iter(kept))]
