"""What disarms does so before the next observation, and what is sent is withdrawn then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from rtdecode.control.arming import Arming
from rtdecode.control.decision_stage import DecisionStage
from rtdecode.control.policy import Observation, Request
from rtdecode.pipeline.action_carrier import NOT_CARRIED
from rtdecode.pipeline.control_stage import ControlStage, Surroundings
from rtdecode.runtime.operator_link import OperatorCommand, command_to_controller
from rtdecode.schema.config.control import Arm
from rtdecode.schema.control import Action, Delivery, Observed
from rtdecode.schema.messages import (
    Body,
    Command,
    Event,
    Health,
    Received,
    Reconstruction,
    Score,
    Stamped,
)
from rtdecode.session.replay import RecordedClock

GREY = np.full((2, 2), 128, np.float32)
FRAME = Reconstruction(GREY, GREY, 41, 0, 0, 0, 0, 0, 0, 6, 3, 0.5, True, False)
SCORE = Score(0.8, 0.7, 0.6, 0.0, 10.0, 300, False)
HEARTBEAT = Health("running", "", {})
S = 1_000_000_000
ARM, DISARM = (
    command_to_controller(name, by="a test", t_ns=0, reply_to="tester")
    for name in (OperatorCommand.ARM, OperatorCommand.DISARM)
)


@dataclass
class Carrier:
    """Keeps what it should carry out; `next_effects` are what became of it."""

    carried: list[int] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    withdrawn: int = 0
    next_effects: list[Delivery | Event] = field(default_factory=list)

    def carry(self, action: Action) -> None:
        self.carried.append(action.number)

    def refuse(self, action: Action, why: str) -> None:
        self.refused.append(f"{action.number}: {why}")

    def withdraw(self) -> None:
        self.withdrawn += 1

    def effects(self) -> Sequence[Delivery | Event]:
        effects, self.next_effects = self.next_effects, []
        return effects


class Scene:
    """A controller whose policy fires at each score, and all that it meets."""

    def __init__(self, *, arm: Arm = Arm.BY_HAND, decide: Any = None, **limits: Any) -> None:
        self.clock, self.carrier = RecordedClock(), Carrier()
        self.answers: list[Command] = []
        self.kept: list[tuple[int, int]] = []
        self.commands: list[Command] = []
        self.lost: list[str] = []
        self.ends = False
        self.supervisor_ns = 0
        policy = type("Fires", (), {"decide": staticmethod(decide or fire_at_scores)})()
        decisions = DecisionStage(policy, policy="fires", max_actions_per_s=2.0, clock=self.clock)
        self.stage = ControlStage(
            decisions,
            Arming(**({"dead_man_s": None, "silence_s": 2.0} | limits)),
            self.carrier,  # type: ignore[arg-type]
            Surroundings(
                clock=self.clock,
                commands=lambda: self._emptied(self.commands),
                answer=self.answers.append,
                lost=lambda: self._emptied(self.lost),
                supervisor_ns=lambda: self.supervisor_ns,
                is_ending=lambda: self.ends,
                keep=lambda number, armed: self.kept.append((number, armed)),
            ),
            max_actions_per_s=2.0,
            arm=arm,
        )
        self.recorded: list[Body] = []

    def at(self, t_s: float, *bodies: Body, source: str = "evaluate") -> list[Body]:
        """What is recorded when these bodies are received at `t_s`."""
        self.clock.sleep_until(round(t_s * S))
        now_ns = self.clock.now_ns()
        items = [
            Received(
                Stamped("events" if body is HEARTBEAT else source, n, now_ns, "host", body), now_ns
            )
            for n, body in enumerate(bodies)
        ]
        out = list(self.stage.step(items))
        self.recorded += out
        return out

    def armed(self) -> "Scene":
        self.at(0.0, HEARTBEAT)
        self.commands.append(ARM)
        assert events(self.at(0.0)) == ["armed"]
        return self

    @staticmethod
    def _emptied(items: list[Any]) -> list[Any]:
        taken = [*items]
        items.clear()
        return taken


def fire_at_scores(observation: Observation) -> list[Request]:
    return [Request.trigger("laser")] if isinstance(observation.body, Score) else []


def events(recorded: Sequence[Body]) -> list[str]:
    return [body.code for body in recorded if isinstance(body, Event)]


def outcomes(recorded: Sequence[Body]) -> list[str]:
    return [body.outcome for body in recorded if isinstance(body, Action)]


def test_nothing_is_carried_out_before_a_person_armed() -> None:
    scene = Scene()
    assert outcomes(scene.at(0.0, HEARTBEAT, SCORE)) == ["not_armed"]
    assert scene.carrier.carried == []
    scene.armed()
    assert outcomes(scene.at(0.1, SCORE)) == ["sent"]
    assert scene.carrier.carried == [1]
    (answer,) = scene.answers
    assert (answer.target, answer.name, answer.value) == ("tester", "accepted", "armed by a test")


def test_each_change_of_the_arming_is_observed_at_once() -> None:
    scene = Scene().armed()
    scene.commands += [DISARM, ARM]
    out = scene.at(0.05)
    kinds = [
        body.code if isinstance(body, Event) else body.armed
        for body in out
        if isinstance(body, Event | Observed)
    ]
    assert kinds == ["disarmed", False, "armed", True]
    assert scene.carrier.withdrawn == 1


def test_a_loss_in_the_middle_of_a_batch_comes_before_the_next_observation() -> None:
    scene = Scene(decide=lambda seen: scene_loses(scene, seen))
    scene.armed()
    out = scene.at(0.1, SCORE, SCORE)
    assert outcomes(out) == ["sent", "not_armed"]
    assert events(out) == ["disarmed"]
    assert scene.carrier.withdrawn == 1


def scene_loses(scene: Scene, seen: Observation) -> list[Request]:
    """The recorder ends while the policy decides about the first score."""
    if isinstance(seen.body, Score) and seen.armed:
        scene.lost.append("recorder")
    return fire_at_scores(seen)


def test_what_disarms_while_the_policy_decides_holds_its_action_back() -> None:
    scene = Scene(decide=lambda seen: scene_is_checked(scene, seen))
    scene.armed()
    out = scene.at(0.1, SCORE)
    assert scene.carrier.carried == []
    assert scene.carrier.refused == ["0: the controller was disarmed while the policy decided"]
    # the decision follows from the observation, which was armed, so that a replay repeats it
    assert outcomes(out) == ["sent"]
    assert events(out) == ["disarmed"]
    assert scene.carrier.withdrawn == 1


def scene_is_checked(scene: Scene, seen: Observation) -> list[Request]:
    """A person disarms while the policy decides about an armed score."""
    if isinstance(seen.body, Score) and seen.armed:
        scene.commands.append(DISARM)
        scene.stage.check()
        assert scene.answers[-1].value == "disarmed: by a test"
    return fire_at_scores(seen)


def disconnected(scene: Scene) -> None:
    scene.lost.append("decoder")


def silent(scene: Scene) -> None:
    scene.at(1.5)
    scene.clock.sleep_until(3 * S)


def unanswered(scene: Scene) -> None:
    scene.supervisor_ns = 1
    for tenth in range(1, 22):
        scene.at(tenth / 10, HEARTBEAT)


def still(scene: Scene) -> None:
    scene.at(0.1, HEARTBEAT)
    scene.clock.sleep_until(4 * S)
    # what waited for a controller that was stopped arrives as it goes on
    scene.at(4.0, HEARTBEAT, HEARTBEAT)


def ending(scene: Scene) -> None:
    scene.ends = True


def undelivered(scene: Scene) -> None:
    scene.carrier.next_effects.append(Delivery(0, "laser", 1, 0.0, "the port is gone"))


def not_taken(scene: Scene) -> None:
    scene.carrier.next_effects.append(Event("alarm", "controller", NOT_CARRIED, "no answer"))


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (disconnected, "the connection to the decoder was lost"),
        (silent, "no heartbeat of the recorder for 3.0 s"),
        (unanswered, "no answer of the supervisor, through which a person disarms, for 2.1 s"),
        (still, "the controller itself stood still for 3.9 s"),
        (ending, "the run ends"),
        (undelivered, "the port is gone"),
        (not_taken, "no answer"),
    ],
)
def test_what_disarms_is_recorded_with_its_cause_and_withdraws(
    cause: Callable[[Scene], None], said: str
) -> None:
    scene = Scene().armed()
    cause(scene)
    scene.at(0.2)
    disarmed = [
        body for body in scene.recorded if isinstance(body, Event) and body.code == "disarmed"
    ]
    assert [event.text for event in disarmed] == [f"disarmed: {said}"]
    assert scene.carrier.withdrawn == 1
    assert scene.stage.counters()["armed"] == 0.0
    assert scene.kept[-1] == (0, 0)


def test_frames_that_are_old_when_they_come_do_not_keep_it_armed() -> None:
    scene = Scene().armed()
    scene.at(0.1, HEARTBEAT, replace(FRAME, t_ready_ns=S // 10), source="ready")
    out = scene.at(2.5, HEARTBEAT, replace(FRAME, t_ready_ns=S // 5), source="ready")
    assert "disarmed" in events(out)


def test_the_config_arms_with_a_warning_once_the_recorder_is_there() -> None:
    scene = Scene(arm=Arm.AT_START)
    assert events(scene.at(0.0)) == []
    out = scene.at(0.1, HEARTBEAT)
    (event,) = (body for body in out if isinstance(body, Event))
    assert (event.code, event.severity) == ("armed", "warning")
    scene.commands.append(DISARM)
    assert events(scene.at(0.2)) == ["disarmed"]
    assert events(scene.at(0.3, HEARTBEAT)) == []


@pytest.mark.parametrize("before", [[DISARM], [ARM, DISARM]])
def test_a_person_who_disarms_before_the_config_arms_is_obeyed(before: list[Command]) -> None:
    scene = Scene(arm=Arm.AT_START)
    scene.commands += before
    scene.at(0.0)
    scene.at(0.1, HEARTBEAT, SCORE)
    assert outcomes(scene.recorded) == ["not_armed"]


@pytest.mark.parametrize("arm", Arm)
def test_nothing_arms_while_the_run_ends(arm: Arm) -> None:
    scene = Scene(arm=arm)
    scene.ends = True
    scene.commands.append(ARM)
    assert outcomes(scene.at(0.0, HEARTBEAT, SCORE)) == ["not_armed"]
    assert (scene.answers[-1].name, scene.answers[-1].value) == ("refused", "the run ends")


def test_an_old_command_disarms_and_does_not_arm() -> None:
    scene = Scene().armed()
    for t_s in range(1, 9):
        scene.at(float(t_s), HEARTBEAT)
    # both were given at 0 s
    scene.commands += [DISARM, ARM]
    assert events(scene.at(8.1, HEARTBEAT)) == ["disarmed"]
    assert "8.1 s after it was given" in scene.answers[-1].value


def test_a_renewal_renews_and_never_arms() -> None:
    renew = command_to_controller(OperatorCommand.RENEW, by="a test", t_ns=0, reply_to="tester")
    scene = Scene(dead_man_s=5.0).armed()
    scene.commands.append(renew)
    assert events(scene.at(0.1)) == ["dead_man_renewed"]
    # somebody disarmed before the page of somebody else knew
    scene.commands += [DISARM, renew]
    assert events(scene.at(0.2, HEARTBEAT)) == ["disarmed"]
    assert (scene.answers[-1].name, scene.answers[-1].value) == ("refused", "it is not armed")


def test_heartbeats_that_waited_for_the_start_are_no_silence() -> None:
    scene = Scene(arm=Arm.AT_START)
    scene.clock.sleep_until(10 * S)
    waited = [Stamped("events", n, 0, "host", HEARTBEAT) for n in range(2)]
    received_ns = (round(8.015 * S), round(9.9 * S))
    late = list(map(Received, waited, received_ns))
    # time passes while the batch is worked through
    scene.stage._arming.arm = slowed(scene.stage._arming.arm, scene.clock)  # type: ignore[method-assign]
    assert events(list(scene.stage.step(late))) == ["armed"]


def slowed(arm: Any, clock: RecordedClock) -> Any:
    def armed(by: str, **given: Any) -> Any:
        change = arm(by, **given)
        clock.sleep_until(clock.now_ns() + S // 100)
        return change

    return armed


def failing(observation: Observation) -> list[Request]:
    if isinstance(observation.body, Score):
        raise KeyError("contrast")
    return []


def test_a_policy_that_fails_disarms_and_the_session_goes_on() -> None:
    scene = Scene(decide=failing).armed()
    out = scene.at(0.1, SCORE, SCORE)
    assert events(out) == ["policy_failed", "disarmed"]
    assert not any(isinstance(body, Observed) for body in scene.at(0.5, HEARTBEAT, SCORE))
    scene.commands.append(ARM)
    assert events(scene.at(0.6)) == []
    assert scene.answers[-1].name == "refused"
    assert "KeyError: 'contrast'" in scene.answers[-1].value


def test_the_number_of_an_action_is_kept_before_it_acts() -> None:
    scene = Scene().armed()
    at_carrying = list[tuple[int, int]]()

    def carry(action: Action) -> None:
        at_carrying.append((action.number, scene.kept[-1][0]))

    scene.carrier.carry = carry  # type: ignore[method-assign]
    scene.at(0.1, SCORE, SCORE, SCORE)
    assert at_carrying == [(0, 1), (1, 2)]
    # that of a withheld one is in the log too
    assert scene.kept[-1] == (3, 1)
    assert events(scene.recorded) == ["armed", "actions_withheld"]


def test_session_time_is_given_each_tenth_of_a_second() -> None:
    scene = Scene()
    for step in range(100):
        scene.at(step * 0.01)
    times = [body for body in scene.recorded if isinstance(body, Observed)]
    assert [body.number for body in times] == list(range(1, 11))
