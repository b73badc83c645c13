"""A staircase finds and holds the value at which the score has its target."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from simulated_loop import Record, simulate
from toy_loop import ToyRig, toy_clips, toy_setting

from rtdecode.control.policies.adaptive_parameter import (
    AdaptiveParameter,
    Direction,
    Scale,
    Staircase,
)
from rtdecode.control.policies.comparisons import OpenLoop
from rtdecode.control.policies.presentations import PresentationScores, Screen
from rtdecode.control.policy import Policy, PolicySetting
from rtdecode.schema.errors import PolicyOptionValueError
from rtdecode.schema.messages import DisplayedFrame, Reconstruction

CLIPS = toy_clips(4)
TARGET = 0.5
OPTIONS = {
    "parameter": "contrast", "target": TARGET, "start": 1.0, "low": 0.05, "high": 1.0,
    "gain": 3.0, "scale": "log",
}  # fmt: skip


def staircase(start: float, **changed: object) -> Staircase:
    options = {
        "low": 0.0, "high": 1.0, "target": 0.6, "gain": 0.5, "smallest_gain": 0.0,
        "direction": Direction.RISING, "scale": Scale.LINEAR, **changed,
    }  # fmt: skip
    return Staircase(start, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(10))
def test_it_converges_to_the_root_of_a_noisy_function(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = staircase(0.9)
    for _ in range(3000):
        steps.add(steps.value**2 + rng.normal(0, 0.05))
    # the variance of the estimate falls as 1 / n; 0.02 is more than ten standard errors
    assert steps.value == pytest.approx(math.sqrt(0.6), abs=0.02)


def test_steps_shrink_at_sign_changes_alone() -> None:
    steps = staircase(0.5, gain=0.1)
    assert steps.add(0.4) == pytest.approx(0.52)
    assert steps.add(0.4) == pytest.approx(0.54)
    assert steps.add(0.8) == pytest.approx(0.53)  # the first sign change halves the gain
    assert steps.add(0.8) == pytest.approx(0.52)
    assert steps.add(0.4) == pytest.approx(0.52 + 0.1 / 3 * 0.2)


def test_a_falling_dependence_and_the_limits_of_the_range() -> None:
    assert staircase(0.5, gain=0.1, direction=Direction.FALLING).add(0.4) == pytest.approx(0.48)
    assert staircase(0.5, gain=100.0).add(0.0) == 1.0
    logarithmic = staircase(0.5, gain=1.0, low=0.01, scale=Scale.LOG)
    assert logarithmic.add(0.7) == pytest.approx(0.5 * math.exp(-0.1))


def session(policy: Callable[[PolicySetting], Policy], seed: int, seconds: float = 120) -> Record:
    setting = toy_setting(CLIPS, seed=seed)
    return simulate(policy(setting), ToyRig(seed), CLIPS, setting=setting, seconds=seconds)


def errors(record: Record, *, from_s: float) -> list[float]:
    """|score − target| of the presentations after `from_s`."""
    screen, scores, found = (
        Screen(30.0),
        PresentationScores(np.ones((12, 16), bool), shortest_frames=30),
        [],
    )
    for observation in record.observations:
        body = observation.body
        if isinstance(body, DisplayedFrame):
            screen.add(body)
        if isinstance(body, Reconstruction):
            ended = scores.add(body, screen.at(body.t_frame_mid_ns))
            if ended is not None and ended.t_start_ns > from_s * 1e9:
                found.append(abs(ended.video_r - TARGET))
    return found


def test_the_score_is_held_closer_to_the_target_than_in_open_loop() -> None:
    closed = [
        np.mean(errors(session(lambda s: AdaptiveParameter(s, **OPTIONS), seed), from_s=40))  # type: ignore[arg-type]
        for seed in range(10)
    ]
    random = [
        np.mean(
            errors(
                session(
                    lambda s: OpenLoop(
                        s, action="set_parameter", target="contrast", low=0.05, every_s=4
                    ),
                    seed,
                ),
                from_s=40,
            )
        )
        for seed in range(10)
    ]
    assert max(closed) < 0.5 * min(random)


def test_the_first_value_is_set_at_arming_and_later_ones_after_an_effect() -> None:
    record = session(lambda s: AdaptiveParameter(s, **OPTIONS), 1, seconds=30)  # type: ignore[arg-type]
    first, *later = [request for _, request in record.requests]
    assert (first.target, first.value) == ("contrast", 1.0)
    assert first.reason == "first value; the target is 0.5"
    assert all("video_r" in request.reason for request in later)
    effects = [a.t_flip_ns for a in record.acknowledgements]
    # a value is judged by a whole presentation that began with or after its effect
    for (t_ns, _), effect in zip(record.requests[1:], effects, strict=False):
        assert t_ns - effect > 2e9


def test_a_value_that_is_never_acknowledged_is_set_again() -> None:
    policy = AdaptiveParameter(toy_setting(CLIPS), **OPTIONS)  # type: ignore[arg-type]
    record = session(lambda s: AdaptiveParameter(s, **OPTIONS), 1, seconds=24)  # type: ignore[arg-type]
    asked = [
        request
        for observation in record.observations
        if getattr(observation.body, "kind", "") != "acknowledgement"
        for request in policy.decide(observation)
    ]
    assert [request.value for request in asked] == [1.0] * len(asked)
    assert len(asked) >= 3
    assert asked[1].reason == "set again: it was not acknowledged"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"parameter": ""}, "parameter .* a text"),
        ({"target": 2}, "a number from -1 to 1"),
        ({"start": 3}, "start .* from 0.05 to 1"),
        ({"low": 0.0}, "low .* above 0"),
        ({"gain": 0}, "gain .* above 0"),
        ({"smallest_gain": 9}, "smallest_gain .* from 0 to 3"),
        ({"direction": "up"}, "one of rising, falling"),
    ],
)
def test_options_that_cannot_be_used_are_named(changed: dict[str, object], said: str) -> None:
    with pytest.raises(PolicyOptionValueError, match=said):
        AdaptiveParameter(toy_setting(CLIPS), **{**OPTIONS, **changed})  # type: ignore[arg-type]
