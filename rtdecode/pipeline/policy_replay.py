"""Replay of a policy over the recorded reconstructions and scores of a session.

Nothing is decoded anew, and nothing is displayed or triggered: the policy is given the recorded
observations through the same stage as live (`DecisionStage`), and what it asks for is listed. The
policy that ran live gets its own observations in their exact order, and its decisions are compared
with the recorded ones. Another policy is replayed as if it had been armed throughout; it is not
given what became of the commands of the live one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.control.decision_stage import DecisionStage, Given
from rtdecode.control.loading import made_policy, policy_hash, policy_name, single_policy
from rtdecode.control.policy import PolicySetting
from rtdecode.pipeline.policy_setting import policy_setting
from rtdecode.pipeline.recorded_observations import (
    ControllerStarted,
    Turn,
    has_controller,
    made_turns,
    observed_turns,
)
from rtdecode.runtime.config_file import read_config, sections_of, validated
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.control import ControlConfig, PolicyConfig
from rtdecode.schema.control import Acknowledgement, Action, ActionName
from rtdecode.schema.errors import ConfigError
from rtdecode.schema.messages import Event
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader
from rtdecode.session.replay import RecordedClock

_COMPARED = (
    "number", "name", "target", "value", "outcome", "cause", "cause_frame", "t_cause_ns",
    "t_scan_ns", "t_observed_ns", "t_due_ns", "reason", "policy",
)  # fmt: skip
"""Fields of an action that a replay repeats; the time of the decision is that of the computer."""
_WITH_VALUE = frozenset({ActionName.TRIGGER, ActionName.SET_PARAMETER})
_NO_FRAMES = np.zeros((0, 0, 0), np.uint8)


@dataclass(slots=True)
class Comparison:
    """Recorded and replayed actions of the policy that ran live."""

    recorded: int = 0
    identical: int = 0
    difference: str = ""
    """The first one; empty where there is none."""

    def add(self, recorded: tuple[Action, ...], replayed: list[Action]) -> None:
        """Compare the actions of one observation."""
        self.recorded += len(recorded)
        for k in range(max(len(recorded), len(replayed))):
            live = recorded[k] if k < len(recorded) else None
            again = replayed[k] if k < len(replayed) else None
            found = _difference(live, again)
            self.identical += not found
            self.difference = self.difference or found

    def sentence(self) -> str:
        """Whether all are identical, or the first difference."""
        if not self.difference:
            return f"identical to the recorded decisions: {self.identical} of {self.recorded}"
        return (
            f"not identical to the recorded decisions ({self.identical} of {self.recorded} are); "
            f"the first difference: {self.difference}"
        )


@dataclass(slots=True)
class PolicyReplay:
    """What a policy would have done in a recorded session."""

    policy: str
    live_policy: str
    """Name of the policy that ran live; empty where none did."""
    observations: int = 0
    missing: int = 0
    """Observations that the log lacks, or whose message it lacks; the policy was not given them."""
    first_ns: int = 0
    """When the recorder received the first message, the start of the times in reports."""
    actions: list[Action] = field(default_factory=list)
    """Without the frames of show_frames."""
    compared: Comparison | None = None
    """None for another policy than the live one."""
    failure: str = ""
    """Why the policy failed, live or in the replay; empty where it did not."""
    is_cut: bool = False
    """Whether the log ends early, so that what followed is unknown."""
    had_controller: bool = False
    """Whether the config of the session has a controller."""

    def rows(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Of each action time in s since the start of the log, name, outcome, cause, reason."""
        for action in self.actions:
            time_s = (action.t_observed_ns - self.first_ns) / 1e9
            what = " ".join(filter(None, (action.name, action.target)))
            if action.name in _WITH_VALUE:
                what += f" ({action.value:.4g})"
            frame = "" if action.cause_frame < 0 else f" {action.cause_frame}"
            yield f"{time_s:.3f}", what, action.outcome, f"{action.cause}{frame}", action.reason

    def sentences(self) -> Iterator[str]:
        """The summary."""
        counts = dict.fromkeys(sorted({one.outcome for one in self.actions}), 0)
        for action in self.actions:
            counts[action.outcome] += 1
        outcomes = ", ".join(f"{n} {name}" for name, n in counts.items())
        yield (
            f"{self.policy}: {len(self.actions)} actions{f' ({outcomes})' if outcomes else ''} "
            f"in {self.observations:,} observations"
        )
        if self.missing:
            yield f"the log lacks {self.missing:,} further observations, or their messages"
        if self.is_cut:
            yield "the log ends early: what followed is unknown, see `rtdecode recover`"
        if self.failure:
            yield f"the policy failed: {self.failure}"
        if self.compared is not None:
            yield self.compared.sentence()
            if self.missing and self.compared.difference:
                yield "a policy that keeps a state can differ after observations that the log lacks"
        elif self.live_policy:
            differs = ", with other options" if self.policy == self.live_policy else ""
            yield (
                f"the policy of the session was {self.live_policy}{differs}: decisions are not "
                f"compared, and the policy counts as armed throughout"
            )
        else:
            lacks = "log has no message of its" if self.had_controller else "session had no"
            yield f"the {lacks} controller: the policy counts as armed throughout"


