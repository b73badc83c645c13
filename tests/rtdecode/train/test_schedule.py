import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.train.training import learning_rate_factor


@given(step=st.integers(0, 99), warm_up=st.integers(0, 50))
def test_the_factor_lies_between_0_and_1(step: int, warm_up: int) -> None:
    assert 0 <= learning_rate_factor(step, steps=100, warm_up=warm_up) <= 1


def test_it_rises_over_the_warm_up_and_falls_to_0() -> None:
    factors = [learning_rate_factor(k, steps=100, warm_up=10) for k in range(101)]
    assert factors[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert max(factors) == factors[9] == factors[10] == 1
    assert factors[55] == pytest.approx(0.5)
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[100] == pytest.approx(0)


@given(step=st.integers(0, 99), elapsed_s=st.floats(0, 85))
def test_a_limit_that_is_far_changes_nothing(step: int, elapsed_s: float) -> None:
    free = learning_rate_factor(step, steps=100, warm_up=10)
    limited = learning_rate_factor(step, steps=100, warm_up=10, elapsed_s=elapsed_s, limit_s=100)
    assert limited == free


def test_the_rate_reaches_zero_at_the_time_limit() -> None:
    at = [
        learning_rate_factor(9, steps=100, warm_up=10, elapsed_s=s, limit_s=100)
        for s in (85, 92.5, 100, 120)
    ]
    assert at == pytest.approx([1, 0.5, 0, 0])
