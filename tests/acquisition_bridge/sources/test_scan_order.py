"""Counters to numbers: no scan twice, every gap counted, wrapping is no gap."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from acquisition_bridge.sources.intake import VolumeLayout
from acquisition_bridge.sources.scan_numbers import Arrival, ScanOrder


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


PERIOD_NS = 33_000_000


def passed(counters: list[int], *, bits: int | None = None) -> tuple[list[int], ScanOrder[int]]:
    """Places of the scans that were passed on, one scan a period, and the order."""
    order = ScanOrder[int](bits, period_ns=PERIOD_NS)
    scans = [
        (number, arrival.scan)
        for k, counter in enumerate(counters)
        for number, arrival in order.passed(Arrival(k, counter, k * PERIOD_NS))
    ]
    numbers = [number for number, _ in scans]
    assert numbers == sorted(set(numbers))
    assert [place for _, place in scans] == sorted({place for _, place in scans})
    unseen = numbers[-1] + 1 - len(numbers)
    assert unseen - order.set_aside - order.reordered <= order.lost <= unseen
    return numbers, order


@given(at=st.integers(5, 250), first=st.integers(0, 1))
def test_a_counter_that_begins_anew_loses_no_scan(at: int, first: int) -> None:
    numbers, order = passed([*range(at), *range(first, 150)])
    assert numbers == list(range(at + 150 - first))
    assert (order.restarts, order.lost) == (1, 0)


@given(at=st.integers(1, 90), odd=st.integers(-(2**63), 2**63))
def test_one_odd_counter_is_left_out_and_the_others_keep_their_numbers(at: int, odd: int) -> None:
    counters = list(range(1000, 1100))
    assume(not at - 2 <= odd - 1000 - at <= 20 and not 995 <= odd <= 1120)
    counters[at] = odd
    numbers, order = passed(counters)
    assert numbers == [n for n in range(100) if n != at]
    assert order.restarts == 0
    assert order.set_aside + order.reordered == 1
    assert order.lost == 0


@pytest.mark.parametrize("bits", [15, 16, 31, 32])
@pytest.mark.parametrize("lost", [0, 3])
def test_a_counter_whose_width_is_not_known_may_wrap(bits: int, lost: int) -> None:
    counters = [*range((1 << bits) - 100, 1 << bits), *range(lost, 100)]
    numbers, order = passed(counters)
    assert (len(numbers), order.lost, order.restarts) == (200 - lost, lost, 0)


def test_a_signed_counter_may_wrap() -> None:
    counters = [*range(2**31 - 50, 2**31), *range(-(2**31), -(2**31) + 50)]
    numbers, order = passed(counters)
    assert numbers == list(range(100))
    assert order.restarts == 0


def test_scans_that_were_lost_without_the_time_for_it_are_counted_once_confirmed() -> None:
    numbers, order = passed([*range(100), *range(160, 260)])
    assert numbers == [*range(100), *range(160, 260)]
    assert (order.lost, order.restarts) == (60, 0)


def test_scans_that_are_sent_again_are_no_restart() -> None:
    numbers, order = passed([*range(50), *range(40, 50), *range(50, 60)])
    assert numbers == list(range(60))
    assert (order.restarts, order.reordered + order.repeated) == (0, 10)


def test_a_known_counter_of_15_bits_may_begin_anew() -> None:
    for last in (5000, 20000, 25000):
        numbers, order = passed([*range(last - 50, last), *range(50)], bits=15)
        assert numbers == list(range(100))
        assert (order.restarts, order.lost) == (1, 0)
