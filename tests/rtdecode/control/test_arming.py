"""Nothing is armed by itself; many things disarm, and each states who or what did."""

import doctest
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rtdecode.control import arming as module
from rtdecode.control import rate_limit
from rtdecode.control.arming import ARMED, DISARMED, RENEWED, Arming, Watched
from rtdecode.control.rate_limit import WithheldCount

S = 1_000_000_000
PEERS = st.sampled_from(Watched)


def ready(*, dead_man_s: float | None = None, silence_s: float = 2.0) -> Arming:
    arming = Arming(dead_man_s=dead_man_s, silence_s=silence_s)
    arming.received(Watched.RECORDER, t_ns=0)
    return arming


def codes(events: Any) -> list[str]:
    return [event.code for event in events]


def test_it_is_not_armed_before_a_person_armed_it_and_not_without_a_recorder() -> None:
    arming = Arming(dead_man_s=None, silence_s=2.0)
    assert not arming.is_armed
    refused = arming.arm("the page", t_ns=0)
    assert (refused.accepted, refused.events, arming.is_armed) == (False, (), False)
    arming.received(Watched.RECORDER, t_ns=0)
    change = arming.arm("the page", t_ns=0)
    assert (change.accepted, arming.is_armed, arming.by) == (True, True, "the page")
    assert codes(change.events) == [ARMED]


def test_a_person_disarms_once_and_a_second_time_changes_nothing() -> None:
    arming = ready()
    arming.arm("the page", t_ns=0)
    assert codes(arming.disarm("by the page").events) == [DISARMED]
    again = arming.disarm("by the page")
    assert (again.accepted, again.events) == (True, ())


@pytest.mark.parametrize("watched", Watched)
def test_a_lost_process_disarms_at_once_and_nothing_arms_until_it_is_back(watched: Watched) -> None:
    arming = ready()
    arming.arm("the page", t_ns=0)
    (event,) = arming.lost(watched)
    assert (event.code, event.severity, arming.is_armed) == (DISARMED, "alarm", False)
    assert watched.value in event.text
    assert not arming.arm("the page", t_ns=S).accepted
    arming.received(watched, t_ns=S)
    arming.received(Watched.RECORDER, t_ns=S)
    assert arming.arm("the page", t_ns=S).accepted


@pytest.mark.parametrize("watched", Watched)
def test_a_silent_process_disarms_after_the_time_of_the_config(watched: Watched) -> None:
    arming = ready(silence_s=3.0)
    other = next(one for one in Watched if one is not watched)
    arming.received(watched, t_ns=0)
    arming.arm("the page", t_ns=0)
    arming.received(other, t_ns=3 * S)
    assert arming.step(t_ns=3 * S) == ()
    (event,) = arming.step(t_ns=3 * S + S // 10)
    assert event.text.endswith("for 3.1 s")
    assert not arming.arm("the page", t_ns=3 * S + S // 10).accepted


def test_frames_count_from_the_first_one_on() -> None:
    arming = ready(silence_s=2.0)
    arming.arm("the page", t_ns=0)
    for second in range(1, 60):
        arming.received(Watched.RECORDER, t_ns=second * S)
        assert arming.step(t_ns=second * S) == ()
    assert arming.is_armed


@given(renewed_s=st.lists(st.floats(0.1, 9.9), max_size=8), dead_man_s=st.just(10.0))
def test_the_dead_man_time_runs_from_the_last_arming(
    renewed_s: list[float], dead_man_s: float
) -> None:
    arming = ready(dead_man_s=dead_man_s, silence_s=1e6)
    arming.arm("a key", t_ns=0)
    now_ns = 0
    for pause_s in renewed_s:
        now_ns += round(pause_s * S)
        assert arming.step(t_ns=now_ns) == ()
        assert codes(arming.arm("a key", t_ns=now_ns).events) == [RENEWED]
    assert arming.dead_man_left_s(now_ns + S) == pytest.approx(9.0)
    assert arming.step(t_ns=now_ns + round(dead_man_s * S) - 1) == ()
    (event,) = arming.step(t_ns=now_ns + round(dead_man_s * S))
    assert "dead-man time of 10 s" in event.text
    assert arming.dead_man_left_s(now_ns) is None


def test_without_a_dead_man_time_arming_again_is_no_event() -> None:
    arming = ready()
    arming.arm("the page", t_ns=0)
    again = arming.arm("a key", t_ns=S)
    assert (again.accepted, again.events, arming.dead_man_left_s(S)) == (True, (), None)


def test_a_policy_that_failed_is_not_armed_again() -> None:
    arming = ready()
    arming.arm("the page", t_ns=0)
    assert codes(arming.block("the policy raised an error")) == [DISARMED]
    refused = arming.arm("the page", t_ns=0)
    assert (refused.accepted, refused.text) == (False, "the policy raised an error")


class AnyOrder(RuleBasedStateMachine):
    """Whatever comes in whatever order, the events tell the state."""

    def __init__(self) -> None:
        super().__init__()
        self.arming = Arming(dead_man_s=5.0, silence_s=2.0)
        self.now_ns, self.told = 0, False
        self.lost: set[Watched] = set()

    def take(self, events: Any) -> None:
        for event in events:
            if event.code == ARMED:
                assert not self.told
                self.told = True
            elif event.code == DISARMED:
                assert self.told
                self.told = False

    @rule(passed_s=st.floats(0, 4))
    def wait(self, passed_s: float) -> None:
        self.now_ns += round(passed_s * S)
        self.take(self.arming.step(t_ns=self.now_ns))

    @rule()
    def arm(self) -> None:
        self.take(self.arming.arm("a person", t_ns=self.now_ns).events)

    @rule()
    def disarm(self) -> None:
        self.take(self.arming.disarm("by a person").events)
        assert not self.arming.is_armed

    @rule(watched=PEERS)
    def receive(self, watched: Watched) -> None:
        self.arming.received(watched, t_ns=self.now_ns)
        self.lost.discard(watched)

    @rule(watched=PEERS)
    def lose(self, watched: Watched) -> None:
        self.take(self.arming.lost(watched))
        self.lost.add(watched)

    @invariant()
    def the_last_event_is_the_state(self) -> None:
        assert self.told is self.arming.is_armed
        assert not (self.arming.is_armed and self.lost)


TestAnyOrder = AnyOrder.TestCase


@given(st.lists(st.integers(0, 1_500_000_000), max_size=40))
def test_every_withheld_action_is_counted_once_and_in_one_event_a_second(steps: list[int]) -> None:
    count, now_ns, events = WithheldCount(10.0), 0, list[tuple[int, float]]()
    for step_ns in steps:
        now_ns += step_ns
        count.add()
        events += [(now_ns, event.counts["withheld"]) for event in count.events(now_ns)]
    events += [(now_ns + S, event.counts["withheld"]) for event in count.events(now_ns + S)]
    assert sum(withheld for _, withheld in events) == len(steps)
    assert all(later - before >= S for (before, _), (later, _) in pairwise(events))


def test_the_examples_of_the_modules_are_true() -> None:
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(rate_limit).failed == 0
