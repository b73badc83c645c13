"""Real-time priority is set where it is permitted, higher for the frame loop than for prefetch."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from stimulus.priority import Priority, request_real_time


@pytest.mark.parametrize("priority", Priority)
def test_a_thread_has_the_priority_that_was_permitted(priority: Priority) -> None:
    def taken() -> tuple[bool, int, int]:
        permitted = request_real_time(priority)
        return permitted, os.sched_getscheduler(0), os.sched_getparam(0).sched_priority

    with ThreadPoolExecutor(1) as thread:  # so that this thread stays as it is
        permitted, policy, number = thread.submit(taken).result()
    assert (policy, number) == ((os.SCHED_RR, priority) if permitted else (os.SCHED_OTHER, 0))


def test_the_frame_loop_runs_before_the_prefetch_thread() -> None:
    assert Priority.FRAME_LOOP > Priority.PREFETCH


def test_where_it_is_not_permitted_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refused)
    assert not request_real_time(Priority.FRAME_LOOP)
