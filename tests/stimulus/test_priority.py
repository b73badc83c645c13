"""Real-time priority is taken where it is permitted, and a helper thread may leave it."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from stimulus.priority import leave_real_time, take_real_time


def test_a_thread_that_takes_it_and_leaves_it_runs_as_usual() -> None:
    def policies() -> tuple[bool, int, int]:
        permitted, taken = take_real_time(), os.sched_getscheduler(0)
        leave_real_time()
        return permitted, taken, os.sched_getscheduler(0)

    with ThreadPoolExecutor(1) as thread:  # so that this thread stays as it is
        permitted, taken, after = thread.submit(policies).result()
    assert taken == (os.SCHED_RR if permitted else os.SCHED_OTHER)
    assert after == os.SCHED_OTHER


def test_where_it_is_not_permitted_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refused)
    assert not take_real_time()
