"""A reel gives what its iterator gives, a little ahead of time."""

from collections.abc import Iterator
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimulus.prefetch import FramePrefetcher


@given(count=st.integers(0, 30), ahead=st.integers(1, 9))
def test_all_items_come_in_order(count: int, ahead: int) -> None:
    with FramePrefetcher(iter(range(count)), ahead=ahead) as reel:
        assert list(reel) == list(range(count))


def test_so_many_are_made_before_they_are_asked_for() -> None:
    made, enough = [], Event()

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            if number == 4:
                enough.set()
            yield number

    with FramePrefetcher(items(), ahead=5) as reel:
        assert enough.wait(10)
        assert made == [0, 1, 2, 3, 4]
        assert next(reel) == 0


def test_an_error_comes_at_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise FileNotFoundError

    with FramePrefetcher(items(), ahead=8) as reel:
        assert [next(reel), next(reel)] == [1, 2]
        with pytest.raises(FileNotFoundError):
            next(reel)
