"""A prefetcher yields the items of its iterator in order, prepared ahead of time."""

from collections.abc import Iterator
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimulus.prefetch import FramePrefetcher


@given(count=st.integers(0, 30), ahead=st.integers(1, 9))
def test_all_items_come_in_order(count: int, ahead: int) -> None:
    with FramePrefetcher(iter(range(count)), ahead=ahead) as frames:
        assert list(frames) == list(range(count))


def test_the_given_number_of_items_is_prepared_ahead() -> None:
    made, enough = [], Event()

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            if number == 4:
                enough.set()
            yield number

    with FramePrefetcher(items(), ahead=5) as frames:
        assert enough.wait(10)
        assert made == [0, 1, 2, 3, 4]
        assert next(frames) == 0


def test_an_error_is_raised_at_the_position_of_its_item() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise FileNotFoundError

    with FramePrefetcher(items(), ahead=8) as frames:
        assert [next(frames), next(frames)] == [1, 2]
        with pytest.raises(FileNotFoundError):
            next(frames)
