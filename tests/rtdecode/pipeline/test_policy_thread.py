"""A policy that takes too long is left, and one that fails fails as it would without a thread."""

import threading

import pytest

from rtdecode.control.policy import Observation, Request
from rtdecode.pipeline.policy_thread import PolicyThread
from rtdecode.schema.errors import PolicyTooSlowError

LONG_MS = 60_000.0


class Hanging:
    """Waits for the test from its second observation on."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.n = 0

    def decide(self, observation: Observation) -> list[Request]:
        self.n += 1
        if self.n > 1:
            self.go.wait()
        return [Request.pause(reason=f"{observation.t_ns}")]


class Failing:
    def decide(self, _observation: Observation) -> list[Request]:
        raise ZeroDivisionError("no variance")


def test_answers_come_in_order_and_a_hang_is_left_at_the_end_of_its_budget() -> None:
    policy = Hanging()
    thread = PolicyThread(policy, name="hanging", budget_ms=LONG_MS)
    assert [request.reason for request in thread.decide(Observation(7))] == ["7"]
    thread._budget_ms = 1.0
    with pytest.raises(PolicyTooSlowError, match="hanging took more than 1 ms"):
        thread.decide(Observation(8))
    policy.go.set()
    thread.close()


def test_an_exception_keeps_the_line_at_which_it_was_raised() -> None:
    thread = PolicyThread(Failing(), name="failing", budget_ms=LONG_MS)
    with pytest.raises(ZeroDivisionError) as failure:
        thread.decide(Observation(0))
    assert failure.traceback[-1].name == "decide"
    thread.close()
