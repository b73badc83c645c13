"""Fixtures that the bridge's tests share: simulated clocks and sinks."""

import pytest

from rtdecode.schema.messages import Body


class HandClock:
    """A clock that advances only in sleep_until."""

    def __init__(self) -> None:
        self.t_ns = 1_000_000_000

    def now_ns(self) -> int:
        return self.t_ns

    def sleep_until(self, t_ns: int) -> None:
        self.t_ns = max(self.t_ns, t_ns)


class Shelf(list[Body]):
    """A sink that keeps all messages."""

    def push(self, item: Body) -> None:
        self.append(item)


@pytest.fixture
def clock() -> HandClock:
    """A clock that advances only in sleep_until."""
    return HandClock()


@pytest.fixture
def shelf() -> Shelf:
    """A sink that keeps all messages."""
    return Shelf()
