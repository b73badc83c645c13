"""Rounds of long work are counted, and end early only where the time is over."""

from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.work import UNSEEN, Work


@given(total=st.integers(0, 20), fewest=st.integers(0, 25), ends_at=st.integers(0, 25))
def test_at_least_the_fewest_rounds_are_made(total: int, fewest: int, ends_at: int) -> None:
    made = 0
    said: list[str] = []
    work = Work(is_over=lambda: made >= ends_at, cut_short=said.append)
    for _ in work.rounds("reading", range(total), total=total, fewest=fewest):
        made += 1
    assert made == min(total, max(fewest, ends_at))
    assert bool(said) == (made < total)


def test_a_part_that_needs_all_its_rounds_has_them_although_the_time_is_over() -> None:
    counted: list[tuple[int, int]] = []
    work = Work(is_over=lambda: True, report=lambda *count: counted.append(count))
    assert list(work.rounds("reading", "ab", total=2)) == ["a", "b"]
    assert counted == [(0, 2), (1, 2), (2, 2)]
    assert list(UNSEEN.rounds("reading", "ab", total=2, fewest=0)) == ["a", "b"]
