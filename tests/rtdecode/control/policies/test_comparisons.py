"""Open loop and sham act without looking: what they do does not depend on what is decoded."""

from collections import Counter

import numpy as np
import pytest
from simulated_loop import Record, simulate
from toy_loop import ToyRig, displayed, observed, toy_clips, toy_setting

from rtdecode.control.policies import POLICIES
from rtdecode.control.policies.comparisons import OpenLoop, Sham
from rtdecode.control.policies.options import OptionCheck
from rtdecode.control.policies.presentations import Screen
from rtdecode.control.policy import Observation, Request
from rtdecode.schema.control import ActionName
from rtdecode.schema.errors import PolicyOptionValueError

CLIPS = toy_clips(5)
EARLIER = [(2.0, Request.trigger("ttl", value=3.0)), (0.5, Request.show_clip("clip1"))]


def session(policy: OpenLoop, rig_seed: int) -> Record:
    setting = toy_setting(CLIPS, seed=3)
    return simulate(policy, ToyRig(rig_seed), CLIPS, setting=setting, seconds=42)


def test_open_loop_displays_each_clip_equally_often_whatever_is_decoded() -> None:
    sessions = [session(OpenLoop(toy_setting(CLIPS, seed=3)), rig) for rig in (1, 2)]
    asked = [[request.target for _, request in one.requests] for one in sessions]
    assert asked[0] == asked[1]
    counts = Counter(asked[0][:20])
    assert max(counts.values()) - min(counts.values()) <= 1
    assert all(a != b for a, b in zip(asked[0], asked[0][1:], strict=False))


def test_random_triggers_have_the_mean_interval_and_need_arming() -> None:
    policy = OpenLoop(toy_setting(CLIPS), action="trigger", target="ttl", every_s=0.5)
    times = [
        t for t in range(40_000) if policy.decide(Observation(t * 10_000_000, None, armed=True))
    ]
    # 400 s at 2 a second: 800 ± 28, less what the steps of 10 ms leave out
    assert 650 < len(times) < 900
    assert not policy.decide(Observation(10**12, None, armed=False))


def test_random_values_are_within_their_range() -> None:
    policy = OpenLoop(
        toy_setting(CLIPS), action="set_parameter", target="contrast", every_s=1, low=0.2, high=0.4
    )
    requests = [r for o in observed([None] * 300, step_s=0.1) for r in policy.decide(o)]
    assert len(requests) == 29
    assert all(r.name is ActionName.SET_PARAMETER and 0.2 <= r.value <= 0.4 for r in requests)
    assert np.std([r.value for r in requests]) > 0.03


def test_sham_repeats_the_actions_at_their_times_after_arming_and_again_after_another() -> None:
    policy = Sham(toy_setting(CLIPS, earlier=lambda _: EARLIER), session="before")
    armed = [(0.0, 0.0), (1.0, 1.0), (1.6, 0.0), (2.1, 0.5), (3.5, 1.9), (3.6, 2.0)]
    found = [
        policy.decide(Observation(round(t_s * 1e9), None, armed_for_s > 0, armed_for_s))
        for t_s, armed_for_s in armed
    ]
    assert [[r.target for r in one] for one in found] == [
        [], ["clip1"], [], ["clip1"], [], ["ttl"]
    ]  # fmt: skip
    (repeated,) = found[-1]
    assert (repeated.name, repeated.value) == (ActionName.TRIGGER, 3.0)
    assert repeated.reason == "2.00 s after arming, as in before"


def test_a_session_without_actions_is_no_model_for_a_sham() -> None:
    with pytest.raises(PolicyOptionValueError, match="a session with actions that were sent"):
        Sham(toy_setting(CLIPS), session="before")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"action": "pause"}, "one of show_clip, trigger, set_parameter"),
        ({"action": "trigger"}, "target .* a text"),
        ({"every_s": 0}, "a number above 0"),
        ({"low": 2, "high": 1}, "high .* of at least 2"),
        ({"every_s": True}, "a number"),
        ({"lead_s": float("nan")}, "lead_s"),
    ],
)
def test_options_that_cannot_be_used_are_named(options: dict[str, object], said: str) -> None:
    with pytest.raises(PolicyOptionValueError, match=said):
        OpenLoop(toy_setting(CLIPS), **options)  # type: ignore[arg-type]


def test_a_number_may_have_an_upper_limit_alone() -> None:
    with pytest.raises(PolicyOptionValueError, match="a number of at most 3"):
        OptionCheck("mine").number("x", 4, high=3)


def test_each_policy_of_rtdecode_has_its_name() -> None:
    assert sorted(POLICIES) == [
        "adaptive_parameter", "hardest_next", "open_loop", "sham", "show_back", "template_match",
        "threshold",
    ]  # fmt: skip


def test_the_screen_knows_what_it_displayed_and_that_a_gap_is_none() -> None:
    screen = Screen(30.0)
    frames = [
        displayed("a", 0, 0),
        displayed("a", 1, 1),
        displayed("a", 0, 2),
        displayed("b", 0, 9),
    ]
    assert [screen.add(one).presentation for one in frames] == [0, 0, 1, 2]
    found = [screen.at(round(t_s * 1e9)) for t_s in (0.01, 0.05, 0.08, 0.2, 0.31, -0.1)]
    assert [one and (one.clip, one.index) for one in found] == [
        ("a", 0), ("a", 1), ("a", 0), None, ("b", 0), None
    ]  # fmt: skip
