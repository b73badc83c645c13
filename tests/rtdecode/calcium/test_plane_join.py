"""Frames of several planes are emitted complete, in order and once, in any order of arrival."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.calcium.plane_join import PlaneJoin
from rtdecode.schema.messages import Responses

COUNTS = (2, 1, 3)


def given_by(place: int, frame: int) -> Responses:
    """Activity that encodes plane and frame."""
    count = COUNTS[place]
    return Responses(
        activity=np.full(count, 100 * frame + place, np.float32),
        valid=np.ones(count, bool),
        frame=frame,
        t_frame_start_ns=frame * 10,
        t_scan_ns=frame * 10 + place,
        t_scan_end_ns=frame * 10 + place + 1,
        t_received_ns=frame * 10 + place + 2,
        t_ready_ns=frame * 10 + place + 3,
    )


def joined(order: list[tuple[int, int]]) -> list[Responses]:
    join = PlaneJoin(len(COUNTS))
    return [
        out
        for place, frame in order
        for out in join.completed_frames(given_by(place, frame), place=place, counts=COUNTS)
    ]


@given(st.data())
def test_each_frame_is_complete_in_whatever_order_the_planes_arrive(data: st.DataObject) -> None:
    left = {place: list(range(20)) for place in range(len(COUNTS))}
    order = []
    while any(left.values()):
        place = data.draw(st.sampled_from([place for place, frames in left.items() if frames]))
        order.append((place, left[place].pop(0)))
    outs = joined(order)
    assert [out.frame for out in outs] == list(range(20))
    for out in outs:
        expected = np.repeat(100 * out.frame + np.arange(3), COUNTS)
        np.testing.assert_array_equal(out.activity, expected)
        assert out.valid.all()


def test_times_are_those_of_the_scan_that_came_last() -> None:
    (out,) = joined([(2, 5), (0, 5), (1, 5)])
    last = given_by(2, 5)
    for name in ("t_scan_ns", "t_scan_end_ns", "t_received_ns", "t_ready_ns"):
        assert getattr(out, name) == getattr(last, name)


def test_frames_that_a_plane_left_out_are_invalid_there() -> None:
    outs = joined([(0, 1), (2, 1), (0, 2), (2, 2), (1, 2)])
    assert [out.frame for out in outs] == [1, 2]
    assert outs[0].valid.tolist() == [True, True, False, True, True, True]
    assert outs[0].activity[2] == 0
    assert outs[1].valid.all()


def test_a_plane_that_has_stopped_is_left_behind_and_may_come_back() -> None:
    order = [(place, 0) for place in range(3)]
    order += [(place, frame) for frame in range(1, 100) for place in (0, 2)]
    back = [(1, 5), (1, 99)]
    outs = joined([*order, *back])
    frames = [out.frame for out in outs]
    assert frames == list(range(100))
    assert all(late.t_ready_ns >= early.t_ready_ns for early, late in pairwise(outs))
    heard = [out.frame for out in outs if out.valid[2]]
    assert heard == [0, 99]


def test_no_frame_is_emitted_before_the_number_of_neurons_is_known() -> None:
    join = PlaneJoin(2)
    assert not list(join.completed_frames(given_by(0, 1), place=0, counts=[2, None]))
    outs = list(join.completed_frames(given_by(1, 1), place=1, counts=[2, 1]))
    assert [out.activity.tolist() for out in outs] == [[100, 100, 101]]
