"""Real-time priority is taken where it is permitted, the frame loop's above its helper's."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from stimulus.priority import Priority, take_real_time


@pytest.mark.parametrize("priority", Priority)
def test_a_thread_has_what_it_was_permitted_to_take(priority: Priority) -> None:
    def taken() -> tuple[bool, int, int]:
        permitted = take_real_time(priority)
        return permitted, os.sched_getscheduler(0), os.sched_getparam(0).sched_priority

    with ThreadPoolExecutor(1) as thread:  # so that this thread stays as it is
        permitted, policy, number = thread.submit(taken).result()
    assert (policy, number) == ((os.SCHED_RR, priority) if permitted else (os.SCHED_OTHER, 0))


def test_the_frame_loop_goes_before_its_helper() -> None:
    assert Priority.FRAME_LOOP > Priority.AHEAD


def test_where_it_is_not_permitted_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refused)
    assert not take_real_time(Priority.FRAME_LOOP)
