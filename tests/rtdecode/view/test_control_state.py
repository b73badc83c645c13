"""The page states whether the controller is armed, who did it, and what its last action did."""

from dataclasses import replace
from typing import Any

import pytest

from rtdecode.schema.config.control import ControlConfig
from rtdecode.schema.control import Acknowledgement, Action, Delivery
from rtdecode.schema.messages import Body, Event, Health, Received, Stamped, Start
from rtdecode.view.control_state import ControlState

S = 1_000_000_000
ACTION = Action(4, "show_clip", "threshold", "sent", "emit/reconstruction", 41, 0, 0, 0, 0, "owl")


class Scene:
    def __init__(self, clock: Any) -> None:
        self.clock, self.state = clock, ControlState(clock=clock)

    def told(self, body: Body, *, t_ns: int | None = None, source: str = "controller") -> Any:
        now_ns = self.clock.now_ns()
        message = Stamped(source, 0, now_ns if t_ns is None else t_ns, "host", body)
        self.state.add(Received(message, now_ns))
        return self.state.as_json()


@pytest.fixture
def scene(rig: Any) -> Scene:
    return Scene(rig.clock)


def heartbeat(**counters: float) -> Health:
    return Health("running", "", {"armed": 0.0, "actions": 0.0, "withheld": 0.0} | counters)


def armed(text: str = "armed by the page") -> Event:
    return Event("info", "controller", "armed", text)


def test_without_a_controller_the_page_states_nothing(scene: Scene) -> None:
    assert scene.told(Health("running", "", {}), source="decoder") is None


def test_who_armed_and_what_disarmed_it_is_stated_at_once(scene: Scene) -> None:
    assert scene.told(heartbeat())["armed"] is False
    scene.clock.t_ns += S
    found = scene.told(armed())
    assert (found["armed"], found["text"]) == (True, "armed by the page")
    scene.clock.t_ns += S
    lost = Event("alarm", "controller", "disarmed", "disarmed: the recorder was lost")
    found = scene.told(lost)
    assert (found["armed"], found["text"]) == (False, "disarmed: the recorder was lost")


def test_an_event_that_comes_again_later_does_not_change_the_arming(scene: Scene) -> None:
    scene.told(heartbeat())
    first_ns = scene.clock.t_ns
    scene.told(armed())
    scene.clock.t_ns += S
    scene.told(Event("info", "controller", "disarmed", "disarmed: by the page"))
    # as the recorder sends it to a page that connects again
    found = scene.told(armed(), t_ns=first_ns, source="controller")
    assert (found["armed"], found["text"]) == (False, "disarmed: by the page")


def test_heartbeats_correct_what_the_page_missed(scene: Scene) -> None:
    found = scene.told(heartbeat(armed=1.0, actions=7.0, withheld=2.0, dead_man_left_s=4.5))
    assert (found["armed"], found["sent"], found["withheld"]) == (True, 5, 2)
    assert found["dead_man_left_s"] == 4.5
    assert scene.told(heartbeat(actions=7.0, withheld=2.0))["dead_man_left_s"] is None


def test_a_controller_that_sends_nothing_is_silent(scene: Scene) -> None:
    assert scene.told(heartbeat())["silent_s"] is None
    scene.clock.t_ns += 4 * S
    assert scene.state.as_json()["silent_s"] == 4.0  # type: ignore[index]


@pytest.mark.parametrize(
    ("action", "effect", "said"),
    [
        (ACTION, None, "sent"),
        (replace(ACTION, outcome="not_armed"), None, "withheld: not armed"),
        (
            ACTION,
            Acknowledgement(4, "applied", "show_clip", "owl", S, S + S // 50, 9),
            "applied, displayed 20 ms after it was received",
        ),
        (
            ACTION,
            Acknowledgement(4, "refused", "show_clip", "owl", S, 0, -1, "there is no clip 'owl'"),
            "refused: there is no clip 'owl'",
        ),
        (ACTION, Delivery(4, "laser", S, 1.26), "out after 1.3 ms"),
        (ACTION, Delivery(4, "laser", S, 0.0, "the port is gone"), "failed: the port is gone"),
        (ACTION, Acknowledgement(3, "applied", "show_clip", "owl", S, S, 9), "sent"),
    ],
)
def test_the_last_action_has_its_cause_and_its_effect(
    scene: Scene, action: Action, effect: Body | None, said: str
) -> None:
    scene.told(heartbeat())
    found = scene.told(action)
    if effect is not None:
        found = scene.told(effect, source="stimulus")
    assert found["last"] == {
        "what": "show_clip owl",
        "cause": "after emit/reconstruction (frame 41)",
        "effect": said,
    }
    assert found["policy"] == "threshold"


def test_the_policy_is_named_before_it_acts(scene: Scene) -> None:
    scene.told(heartbeat())
    start = Start("s", "", "", "", {"policy": "show_back"})
    assert scene.told(start)["policy"] == "show_back"


def test_the_last_actions_are_listed_with_cause_effect_and_latency(scene: Scene) -> None:
    scene.told(Start("s", "", "", ""), source="supervisor", t_ns=0)
    scene.told(heartbeat())
    for number in range(15):
        at_ns = (number + 1) * S
        scene.told(replace(ACTION, number=number, t_scan_ns=at_ns, t_decided_ns=at_ns))
    flip = Acknowledgement(13, "applied", "show_clip", "owl", 14 * S, 14 * S + 90_000_000, 7)
    found = scene.told(flip)["recent"]
    assert [one["number"] for one in found] == list(range(14, 2, -1))
    assert (found[1]["ms"], found[1]["t_s"]) == (90, 14)
    assert found[1]["effect"].startswith("applied, displayed 90 ms")
    assert (found[0]["ms"], found[0]["effect"]) == (None, "sent")
    assert found[0]["cause"] == "after emit/reconstruction (frame 41)"


def test_policy_and_limits_are_stated_as_in_the_config(rig: Any) -> None:
    config = ControlConfig.model_validate(
        {"policy": {"name": "threshold", "options": {"above": 140}}, "dead_man_s": 30}
    )
    state = ControlState(clock=rig.clock, config=config)
    now_ns = rig.clock.now_ns()
    state.add(Received(Stamped("controller", 0, now_ns, "host", heartbeat()), now_ns))
    found = state.as_json()
    assert found is not None
    assert {"above": "140", "dead_man_s": "30"}.items() <= found["parameters"].items()
