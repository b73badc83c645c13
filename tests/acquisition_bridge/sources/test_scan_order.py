"""Counters to numbers: no scan twice, every gap counted, wrapping is no gap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition_bridge.sources.intake import ScanOrder, VolumeLayout


@given(counters=st.lists(st.integers(0, 60), min_size=1))
def test_numbers_rise_and_lost_plus_seen_is_the_span(counters: list[int]) -> None:
    order = ScanOrder()
    numbers = [n for n in map(order.number, counters) if n is not None]
    assert numbers[0] == 0
    assert numbers == sorted(set(numbers))
    assert order.lost + len(numbers) == numbers[-1] + 1
    assert len(numbers) + order.repeated + order.reordered == len(counters)


@pytest.mark.parametrize("bits", [15, 16, 32])
def test_a_counter_that_wraps_is_no_gap(bits: int) -> None:
    order, start = ScanOrder(bits), (1 << bits) - 3
    numbers = [order.number((start + k) % (1 << bits)) for k in range(8)]
    assert numbers == list(range(8))
    assert order.lost == 0


def test_a_gap_across_the_wrap_is_counted() -> None:
    order = ScanOrder(16)
    assert [order.number(c) for c in (65534, 65535, 2)] == [0, 1, 4]
    assert order.lost == 2


def test_old_counters_around_the_wrap_are_old() -> None:
    order = ScanOrder(16)
    assert [order.number(c) for c in (65535, 0, 65535, 0)] == [0, 1, None, None]
    assert (order.reordered, order.repeated) == (1, 1)


def test_after_a_reconnection_later_counters_show_what_was_missed() -> None:
    order = ScanOrder()
    assert [order.number(c) for c in (0, 1)] == [0, 1]
    order.reconnected()
    assert order.number(5) == 5
    assert (order.lost, order.restarts) == (3, 0)


def test_after_a_reconnection_earlier_counters_are_a_new_beginning() -> None:
    order = ScanOrder()
    assert [order.number(c) for c in (7, 8)] == [0, 1]
    order.reconnected()
    assert [order.number(c) for c in (0, 1)] == [2, 3]
    assert order.restarts == 1


def test_a_restart_takes_any_counter() -> None:
    order = ScanOrder()
    order.restart()
    assert order.restarts == 0
    assert order.number(3) == 0
    order.restart()
    assert order.number(90) == 1
    assert (order.lost, order.restarts) == (0, 1)


@given(slices=st.integers(1, 9), per_slice=st.integers(1, 4), flyback=st.integers(0, 7))
def test_flyback_is_left_out_without_a_gap(slices: int, per_slice: int, flyback: int) -> None:
    layout = VolumeLayout(slices, per_slice, flyback)
    places = [layout.place(frame) for frame in range(3 * layout.frames_per_volume)]
    scans = [place for place in places if place is not None]
    assert [scan for scan, _ in scans] == list(range(3 * slices * per_slice))
    planes = [plane for plane in range(slices) for _ in range(per_slice)]
    assert [plane for _, plane in scans] == planes * 3
