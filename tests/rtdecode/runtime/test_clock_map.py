"""The stated uncertainty bounds the error of the map, whatever the network and the clocks do."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.runtime.clock_map import LARGEST_RATE, WANDER, ClockMap, bounds_of
from rtdecode.runtime.mapped_clock import MappedClock, host_time_of
from rtdecode.schema.errors import ClockUnknownError
from rtdecode.schema.hosts import ClockProbe

SECOND = 1_000_000_000
MS = 1_000_000
OFFSETS = st.integers(-(10**16), 10**16)
RATES = st.floats(-400e-6, 400e-6)


@dataclass(frozen=True)
class Link:
    """A network whose delays, in ns, are drawn anew for each probe, and two clocks.

    `rate` is that of the offset, which varies by `wander` about it with a period of `period_s`.
    """

    offset_ns: int = 0
    rate: float = 0.0
    wander: float = 0.0
    period_s: float = 60.0
    out_ns: tuple[int, int] = (3 * MS, 7 * MS)
    back_ns: tuple[int, int] = (3 * MS, 7 * MS)
    lost: float = 0.0
    reset_ns: int = 0
    """Step of the decoder host's clock at `reset_s`."""
    reset_s: float = float("inf")
    cut_s: tuple[float, float] = (float("inf"), float("inf"))
    seed: int = 0

    def host_ns(self, local_ns: int) -> int:
        """The truth."""
        swing_ns = self.wander * self.period_s / (2 * np.pi) * 1e9
        phase = 2 * np.pi * local_ns / 1e9 / self.period_s
        step_ns = self.reset_ns if local_ns / 1e9 >= self.reset_s else 0
        drifted_ns = round(self.rate * local_ns + swing_ns * np.sin(phase))
        return local_ns + self.offset_ns + drifted_ns + step_ns

    def probes(self, seconds: float, *, period_s: float = 0.25) -> Iterator[ClockProbe]:
        """Completed probes in the order of their replies."""
        rng = np.random.default_rng(self.seed)
        found = []
        for t_s in np.arange(0, seconds, period_s):
            out, back = (int(rng.integers(*span)) for span in (self.out_ns, self.back_ns))
            sent_ns, replied_ns = round(t_s * 1e9), round(t_s * 1e9) + out
            if rng.random() < self.lost or self.cut_s[0] <= t_s < self.cut_s[1]:
                continue
            host_ns = self.host_ns(replied_ns)
            found.append(ClockProbe(sent_ns, host_ns, host_ns, replied_ns + back))
        return iter(sorted(found, key=lambda probe: probe.t_reply_received_ns))


def assert_bounded(link: Link, clock_map: ClockMap, local_ns: int) -> None:
    assert clock_map.estimate is not None
    error_ns = clock_map.estimate.host_ns(local_ns) - link.host_ns(local_ns)
    # two roundings of times in ns
    assert abs(error_ns) <= clock_map.estimate.uncertainty_ns(local_ns) + 2


LINKS = st.builds(
    Link,
    offset_ns=OFFSETS,
    rate=RATES,
    wander=st.floats(0, WANDER),
    period_s=st.floats(5, 500),
    out_ns=st.tuples(st.integers(0, 10 * MS), st.integers(11 * MS, 300 * MS)),
    back_ns=st.tuples(st.integers(0, 10 * MS), st.integers(11 * MS, 300 * MS)),
    lost=st.floats(0, 0.7),
    cut_s=st.tuples(st.floats(0, 90), st.floats(5, 120)),
    seed=st.integers(0, 999),
)


@given(link=LINKS, later_s=st.floats(0, 600))
def test_the_error_is_within_the_stated_uncertainty(link: Link, later_s: float) -> None:
    """Also with unequal delays of the two directions, lost probes, and long after the last one."""
    clock_map = ClockMap()
    for probe in link.probes(120):
        clock_map.absorb(probe)
        assert_bounded(link, clock_map, probe.t_reply_received_ns)
        assert_bounded(link, clock_map, probe.t_reply_received_ns + 2 * SECOND)
    assert clock_map.n_resets == 0
    assert_bounded(link, clock_map, 120 * SECOND + round(later_s * 1e9))


