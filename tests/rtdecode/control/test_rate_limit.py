"""The rate limit holds over every span of time, and permits what is below it."""

from itertools import accumulate, combinations

from hypothesis import given
from hypothesis import strategies as st

from rtdecode.control.rate_limit import TokenBucket

STEPS_NS = st.lists(st.integers(0, 2_000_000_000), min_size=1, max_size=60)


@given(rate_hz=st.floats(0.05, 50.0), steps_ns=STEPS_NS)
def test_in_no_span_are_more_actions_than_the_limit(rate_hz: float, steps_ns: list[int]) -> None:
    bucket = TokenBucket(rate_hz)
    taken_ns = [t_ns for t_ns in accumulate(steps_ns) if bucket.take(t_ns)]
    most_at_once = max(1.0, rate_hz)
    for (i, first_ns), (j, last_ns) in combinations(enumerate(taken_ns), 2):
        span_s = (last_ns - first_ns) / 1e9
        assert j - i + 1 <= most_at_once + rate_hz * span_s + 1e-6


@given(rate_hz=st.floats(0.05, 50.0), n=st.integers(1, 60))
def test_actions_at_the_permitted_rate_are_all_permitted(rate_hz: float, n: int) -> None:
    bucket = TokenBucket(rate_hz)
    # a nanosecond above the period, which is rounded
    period_ns = int(1e9 / rate_hz) + 1
    assert all(bucket.take(k * period_ns) for k in range(n))


@given(rate_hz=st.floats(0.05, 50.0), steps_ns=STEPS_NS)
def test_the_same_times_give_the_same_answers(rate_hz: float, steps_ns: list[int]) -> None:
    one, other = TokenBucket(rate_hz), TokenBucket(rate_hz)
    times_ns = list(accumulate(steps_ns))
    assert [one.take(t) for t in times_ns] == [other.take(t) for t in times_ns]


def test_a_slow_limit_permits_one_action_and_the_next_after_its_period() -> None:
    bucket = TokenBucket(0.1)
    assert [bucket.take(s * 1_000_000_000) for s in (0, 5, 9, 10, 11)] == [
        True,
        False,
        False,
        True,
        False,
    ]
