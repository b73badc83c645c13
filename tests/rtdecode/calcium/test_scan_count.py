"""Lost scans count in the index of a scan, repeated scans do not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.calcium.scan_count import ScanCount, ScanTime


def scan(number: int, at_s: float) -> ScanTime:
    return ScanTime(number, round(at_s * 1e9), round((at_s + 0.06) * 1e9))


@given(steps=st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_received_and_lost_scans_add_up(steps: list[int]) -> None:
    count, numbers = ScanCount(planes=1, scan_rate_hz=None), np.cumsum([0, *steps])
    found = [count.index_of(scan(int(n), n / 15)) for n in numbers]
    assert found == numbers.tolist()
    assert count.scan_rate_hz == pytest.approx(15, rel=1e-3)


def test_repeated_and_older_scans_have_no_index() -> None:
    count = ScanCount(planes=1, scan_rate_hz=15.0)
    found = [count.index_of(scan(n, n / 15)) for n in (0, 1, 1, 0, 2)]
    assert found == [0, 1, None, None, 2]


def test_a_plane_of_three_counts_every_third_number() -> None:
    for told_hz in (None, 45.0):
        count = ScanCount(planes=3, scan_rate_hz=told_hz)
        assert [count.index_of(scan(n, n / 45)) for n in (1, 4, 10)] == [0, 1, 3]
        assert count.scan_rate_hz == pytest.approx(15, rel=1e-3)


def test_numbers_that_begin_again_continue_by_the_elapsed_time() -> None:
    count = ScanCount(planes=1, scan_rate_hz=10.0)
    assert [count.index_of(scan(n, t)) for n, t in ((50, 0.0), (0, 0.5), (1, 0.6))] == [0, 5, 6]


def test_a_hole_in_time_is_missing_scans_although_the_numbers_go_on() -> None:
    for rate_hz in (None, 10.0):
        count = ScanCount(planes=1, scan_rate_hz=rate_hz)
        times = (0.0, 0.1, 0.2, 0.7, 0.8, 5.8)
        assert [count.index_of(scan(n, t)) for n, t in enumerate(times)] == [0, 1, 2, 7, 8, 58]


def test_a_rate_that_is_lower_than_configured_leaves_no_hole_between_all_scans() -> None:
    count = ScanCount(planes=1, scan_rate_hz=30.0)
    found = [count.index_of(scan(n, n / 8)) or 0 for n in range(50)]
    assert np.diff(found[1:]).tolist() == [1] * 48
