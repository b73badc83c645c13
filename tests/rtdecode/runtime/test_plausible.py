"""Times, numbers and sizes that cannot be genuine are refused, and what follows is not."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.runtime.plausible import MOST_LOST, Plausibility, SteadySize
from rtdecode.schema.control import Action
from rtdecode.schema.errors import MessageError, Refusal
from rtdecode.schema.hosts import ClockProbe
from rtdecode.schema.messages import Behaviour, Body, DisplayedFrame, Scan, Stamped

NOW_NS = 50_000 * 1_000_000_000
HOUR_NS = 3_600 * 1_000_000_000
PAIR = np.zeros(2, np.float32)


def behaviour(
    t_sample_ns: int, *, seq: int = 0, t_ns: int = NOW_NS, clock: str = "host"
) -> Stamped:
    return Stamped("bridge", seq, t_ns, clock, Behaviour(t_sample_ns, 0.0, 0.0, PAIR))


def is_refused(message: Stamped, door: Plausibility | None = None) -> bool:
    try:
        (door or Plausibility()).require(message, t_ns=NOW_NS)
    except MessageError as error:
        return error.refusal is Refusal.IMPLAUSIBLE
    return False


@pytest.mark.parametrize("t_ns", [-1, -(2**63), 2**62, 2**63 - 1, NOW_NS + HOUR_NS + 1])
def test_times_that_cannot_be_are_refused(t_ns: int) -> None:
    assert is_refused(behaviour(t_ns))
    assert is_refused(behaviour(NOW_NS, t_ns=t_ns)) == (t_ns > NOW_NS)


@pytest.mark.parametrize("t_ns", [0, 500, NOW_NS, NOW_NS + HOUR_NS])
def test_other_times_are_not(t_ns: int) -> None:
    assert not is_refused(behaviour(t_ns, t_ns=t_ns))


def test_times_of_another_clock_and_those_that_are_meant_for_later_are_not_compared() -> None:
    assert not is_refused(behaviour(2**62, clock="rig", t_ns=2**62))
    assert not is_refused(Stamped("a", 0, 0, "host", ClockProbe(2**62, -5, 0, 2**62)))
    due: dict[str, Any] = {"t_due_ns": NOW_NS + 48 * HOUR_NS}
    action = Action(0, "pause", "p", "sent", "", -1, 0, 0, 0, 0, **due)
    assert not is_refused(Stamped("controller", 0, 0, "host", action))


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9), max_size=30))
def test_a_number_far_ahead_changes_nothing_for_those_that_follow(seqs: list[int]) -> None:
    door, newest = Plausibility(), 0
    for seq in seqs:
        refused = is_refused(behaviour(NOW_NS, seq=seq), door)
        assert refused == (not 0 <= seq <= newest + MOST_LOST)
        newest = newest if refused else seq + 1


def picture(rows: int, *, plane: int | None = None) -> Stamped:
    body: Body = DisplayedFrame("c", 0, np.zeros((rows, 4), np.uint8), 0, 1)
    if plane is not None:
        body = Scan(np.zeros((rows, 4), np.uint16), 0, plane, 0, 1)
    return Stamped("a", 0, 0, "host", body)


def test_a_picture_of_another_size_is_refused_until_it_comes_three_times() -> None:
    door = Plausibility()
    sizes = (3, 9, 3, 5, 9, 5, 5, 5, 3)
    refused = [is_refused(picture(rows), door) for rows in sizes]
    assert refused == [False, True, False, True, True, True, True, False, True]


def test_each_plane_has_its_size() -> None:
    door = Plausibility()
    assert not any(is_refused(picture(n + 2, plane=n), door) for n in (0, 1, 0, 1))
    assert is_refused(picture(3, plane=0), door)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=40))
def test_no_size_is_refused_for_ever(rows: list[int]) -> None:
    size = SteadySize()
    passed = [size.permits(((n,),)) for n in rows]
    runs = [rows[k : k + 3] for k in range(len(rows) - 2)]
    assert all(passed[k + 2] for k, run in enumerate(runs) if len(set(run)) == 1)