@given(
    link=LINKS,
    reset_ns=st.integers(-(10**12), 10**12),
    reset_s=st.floats(10, 100),
)
def test_after_a_reset_the_error_is_within_the_uncertainty_again(
    link: Link, reset_ns: int, reset_s: float
) -> None:
    """From the first probe on that was sent after it; a small one is within the uncertainty."""
    reset = Link(**{**vars(link), "reset_ns": reset_ns, "reset_s": reset_s})
    clock_map = ClockMap()
    for probe in reset.probes(120):
        clock_map.absorb(probe)
        if probe.t_request_ns > reset_s * 1e9 or probe.t_reply_received_ns < reset_s * 1e9:
            known = clock_map.estimate
            assert known is not None
            if abs(reset_ns) > 3 * SECOND:
                assert_bounded(reset, clock_map, probe.t_reply_received_ns)
    if abs(reset_ns) > 3 * SECOND and link.lost < 0.5 and link.cut_s[0] > link.cut_s[1]:
        assert clock_map.n_resets == 1


def test_two_seconds_apart_a_reset_clock_is_followed_with_the_next_probe() -> None:
    link = Link(reset_ns=-5 * SECOND, reset_s=30.0)
    clock_map = ClockMap()
    for probe in link.probes(30):
        clock_map.absorb(probe)
    after = next(probe for probe in link.probes(31) if probe.t_request_ns >= 30 * SECOND)
    clock_map.absorb(after)
    assert clock_map.n_resets == 1
    assert_bounded(link, clock_map, 31 * SECOND)


def test_the_uncertainty_is_half_the_shortest_round_trip_and_grows_by_the_rate() -> None:
    """Delays of 5 ± 2 ms, as across a busy network: about 3 ms, and 0.1 ms more a second."""
    clock_map = ClockMap()
    for probe in Link(offset_ns=3 * SECOND, rate=200e-6).probes(120):
        clock_map.absorb(probe)
    estimate = clock_map.estimate
    assert estimate is not None
    assert 2.9 * MS < estimate.uncertainty_ns(120 * SECOND) < 4.5 * MS
    grown_ns = estimate.uncertainty_ns(220 * SECOND) - estimate.uncertainty_ns(120 * SECOND)
    assert grown_ns == pytest.approx(100e9 * estimate.rate_width, rel=0.1)
    assert abs(estimate.rate - 200e-6) <= estimate.rate_width < 80e-6


def test_one_probe_states_the_bound_of_ntp() -> None:
    clock_map = ClockMap()
    clock_map.absorb(ClockProbe(0, 1_005_000, 1_005_000, 10_000))
    estimate = clock_map.estimate
    assert estimate is not None
    assert estimate.offset_ns == pytest.approx(1_000_000, abs=20)
    assert estimate.width_ns == pytest.approx(5_000, abs=20)


def test_times_that_no_exchange_has_are_ignored() -> None:
    clock_map = ClockMap()
    for impossible in (ClockProbe(10, 5, 5, 0), ClockProbe(0, 5, 500, 100)):
        assert bounds_of(impossible) is None
        clock_map.absorb(impossible)
    assert clock_map.estimate is None


@given(offset_ns=OFFSETS, rate=RATES, local_ns=st.integers(0, 10**12))
def test_there_and_back_is_the_same_time(offset_ns: int, rate: float, local_ns: int) -> None:
    clock_map = ClockMap()
    for probe in Link(offset_ns=offset_ns, rate=rate).probes(10):
        clock_map.absorb(probe)
    estimate = clock_map.estimate
    assert estimate is not None
    assert abs(estimate.local_ns(estimate.host_ns(local_ns)) - local_ns) <= 2


def test_a_rate_that_was_adjusted_ends_the_use_of_earlier_bounds() -> None:
    """From +400 to −400 ppm in the middle, as when NTP begins to slew; it is no reset."""
    clock_map, offset_ns = ClockMap(), 0.0
    for n in range(480):
        rate = 400e-6 if n < 240 else -400e-6
        offset_ns += rate * SECOND / 4
        t_ns = n * SECOND // 4
        host_ns = t_ns + MS + round(offset_ns)
        clock_map.absorb(ClockProbe(t_ns, host_ns, host_ns, t_ns + 2 * MS))
    estimate = clock_map.estimate
    assert estimate is not None
    assert clock_map.n_resets == 0
    assert abs(estimate.rate + 400e-6) <= estimate.rate_width


