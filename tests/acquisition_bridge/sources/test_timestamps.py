"""Time stamps of the source become host times that no arrival contradicts."""

from hypothesis import assume, given
from hypothesis import strategies as st

from acquisition_bridge.sources.source_time import SourceTime, host_clock_time

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


PERIOD_NS = 33_000_000
DELAYS = st.lists(st.integers(0, 9_000_000), min_size=40, max_size=80)
START_NS = 7 * 10**12


def arrivals(delays_ns: list[int], *, ppm: int = 0) -> list[tuple[int, int]]:
    """(stamp, arrival) of samples a period apart, on a clock that is fast by `ppm`."""
    return [
        (k * PERIOD_NS * (1_000_000 + ppm) // 1_000_000, START_NS + k * PERIOD_NS + delay)
        for k, delay in enumerate(delays_ns)
    ]


def mapped(time: SourceTime, seen: list[tuple[int, int]]) -> list[int | None]:
    return [time.host_ns(stamp_ns, arrived_ns=arrived_ns) for stamp_ns, arrived_ns in seen]


@given(
    delays_ns=DELAYS,
    at=st.integers(3, 37),
    off_ns=st.integers(-(10**18), 10**18).filter(lambda ns: abs(ns) > 10**7),
)
def test_one_bad_stamp_anywhere_shifts_nothing_after_it(
    delays_ns: list[int], at: int, off_ns: int
) -> None:
    seen = arrivals(delays_ns)
    as_it_was = mapped(SourceTime(), seen)
    time, bad = SourceTime(), list(seen)
    bad[at] = (seen[at][0] + off_ns, seen[at][1])
    found = mapped(time, bad)
    for k in (*range(at), *range(at + 1, len(seen))):
        # within the jitter of arrivals, of which the bad one is no longer a part
        assert abs((found[k] or 0) - (as_it_was[k] or 0)) <= 9_000_000 + 10_000
    assert time.restarts == 0
    if abs(off_ns) > 10**9:
        assert time.rejected == 1


@given(
    delays_ns=DELAYS,
    at=st.integers(3, 30),
    first_ns=st.integers(0, 10**18),
    pause_ns=st.integers(0, 10**11),
)
def test_a_clock_that_begins_anew_is_mapped_again_within_three_stamps(
    delays_ns: list[int], at: int, first_ns: int, pause_ns: int
) -> None:
    old_ns = 10**15
    before = [(old_ns + stamp_ns, arrived_ns) for stamp_ns, arrived_ns in arrivals(delays_ns)[:at]]
    after = [
        (first_ns + stamp_ns, before[-1][1] + PERIOD_NS + pause_ns + arrived_ns - START_NS)
        for stamp_ns, arrived_ns in arrivals(delays_ns)
    ]
    assume(abs(first_ns - old_ns) > 10**12)
    time = SourceTime()
    assert mapped(time, before) == mapped(SourceTime(), before)
    found = mapped(time, after)
    assert found[:2] == [None, None]
    for t_ns, (_, arrived_ns) in zip(found[2:], after[2:], strict=True):
        assert t_ns is not None
        assert 0 <= arrived_ns - t_ns <= 10_000_000
    assert (time.restarts, time.rejected) == (1, 0)


def test_a_clock_that_is_set_back_while_the_rig_pauses_is_mapped_again_within_a_second() -> None:
    # 0.6 s follow 0.5 s, but 20 s have passed
    time, delays_ns = SourceTime(), [1_000_000] * 60
    mapped(time, arrivals(delays_ns)[:16])
    later = [(t, arrived + 20 * 10**9) for t, arrived in arrivals(delays_ns)[16:]]
    found = mapped(time, later)
    assert time.restarts == 1
    for t_ns, (_, arrived_ns) in zip(found[20:], later[20:], strict=True):
        assert 0 <= arrived_ns - (t_ns or 0) <= 10_000_000


def test_a_backlog_that_is_delivered_late_keeps_its_times() -> None:
    time, seen = SourceTime(), arrivals([1_000_000] * 400)
    # nothing is delivered for 5 s, then 150 samples within 0.15 s
    late = [
        (stamp, max(arrived, seen[250][1] + (k - 100) * 10**6) if 100 <= k < 260 else arrived)
        for k, (stamp, arrived) in enumerate(seen)
    ]
    for t_ns, (stamp_ns, _) in zip(mapped(time, late), seen, strict=True):
        assert abs((t_ns or 0) - (START_NS + stamp_ns + 1_000_000)) <= 5_000_000
    assert (time.restarts, time.rejected) == (0, 0)


@given(ppm=st.integers(-200, 200), delays_ns=DELAYS)
def test_drift_of_a_crystal_clock_is_followed(ppm: int, delays_ns: list[int]) -> None:
    seen = arrivals(delays_ns * 40, ppm=ppm)
    time = SourceTime()
    found = mapped(time, seen)
    for t_ns, (_, arrived_ns) in zip(found, seen, strict=True):
        assert t_ns is not None
        assert 0 <= arrived_ns - t_ns <= 12_000_000
    assert time.restarts == 0


@given(delays_ns=DELAYS, at=st.integers(0, 39), off_ns=st.integers(-(10**18), 10**18))
def test_mapped_and_predicted_times_increase_and_never_lie_after_their_arrival(
    delays_ns: list[int], at: int, off_ns: int
) -> None:
    time, seen, before_ns = SourceTime(), arrivals(delays_ns), -1
    seen[at] = (seen[at][0] + off_ns, seen[at][1])
    for stamp_ns, arrived_ns in seen:
        t_ns = time.host_ns(stamp_ns, arrived_ns=arrived_ns)
        t_ns = time.predicted_ns(arrived_ns=arrived_ns) if t_ns is None else t_ns
        assert before_ns < t_ns <= arrived_ns
        before_ns = t_ns


def test_stamps_of_the_hosts_clock_stay_as_they_are_except_for_implausible_ones() -> None:
    time, year_ns = host_clock_time(), 365 * 86400 * 10**9
    stamps = [10**9, 2 * 10**9, 2 * 10**9 + year_ns, 3 * 10**9]
    found = [time.host_ns(stamp, arrived_ns=(k + 1) * 10**9) for k, stamp in enumerate(stamps)]
    assert found == [10**9, 2 * 10**9, None, 3 * 10**9]


def test_stamps_that_claim_the_hosts_clock_and_are_of_another_are_mapped() -> None:
    time, year_ns = host_clock_time(), 365 * 86400 * 10**9
    seen = [(k * PERIOD_NS + year_ns, k * PERIOD_NS + 10**9) for k in range(9)]
    assert mapped(time, seen) == [None, None, *(arrived for _, arrived in seen[2:])]
