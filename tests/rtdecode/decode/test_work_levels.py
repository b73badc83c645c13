"""Work is listed from the configured level to the least; waiting frames are divided by level."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtdecode.decode.work_levels import NEWEST_ONLY, WaitingFrames, WorkLevel, work_levels
from rtdecode.schema.messages import WindowFrame

LEVELS = work_levels(steps=3, members=2, room=4)
MakeFrame = Callable[..., WindowFrame]
reused = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def test_steps_are_shed_first_then_members_then_the_output_rate() -> None:
    assert [str(level) for level in LEVELS] == [
        "3 steps, 2 twins",
        "2 steps, 2 twins",
        "1 step, 2 twins",
        "1 step",
        "1 step, every 2nd frame",
        "1 step, every 4th frame",
        "1 step, newest frame only",
    ]


@given(steps=st.integers(1, 40), members=st.integers(1, 9), room=st.integers(1, 12))
def test_each_level_computes_no_more_than_the_one_before(
    steps: int, members: int, room: int
) -> None:
    levels = work_levels(steps=steps, members=members, room=room)
    assert levels[0] == WorkLevel(steps, members)
    for before, after in pairwise(levels):
        assert after != before
        assert after.passes <= before.passes
        assert after.output_stride == NEWEST_ONLY or after.output_stride >= before.output_stride
    assert all(level.output_stride <= max(1, room) for level in levels)


def portions(
    make_frame: MakeFrame, numbers: list[int], cuts: set[int], level: WorkLevel
) -> list[list[int]]:
    waiting, found = WaitingFrames(room=4, lag=3), []
    edges = [0, *sorted(cuts), len(numbers)]
    for first, last in pairwise(edges):
        waiting.extend([make_frame(n, np.zeros(1)) for n in numbers[first:last]])
        while portion := waiting.portion(level):
            found.append([item.responses.frame for item in portion])
    return found


STREAM = st.lists(st.sampled_from([1, 1, 1, 1, 2, 3, 9]), min_size=1, max_size=24)


@reused
@given(jumps=STREAM, cuts=st.sets(st.integers(1, 23)), level=st.sampled_from(LEVELS))
def test_every_frame_is_in_one_portion_in_order_and_few_wait(
    make_frame: MakeFrame, jumps: list[int], cuts: set[int], level: WorkLevel
) -> None:
    numbers = [int(n) for n in np.cumsum(jumps)]
    found = portions(make_frame, numbers, {cut for cut in cuts if cut < len(numbers)}, level)
    taken = [n for portion in found for n in portion]
    assert taken == numbers[: len(taken)]
    assert len(numbers) - len(taken) < 4
    if level.output_stride in (1, NEWEST_ONLY):
        assert taken == numbers


@reused
@given(jumps=STREAM, cuts=st.sets(st.integers(1, 23)), level=st.sampled_from(LEVELS[:-1]))
def test_no_portion_moves_the_horizon_beyond_its_room_except_over_missing_frames(
    make_frame: MakeFrame, jumps: list[int], cuts: set[int], level: WorkLevel
) -> None:
    numbers = [int(n) for n in np.cumsum(jumps)]
    found = portions(make_frame, numbers, {cut for cut in cuts if cut < len(numbers)}, level)
    for before, after in pairwise(found):
        assert after[-1] - before[-1] <= 4 or len(after) == 1


@pytest.mark.parametrize("stride", [2, 4])
def test_an_estimation_waits_until_a_frame_that_is_given_out_is_due(
    make_frame: MakeFrame, stride: int
) -> None:
    numbers = list(range(40))
    for portion in portions(make_frame, numbers, set(numbers[1:]), WorkLevel(1, 1, stride))[2:]:
        # with a lag of 3, frame n - 3 is due with the responses of frame n
        assert (portion[-1] - 3) % stride == 0
        assert len(portion) == stride


def test_the_least_level_takes_all_that_wait_and_gives_the_newest(make_frame: MakeFrame) -> None:
    least = LEVELS[-1]
    assert portions(make_frame, list(range(30)), {7}, least) == [
        list(range(7)), list(range(7, 30)),
    ]  # fmt: skip
    assert list(least.given(range(4, 27))) == [26]
    assert list(least.given(range(4, 4))) == []
