"""A policy that takes too long is left, and one that fails fails as it would without a thread."""

import os
import threading

import pytest

from rtdecode.control.policy import Observation, Policy, Request
from rtdecode.pipeline.policy_thread import PolicyThread
from rtdecode.runtime.clock import processor_ns
from rtdecode.schema.errors import PolicyFailedError, PolicyTooSlowError
from rtdecode.session.replay import RecordedClock


class Hanging:
    """Waits for the test, from its second observation on."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.n = 0

    def decide(self, observation: Observation) -> list[Request]:
        self.n += 1
        if self.n > 1:
            self.go.wait()
        return [Request.pause(reason=f"{observation.t_ns}")]


class Calculating:
    """Uses processor time, for ever or until it has used `used_ms` of it."""

    def __init__(self, used_ms: float) -> None:
        self._used_ms, self.is_stopped = used_ms, False

    def decide(self, _observation: Observation) -> list[Request]:
        begun_ns = processor_ns(threading.current_thread())
        while not self.is_stopped:
            if processor_ns(threading.current_thread()) - begun_ns > self._used_ms * 1e6:
                break
        return []


class Failing:
    def decide(self, _observation: Observation) -> list[Request]:
        raise ZeroDivisionError("no variance")


class Leaving:
    """Raises what ends a thread without a word."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def decide(self, _observation: Observation) -> list[Request]:
        raise self._error


def thread_of(policy: Policy, *, budget_ms: float = 60_000.0) -> PolicyThread:
    return PolicyThread(policy, name="tried", budget_ms=budget_ms, clock=RecordedClock())


def test_answers_come_in_order_and_what_disarms_is_checked_while_it_decides() -> None:
    policy, checked = Hanging(), list[int]()
    thread = thread_of(policy)

    def meanwhile() -> None:
        checked.append(policy.n)
        policy.go.set()

    thread.meanwhile = meanwhile
    assert [request.reason for request in thread.decide(Observation(7))] == ["7"]
    assert [request.reason for request in thread.decide(Observation(8))] == ["8"]
    # the second one waited until it was checked
    assert checked[-1] == 2
    thread.close()


def test_a_step_that_blocks_is_left_after_a_second() -> None:
    policy, clock = Hanging(), RecordedClock()
    thread = PolicyThread(policy, name="tried", budget_ms=50.0, clock=clock)
    thread.meanwhile = lambda: clock.sleep_until(clock.now_ns() + 600_000_000)
    thread.decide(Observation(7))
    with pytest.raises(PolicyTooSlowError, match="took 1200 ms, most of which it waited"):
        thread.decide(Observation(8))
    policy.go.set()
    thread.close()


@pytest.mark.parametrize("used_ms", [20.0, float("inf")])
def test_a_step_has_its_budget_of_processor_time_whether_it_ends_or_not(used_ms: float) -> None:
    policy = Calculating(used_ms)
    thread = thread_of(policy, budget_ms=5.0)
    with pytest.raises(PolicyTooSlowError, match="tried took more than 5 ms of processor time"):
        thread.decide(Observation(0))
    # the decoder needs the processor for the rest of the session
    assert os.getpriority(os.PRIO_PROCESS, thread._thread.native_id or 0) == 19
    policy.is_stopped = True
    thread.close()


def test_an_exception_keeps_the_line_at_which_it_was_raised() -> None:
    thread = thread_of(Failing())
    with pytest.raises(ZeroDivisionError) as failure:
        thread.decide(Observation(0))
    assert failure.traceback[-1].name == "decide"
    thread.close()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_what_would_end_the_thread_is_a_failure_of_the_policy(error: BaseException) -> None:
    thread = thread_of(Leaving(error))
    with pytest.raises(PolicyFailedError, match=f"{type(error).__name__}.*test_policy_thread"):
        thread.decide(Observation(0))
    thread.close()
    assert not thread._thread.is_alive()