class Local:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.t_ns = 0

    def now_ns(self) -> int:
        return self.t_ns

    def sleep_until(self, t_ns: int) -> None:
        self.t_ns = max(self.t_ns, t_ns)


@given(
    link=LINKS,
    reset_ns=st.integers(-(10**10), 10**10),
    steps_ns=st.lists(st.integers(0, 40 * MS), min_size=5, max_size=50),
)
def test_a_mapped_clock_never_runs_backwards_and_states_its_error(
    link: Link, reset_ns: int, steps_ns: list[int]
) -> None:
    link = Link(**{**vars(link), "reset_ns": reset_ns, "reset_s": 15.0, "lost": 0.0})
    clock_map, local = ClockMap(), Local()
    clock = MappedClock(local, clock_map)
    last_ns = None
    for n, probe in enumerate(link.probes(30)):
        local.t_ns = max(local.t_ns + steps_ns[n % len(steps_ns)], probe.t_reply_received_ns)
        clock_map.absorb(probe)
        now_ns = clock.now_ns()
        assert last_ns is None or now_ns >= last_ns
        last_ns = now_ns
        error_ns = clock.to_host_ns(local.t_ns) - link.host_ns(local.t_ns)
        if probe.t_reply_received_ns < 15 * SECOND:
            assert abs(error_ns) <= clock.uncertainty_ns(local.t_ns) + 2


def test_a_new_estimate_is_approached_by_ten_ms_a_second() -> None:
    clock_map, local = ClockMap(), Local()
    clock = MappedClock(local, clock_map)
    clock_map.absorb(ClockProbe(0, 50 * MS, 50 * MS, 60 * MS))
    local.t_ns = 60 * MS
    before_ns = clock.now_ns()
    # asymmetric at first; the second probe shows an offset that is 20 ms less
    clock_map.absorb(ClockProbe(70 * MS, 71 * MS, 71 * MS, 72 * MS))
    assert clock.now_ns() == before_ns
    local.t_ns += SECOND
    assert clock.now_ns() - before_ns == pytest.approx(0.99 * SECOND, rel=0.001)


def test_the_largest_uncertainty_includes_what_a_new_estimate_contradicts() -> None:
    clock_map, local = ClockMap(), Local()
    clock = MappedClock(local, clock_map)
    clock_map.absorb(ClockProbe(0, 50 * MS, 50 * MS, 60 * MS))
    local.t_ns = 60 * MS
    clock.now_ns()
    assert clock.largest_uncertainty_ns() == pytest.approx(30 * MS, rel=0.01)
    clock_map.absorb(ClockProbe(70 * MS, 71 * MS, 71 * MS, 72 * MS))
    local.t_ns = 72 * MS
    clock.now_ns()
    local.t_ns += 10 * SECOND
    assert clock.uncertainty_ns(local.t_ns) < 12 * MS
    assert clock.largest_uncertainty_ns() == pytest.approx(30 * MS, rel=0.01)
    assert clock.largest_uncertainty_ns() < 12 * MS


def test_a_sleep_on_a_mapped_clock_does_not_end_early() -> None:
    clock_map, local = ClockMap(), Local()
    clock = MappedClock(local, clock_map)
    for probe in Link(offset_ns=-3 * SECOND, rate=200e-6).probes(5):
        clock_map.absorb(probe)
    local.t_ns = 5 * SECOND
    until_ns = clock.now_ns() + 33 * MS
    clock.sleep_until(until_ns)
    assert until_ns <= clock.now_ns() <= until_ns + MS


def test_before_the_first_probe_no_time_is_given() -> None:
    clock = MappedClock(Local(), ClockMap())
    with pytest.raises(ClockUnknownError):
        clock.now_ns()


def test_stamps_of_this_host_are_mapped_where_its_clock_is() -> None:
    clock_map = ClockMap()
    clock_map.absorb(ClockProbe(0, 7 * SECOND, 7 * SECOND, 0))
    assert host_time_of(Local())(5) == 5
    assert host_time_of(MappedClock(Local(), clock_map))(5) == 7 * SECOND + 5
    assert LARGEST_RATE > 2 * 400e-6
