"""Time stamps of the source become host times that no arrival contradicts."""

from hypothesis import given
from hypothesis import strategies as st

from acquisition_bridge.sources.intake import SourceTime

STEPS = st.lists(st.tuples(st.integers(1, 10**8), st.integers(0, 10**8)), min_size=1, max_size=60)


@given(steps=STEPS, offset_ns=st.integers(0, 10**15))
def test_a_mapped_time_is_never_after_its_arrival(
    steps: list[tuple[int, int]], offset_ns: int
) -> None:
    time, stamp_ns, arrived_ns = SourceTime(), 0, 0
    for step_ns, delay_ns in steps:
        stamp_ns += step_ns
        arrived_ns = max(arrived_ns, stamp_ns + offset_ns + delay_ns)
        assert time.host_ns(stamp_ns, arrived_ns=arrived_ns) <= arrived_ns


def test_the_quickest_arrival_sets_the_offset() -> None:
    time = SourceTime()
    delays_ns = [5_000_000, 1_000_000, 8_000_000, 30_000_000]
    mapped = [
        time.host_ns(k * 33_000_000, arrived_ns=7 * 10**9 + k * 33_000_000 + delay)
        for k, delay in enumerate(delays_ns)
    ]
    # after the second, all are known to within what 200 ppm of 33 ms is
    for k in (1, 2, 3):
        true_ns = 7 * 10**9 + k * 33_000_000 + 1_000_000
        assert 0 <= mapped[k] - true_ns <= k * 6_600


def test_a_clock_that_runs_slow_is_followed() -> None:
    time = SourceTime()
    for second in range(600):
        arrived_ns = second * 1_000_100_000  # 100 ppm
        mapped_ns = time.host_ns(second * 1_000_000_000, arrived_ns=arrived_ns)
    assert arrived_ns - mapped_ns < 1_000_000


@given(steps=STEPS)
def test_time_never_runs_backwards(steps: list[tuple[int, int]]) -> None:
    time, stamp_ns, arrived_ns, before_ns = SourceTime(), 0, 0, -1
    for step_ns, delay_ns in steps:
        stamp_ns += step_ns
        arrived_ns = max(arrived_ns + 1, stamp_ns + delay_ns)
        mapped_ns = time.host_ns(stamp_ns, arrived_ns=arrived_ns)
        assert mapped_ns > before_ns
        before_ns = mapped_ns


def test_the_offset_is_estimated_again_after_a_restart() -> None:
    time = SourceTime()
    time.host_ns(500, arrived_ns=10**9)
    time.restart()
    assert time.host_ns(0, arrived_ns=5 * 10**9) == 5 * 10**9
