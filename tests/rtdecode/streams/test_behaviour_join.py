"""Behaviour on the frame grid is interpolated, causal, and never invented."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.messages import Behaviour, Responses
from rtdecode.streams.behaviour_join import BehaviourJoin

NEUTRAL = np.array([1, 40, 0, 0], np.float32)


def sample(t_ns: int, running: float) -> Behaviour:
    return Behaviour(t_ns, running, 30.0, np.array([1, 2], np.float32))


def responses(t_ns: int) -> Responses:
    one = np.ones(1, np.float32)
    return Responses(
        activity=one,
        valid=one.astype(bool),
        frame=0,
        t_frame_start_ns=t_ns,
        t_scan_ns=0,
        t_scan_end_ns=0,
        t_received_ns=0,
        t_ready_ns=0,
    )


def test_halfway_between_two_samples_is_their_mean() -> None:
    [frame] = BehaviourJoin(NEUTRAL).step([sample(0, 0.0), sample(10, 4.0), responses(5)])
    np.testing.assert_allclose(frame.behaviour, [2, 30, 1, 2])


@pytest.mark.parametrize("running", [np.nan, np.inf, 1e300])
def test_a_sample_without_a_finite_value_is_left_out(running: float) -> None:
    join = BehaviourJoin(NEUTRAL)
    assert not list(join.step([sample(0, 1.0), sample(5, running), sample(10, 3.0)]))
    assert [join.at(t_ns)[0] for t_ns in (0, 5, 10)] == [1, 2, 3]


def test_nothing_is_interpolated_across_seconds_without_a_sample() -> None:
    join = BehaviourJoin(NEUTRAL)
    assert not list(join.step([sample(0, 1.0), sample(3 * 10**9, 9.0)]))
    assert [join.at(t_ns)[0] for t_ns in (10**9, 3 * 10**9 - 1, 3 * 10**9)] == [1, 1, 9]


def test_before_the_first_sample_the_neutral_value_counts() -> None:
    [frame] = BehaviourJoin(NEUTRAL).step([responses(5)])
    np.testing.assert_array_equal(frame.behaviour, NEUTRAL)


@given(t_ns=st.integers(11, 10**12))
def test_after_the_last_sample_it_is_held(t_ns: int) -> None:
    [frame] = BehaviourJoin(NEUTRAL).step([sample(0, 0.0), sample(10, 4.0), responses(t_ns)])
    assert frame.behaviour[0] == 4


@given(later=st.lists(st.floats(0, 50, width=32), max_size=5))
def test_what_comes_later_changes_nothing(later: list[float]) -> None:
    early = [sample(0, 1.0), responses(3)]
    tail = [sample(20 + n, value) for n, value in enumerate(later)]
    [alone] = BehaviourJoin(NEUTRAL).step(early)
    [first] = list(BehaviourJoin(NEUTRAL).step([*early, *tail]))
    np.testing.assert_array_equal(alone.behaviour, first.behaviour)


def test_a_repeated_sample_does_not_count_twice() -> None:
    join = BehaviourJoin(NEUTRAL)
    assert not list(join.step([sample(0, 0.0), sample(10, 4.0), sample(10, 9.0)]))
    assert join.at(10)[0] == pytest.approx(4)
