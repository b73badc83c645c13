"""The clock is CLOCK_MONOTONIC and does not wake early."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.runtime.clock import HostClock


def test_it_is_clock_monotonic() -> None:
    before = time.monotonic_ns()
    now = HostClock().now_ns()
    assert before <= now <= time.monotonic_ns()


@settings(max_examples=20)
@given(wait_ns=st.integers(-(10**9), 3_000_000))
def test_it_never_wakes_early(wait_ns: int) -> None:
    clock = HostClock()
    until_ns = clock.now_ns() + wait_ns
    clock.sleep_until(until_ns)
    assert clock.now_ns() >= until_ns