def read_policy(path: Path) -> ControlConfig:
    """The policy in a YAML or Python file, with the limits of a section `control` where it has one.

    A YAML file is the config of a run, or has the keys of `control`, or those of `control.policy`.
    A Python file has one class with the method `decide`, which gets no options.

    Raises
    ------
    MissingFileError, ConfigError, PolicyFileError
        If there is no such file, or it states no policy.
    """
    if path.suffix == ".py":
        return ControlConfig(policy=single_policy(path))
    remedy = "give a YAML file with a section control, or the Python file of a policy"
    content, lines = sections_of(path, what="policy", remedy=remedy)
    section: Any = content
    if "control" in content:
        section = content["control"]
        lines = {key[1:]: line for key, line in lines.items() if key[:1] == ("control",)}
    elif "policy" not in content:
        section = {"policy": content}
        lines = {("policy", *key): line for key, line in lines.items()}
    if not isinstance(section, dict):
        raise ConfigError(path=path, mistakes=["control is empty: give it a policy"])
    control = validated(ControlConfig, section, path, lines)
    file = control.policy.file
    if file is None or file.is_absolute():
        return control
    anchored = control.policy.model_copy(update={"file": path.resolve().parent / file})
    return control.model_copy(update={"policy": anchored})


def replay_policy(
    session: SessionLayout,
    control: ControlConfig,
    *,
    setting_of: Callable[[RunConfig], PolicySetting] = policy_setting,
) -> PolicyReplay:
    """Give the recorded observations of `session` to the policy of `control`.

    Parameters
    ----------
    setting_of
        Makes the setting of the policy from the config of the session.

    Raises
    ------
    BadInputError
        If the session or the policy cannot be used.
    """
    config = read_config(session.config)
    setting = setting_of(config)
    live = None if config.control is None else config.control.policy
    is_controlled = has_controller(session.log)
    is_live = is_controlled and live is not None and is_same(control.policy, live)
    if is_live and config.control is not None:
        control = control.model_copy(update={"max_actions_per_s": config.control.max_actions_per_s})
    found = PolicyReplay(
        policy=policy_name(control.policy),
        live_policy=policy_name(live) if is_controlled and live is not None else "",
        first_ns=next((one.t_received_ns for one in LogReader(session.log).logged()), 0),
        compared=Comparison() if is_live else None,
        is_cut=not LogReader(session.log).has_index(),
        had_controller=config.control is not None,
    )
    replay = _Replay(found, lambda first: _stage(control, setting, first))
    turns = observed_turns(session.log) if is_controlled else made_turns(session.log)
    for turn in turns:
        replay.add(turn)
        if found.failure and found.compared is None:
            break
    return found


def is_same(one: PolicyConfig, other: PolicyConfig) -> bool:
    """Whether both are the same policy with the same options, in files of the same content."""
    return (
        (one.name, one.class_name, one.options) == (other.name, other.class_name, other.options)
        and policy_hash(one) == policy_hash(other)
    )  # fmt: skip


def _stage(control: ControlConfig, setting: PolicySetting, first_number: int) -> DecisionStage:
    return DecisionStage(
        made_policy(control.policy, setting),
        policy=policy_name(control.policy),
        max_actions_per_s=control.max_actions_per_s,
        clock=RecordedClock(),
        first_number=first_number,
    )


class _Replay:
    """Gives turns to the stage of decisions, and compares where the policy is the live one."""

    def __init__(self, found: PolicyReplay, made_stage: Callable[[int], DecisionStage]) -> None:
        self._found, self._made_stage = found, made_stage
        self._stage = made_stage(0)
        self._next = 0
        self._is_fresh = True
        self._has_failed = False
        """Whether the policy is called no more until its controller is started again."""

    def add(self, turn: Turn | ControllerStarted) -> None:
        if isinstance(turn, ControllerStarted):
            if self._found.compared is not None and not self._is_fresh:
                first = self._next if turn.first_number is None else turn.first_number
                self._stage, self._is_fresh = self._made_stage(first), True
                self._has_failed = False
            return
        item = turn.given
        if item is None or self._has_failed:
            self._found.missing += turn.lost if item is None else 0
            if self._found.compared is not None:
                self._found.compared.add(turn.recorded, [])
            return
        if self._found.compared is None:
            if isinstance(item.body, Acknowledgement):
                return
            item = replace(item, armed=True)
        self._decide(item, turn)

    def _decide(self, item: Given, turn: Turn) -> None:
        found = self._found
        found.observations += 1
        self._is_fresh = False
        outputs = list(self._stage.step([item]))
        if found.compared is not None and turn.failure:
            # an error of time does not come again in a replay; what followed live is unknown
            found.failure, self._has_failed = found.failure or turn.failure, True
            return
        for failure in (one.text for one in outputs if isinstance(one, Event)):
            found.failure, self._has_failed = found.failure or failure, True
            if (compared := found.compared) is not None:
                compared.difference = compared.difference or "the policy failed in the replay alone"
        actions = [one for one in outputs if isinstance(one, Action)]
        if found.compared is not None:
            found.compared.add(turn.recorded, actions)
        found.actions += [replace(one, frames=_NO_FRAMES) for one in actions]
        self._next = max([self._next, *(one.number + 1 for one in (*actions, *turn.recorded))])


def _difference(live: Action | None, again: Action | None) -> str:
    """What differs between a recorded and a replayed action; empty where nothing does."""
    if live is None or again is None:
        one = again if live is None else live
        side = "only in the replay" if live is None else "only recorded"
        return "" if one is None else f"action {one.number}, {one.name} {one.target}, is {side}"
    for name in _COMPARED:
        recorded, replayed = getattr(live, name), getattr(again, name)
        if recorded != replayed:
            return f"action {live.number}: {name} was {recorded!r}, replayed {replayed!r}"
    if not np.array_equal(live.frames, again.frames):
        return f"action {live.number}: its frames differ"
    return ""
