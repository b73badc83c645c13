"""Latency of the closed loop from actions and their effects, in any order of arrival."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.evaluate.loop_latency import LoopFigures, LoopLatency
from rtdecode.schema.control import Acknowledgement, Action, Delivery

MS = 1_000_000
RECONSTRUCTION = "emit/reconstruction"


def action(number: int, name: str = "show_clip", **changed: Any) -> Action:
    """Its frame was displayed at 1000 ms, its newest scan was at 1100 ms, decided at 1150 ms."""
    times = {"t_cause_ns": 1000 * MS, "t_scan_ns": 1100 * MS, "t_observed_ns": 1149 * MS}
    made = Action(number, name, "mine", "sent", RECONSTRUCTION, 30, **times, t_decided_ns=1150 * MS)
    return replace(made, **changed)


def flipped(number: int, t_ms: int, result: str = "applied") -> Acknowledgement:
    return Acknowledgement(number, result, "show_clip", "", 1151 * MS, t_ms * MS, 60)


def delivered(number: int, delay_ms: float, error: str = "") -> Delivery:
    return Delivery(number, "laser", round((1150 + delay_ms) * MS), delay_ms, error)


def figures_of(*bodies: Any) -> LoopFigures:
    loop = LoopLatency()
    for body in bodies:
        loop.add(body)
    return loop.figures()


def test_reaction_starts_at_the_scan_and_content_age_at_the_displayed_frame() -> None:
    found = figures_of(action(0), flipped(0, 1180))
    assert found.reaction_ms is not None
    assert found.content_age_ms is not None
    assert (found.reaction_ms.max, found.content_age_ms.max) == (80.0, 180.0)
    assert found.trigger_reaction_ms is None


def test_a_trigger_takes_effect_when_its_device_has_it() -> None:
    found = figures_of(action(0, "trigger"), delivered(0, 4.0))
    assert found.trigger_reaction_ms is not None
    assert found.trigger_content_age_ms is not None
    assert (found.trigger_reaction_ms.max, found.trigger_content_age_ms.max) == (54.0, 154.0)
    assert found.output_delay_ms["laser"].max == 4.0
    assert found.reaction_ms is None


@pytest.mark.parametrize(
    ("one", "effect"),
    [
        (action(0, outcome="not_armed"), flipped(0, 1180)),
        (action(0), flipped(0, 0, "refused")),
        (action(0, cause="evaluate/score", cause_frame=-1, t_scan_ns=0), flipped(0, 1180)),
        (action(0, t_due_ns=1300 * MS), flipped(0, 1300)),
        (action(0, "set_parameter"), flipped(0, 5000)),
        (action(0, policy="sham"), flipped(0, 1180)),
        (action(0, "trigger"), delivered(0, 4.0, error="the port is gone")),
        (action(0), flipped(1, 1180)),
    ],
)
def test_what_has_no_effect_or_no_scan_has_no_latency(one: Action, effect: Any) -> None:
    found = figures_of(one, effect)
    assert (found.reaction_ms, found.content_age_ms) == (None, None)
    assert (found.trigger_reaction_ms, found.trigger_content_age_ms) == (None, None)


def test_the_order_of_arrival_changes_nothing() -> None:
    bodies = [action(0), flipped(0, 1180), action(1, "trigger"), delivered(1, 4.0)]
    assert len({repr(figures_of(*order)) for order in permutations(bodies[:2])}) == 1
    latencies = {
        (f.reaction_ms, f.trigger_content_age_ms)
        for f in (figures_of(*order) for order in permutations(bodies))
    }
    assert len(latencies) == 1


def test_actions_results_and_deliveries_are_counted_apart() -> None:
    bodies = [
        action(0),
        action(1, outcome="rate_limited"),
        action(2, "trigger"),
        action(3, "trigger"),
        flipped(0, 1200, "late"),
        delivered(2, 1.0),
        delivered(3, 9.0, error="the port is gone"),
    ]
    found = figures_of(*bodies)
    assert found.policy == "mine"
    assert found.actions == {"show_clip": {"sent": 1, "rate_limited": 1}, "trigger": {"sent": 2}}
    assert found.command_results == {"late": 1}
    assert (found.deliveries, found.failed_deliveries) == ({"laser": 1}, {"laser": 1})


@given(st.lists(st.integers(1101, 3000), min_size=1, max_size=60))
def test_quantiles_are_those_of_numpy_within_the_width_of_a_bin(flips_ms: list[int]) -> None:
    bodies = [(action(n), flipped(n, t_ms)) for n, t_ms in enumerate(flips_ms)]
    found = figures_of(*(body for pair in bodies for body in pair)).reaction_ms
    assert found is not None
    spans = np.array(flips_ms) - 1100.0
    for part, value in ((0.5, found.p50), (0.99, found.p99)):
        exact = float(np.quantile(spans, part, method="inverted_cdf"))
        assert value == pytest.approx(exact, rel=0.02)
    assert (found.max, found.n) == (spans.max(), len(flips_ms))


def test_memory_is_bounded_where_nothing_is_acknowledged() -> None:
    loop = LoopLatency()
    for number in range(10_050):
        loop.add(action(number))
        loop.add(flipped(-1 - number, 1180))
    loop.add(flipped(0, 1180))
    loop.add(flipped(10_049, 1180))
    found = loop.figures().reaction_ms
    assert found is not None
    assert found.n == 1


def test_the_sentences_state_outcomes_effects_and_latencies() -> None:
    assert figures_of().sentences() == []
    assert LoopFigures(policy="mine").sentences() == ["The policy mine asked for no action."]
    found = figures_of(
        action(0),
        flipped(0, 1180),
        action(1, outcome="not_armed"),
        action(2, "trigger"),
        delivered(2, 4.0),
    )
    assert found.sentences() == [
        "The policy mine asked for actions: show_clip (1 sent), show_clip (1 withheld because the "
        "controller was not armed), trigger (1 sent).",
        "Of the commands to the stimulus, 1 applied.",
        "Triggers that the output laser took: 1, with a median delay of 4.0 ms from the decision "
        "(99th percentile 4.0 ms).",
        "The reaction time, from the newest scan that contributed to the flip of the frame that "
        "reacts, has a median of 80 ms and a 99th percentile of 80 ms (n = 1).",
        "The content age, from the displayed frame to the flip of the frame that reacts, has a "
        "median of 180 ms and a 99th percentile of 180 ms (n = 1).",
        "The reaction time, from the newest scan that contributed to the trigger, has a median of "
        "54 ms and a 99th percentile of 54 ms (n = 1).",
        "The content age, from the displayed frame to the trigger, has a median of 154 ms and a "
        "99th percentile of 154 ms (n = 1).",
    ]
