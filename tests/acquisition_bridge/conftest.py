"""Fixtures that the bridge's tests share: simulated clocks and sinks."""

import pytest

from rtdecode.schema.messages import Body


class HandClock:
    """A clock that only moves when somebody sleeps on it."""

    def __init__(self) -> None:
        self.t_ns = 1_000_000_000

    def now_ns(self) -> int:
        return self.t_ns

    def sleep_until(self, t_ns: int) -> None:
        self.t_ns = max(self.t_ns, t_ns)


class Shelf(list[Body]):
    """An outlet that keeps everything."""

    def push(self, item: Body) -> None:
        self.append(item)


@pytest.fixture
def clock() -> HandClock:
    """A clock that only moves when somebody sleeps on it."""
    return HandClock()


@pytest.fixture
def shelf() -> Shelf:
    """An outlet that keeps everything."""
    return Shelf()
