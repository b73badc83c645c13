"""The loop carries all items through, in order, and a failing step ends it."""

from collections.abc import Sequence
from threading import Event

import pytest

from rtdecode.runtime.loop import NullSink, run_loop


class TickingClock:
    """A clock that goes on by one with every look."""

    def __init__(self) -> None:
        self.t_ns = 0

    def now_ns(self) -> int:
        self.t_ns += 1
        return self.t_ns

    def sleep_until(self, t_ns: int) -> None:
        self.t_ns = max(self.t_ns, t_ns)


class Script:
    """A source that plays batches and then asks to stop."""

    def __init__(self, batches: Sequence[Sequence[int]], stop: Event) -> None:
        self._batches, self._stop = list(batches), stop

    def take(self, wait_s: float) -> Sequence[int]:
        if len(self._batches) <= 1:
            self._stop.set()
        return self._batches.pop(0) if self._batches else []


class Doubled:
    """A stage that gives each item twice."""

    def step(self, items: Sequence[int]) -> Sequence[int]:
        return [item for item in items for _ in range(2)]


class Failing:
    """A stage that cannot."""

    def step(self, items: Sequence[int]) -> Sequence[int]:
        raise ZeroDivisionError


class Shelf(list[int]):
    """A sink that keeps everything."""

    def push(self, item: int) -> None:
        self.append(item)


def test_all_items_pass_in_order_and_are_counted() -> None:
    stop, shelf = Event(), Shelf()
    script = Script([[1, 2], [], [3]], stop)
    report = run_loop(script, Doubled(), shelf, stop=stop, clock=TickingClock())
    assert shelf == [1, 1, 2, 2, 3, 3]
    assert (report.items_in, report.items_out, report.longest_backlog) == (3, 6, 2)
    assert len(report.step_ns) == 2


def test_what_comes_after_stop_is_still_carried_through() -> None:
    stop, shelf = Event(), Shelf()
    stop.set()
    run_loop(Script([[1], [2], [3]], stop), Doubled(), shelf, stop=stop, clock=TickingClock())
    assert shelf == [1, 1, 2, 2, 3, 3]


def test_a_failing_step_ends_the_loop() -> None:
    stop = Event()
    with pytest.raises(ZeroDivisionError):
        run_loop(Script([[1]], stop), Failing(), Shelf(), stop=stop, clock=TickingClock())


def test_on_turn_is_called_after_each_batch() -> None:
    stop, seen = Event(), list[int]()
    script = Script([[1], [2]], stop)
    run_loop(
        script,
        Doubled(),
        Shelf(),
        stop=stop,
        clock=TickingClock(),
        on_turn=lambda report: seen.append(report.items_in),
    )
    assert seen[:2] == [1, 2]


def test_nothing_can_be_put_nowhere() -> None:
    with pytest.raises(NotImplementedError, match="nothing follows here, got int"):
        NullSink().push(3)
