"""A threshold acts at crossings alone, of each quantity, with hysteresis and refractory time."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_loop import Record, simulate
from toy_loop import COLS, ROWS, ToyRig, observed, reconstruction, score, toy_clips, toy_setting

from rtdecode.control.policies.threshold import Crossing, Threshold
from rtdecode.schema.control import ActionName
from rtdecode.schema.errors import BadInputError, PolicyOptionValueError

CLIPS = toy_clips(4)
SETTING = toy_setting(CLIPS)
VALUES = st.lists(st.floats(-3, 3), min_size=1, max_size=60)


@given(VALUES, st.floats(-1, 1), st.floats(0, 2), st.integers(0, 5))
def test_crossings_follow_their_definition(
    values: list[float], threshold: float, hysteresis: float, rest: int
) -> None:
    crossing = Crossing(threshold, sign=1, hysteresis=hysteresis, refractory_ns=rest)
    at = [k for k, value in enumerate(values) if crossing.add(value, k)]
    assert all(values[k] > threshold for k in at)
    assert all(later - before >= rest for before, later in pairwise(at))
    for before, later in pairwise(at):
        # in between it came back by more than the hysteresis
        assert min(values[before:later]) < threshold - hysteresis or rest > 0
    if not at:
        assert max(values) <= threshold


@given(VALUES, st.floats(-1, 1), st.floats(0, 2), st.integers(0, 5))
def test_a_downward_crossing_is_an_upward_one_of_the_negative_value(
    values: list[float], threshold: float, hysteresis: float, rest: int
) -> None:
    up = Crossing(-threshold, sign=1, hysteresis=hysteresis, refractory_ns=rest)
    down = Crossing(threshold, sign=-1, hysteresis=hysteresis, refractory_ns=rest)
    assert [up.add(-v, k) for k, v in enumerate(values)] == [
        down.add(v, k) for k, v in enumerate(values)
    ]


def test_a_noisy_value_within_the_hysteresis_fires_once() -> None:
    policy = Threshold(SETTING, quantity="score", above=0.5, hysteresis=0.2, output="ttl")
    bodies = [score(r) for r in (0.4, 0.6, 0.45, 0.6, 0.45, 0.25, 0.7)]
    found = [policy.decide(one) for one in observed(bodies, step_s=2.0)]
    assert [len(requests) for requests in found] == [0, 1, 0, 0, 0, 0, 1]
    (request,) = found[1]
    assert (request.name, request.target, request.value) == (ActionName.TRIGGER, "ttl", 0.6)
    assert request.reason == "score 0.600 above 0.5"


def test_an_output_and_a_random_clip_may_follow_one_crossing() -> None:
    bodies = [score(r) for r in (0.6, 0.1) * 40]
    drawn = []
    for _ in range(2):
        policy = Threshold(SETTING, above=0.5, output="ttl", clip="any")
        found = [policy.decide(one) for one in observed(bodies, step_s=2.0)]
        assert [[one.name for one in requests] for requests in found] == [
            [ActionName.TRIGGER, ActionName.SHOW_CLIP],
            [],
        ] * 40
        drawn.append([requests[1].target for requests in found if requests])
    assert drawn[0] == drawn[1]
    assert set(drawn[0]) == set(SETTING.clips)


def test_a_crossing_in_the_refractory_time_is_left_out() -> None:
    policy = Threshold(SETTING, above=0.5, output="ttl", refractory_s=3.5)
    found = [
        len(policy.decide(one))
        for one in observed([score(r) for r in (0.6, 0.4, 0.6, 0.6, 0.4, 0.6)], step_s=1.0)
    ]
    assert found == [1, 0, 0, 0, 0, 1]


def test_luminance_is_that_of_the_region_and_a_clip_may_be_the_action() -> None:
    picture = np.full((ROWS, COLS), 50.0)
    picture[2:5, 3:7] = 200.0
    inside = Threshold(
        SETTING, quantity="luminance", above=199, clip="clip2", rows=[2, 4], cols=[3, 6]
    )
    outside = Threshold(SETTING, quantity="luminance", above=199, clip="clip2", rows=[2, 5])
    (now,) = observed([reconstruction(40, picture)])
    (request,) = inside.decide(now)
    assert (request.name, request.target) == (ActionName.SHOW_CLIP, "clip2")
    assert outside.decide(now) == []


def test_uncertainty_falls_below_its_threshold_and_cold_frames_are_left_out() -> None:
    policy = Threshold(SETTING, quantity="uncertainty", below=5, output="ttl")
    bodies = [
        reconstruction(1, 100, uncertainty=3.0, warm=False),
        reconstruction(2, 100, uncertainty=6.0),
        reconstruction(3, 100, uncertainty=4.0),
    ]
    assert [len(policy.decide(one)) for one in observed(bodies)] == [0, 0, 1]


def presentations(record: Record) -> list[tuple[str, int, int]]:
    """Clip, first and last flip of each presentation."""
    starts = [k for k, frame in enumerate(record.displayed) if frame.index == 0]
    ends = [*starts[1:], len(record.displayed)]
    return [
        (record.displayed[a].clip, record.displayed[a].t_flip_ns, record.displayed[b - 1].t_flip_ns)
        for a, b in zip(starts, ends, strict=True)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_a_template_fires_while_its_clip_is_displayed_and_not_for_others(seed: int) -> None:
    setting = toy_setting(CLIPS, seed=seed)
    policy = Threshold(
        setting, quantity="template", template="clip1", above=0.5, hysteresis=0.1, output="ttl"
    )
    record = simulate(policy, ToyRig(seed), CLIPS, setting=setting, seconds=32)
    fired_ns = np.array([t_ns for t_ns, _ in record.requests])
    lag_ns = 0.3e9
    hits = {clip: [] for clip in CLIPS}
    for clip, first, last in presentations(record)[:-1]:
        hits[clip].append(((fired_ns > first + lag_ns) & (fired_ns < last + lag_ns)).any())
    # the toy decoder separates the clips by many standard errors: all are hits, none an alarm
    assert all(hits["clip1"])
    assert len(hits["clip1"]) >= 3
    assert not any(any(hits[clip]) for clip in CLIPS if clip != "clip1")


def test_a_template_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "template.npy"
    np.save(path, CLIPS["clip3"][20])
    policy = Threshold(SETTING, quantity="template", template=str(path), above=0.9, output="ttl")
    same, other = reconstruction(1, CLIPS["clip3"][20]), reconstruction(2, CLIPS["clip0"][20])
    assert [len(policy.decide(one)) for one in observed([other, same])] == [0, 1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"quantity": "glow", "above": 1},
            "quantity of the policy threshold is 'glow', but one of",
        ),
        ({}, "above of the policy threshold is None"),
        ({"above": 1, "below": 0}, "either above or below"),
        ({"above": "much"}, "above of the policy threshold is 'much', but a number"),
        ({"above": 1, "output": ""}, "the name of an output, or a clip"),
        ({"above": 1, "hysteresis": -1}, "hysteresis .* of at least 0"),
        ({"above": 1, "quantity": "luminance", "rows": [3, 90]}, "rows .* from 0 to 11"),
        ({"above": 1, "quantity": "template", "template": "gone.npy"}, "gone.npy"),
        ({"above": 1, "quantity": "template"}, "template of the policy threshold is ''"),
    ],
)
def test_options_that_cannot_be_used_are_named(options: dict[str, object], said: str) -> None:
    given_options = {"output": "ttl", **options}
    with pytest.raises(BadInputError, match=said):
        Threshold(SETTING, **given_options)  # type: ignore[arg-type]


def test_a_clip_that_does_not_exist_is_refused() -> None:
    with pytest.raises(PolicyOptionValueError, match="one of clip0, clip1, clip2, clip3"):
        Threshold(SETTING, above=1, clip="clip9")
