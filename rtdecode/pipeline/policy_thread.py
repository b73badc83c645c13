"""Calls a policy in a thread of its own, with a time budget for each observation.

The budget is processor time of that thread, so that a policy is not blamed for a busy machine. A
step that blocks has 1 s in all. Meanwhile the caller can go on checking what disarms. A thread that
hangs cannot be ended, and ends with the process; it gets the lowest priority, as the decoder needs
the processor.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from rtdecode.control.decision_stage import policy_failure
from rtdecode.control.policy import Observation, Policy, Request
from rtdecode.runtime.clock import processor_ns
from rtdecode.runtime.platform import lower_priority
from rtdecode.schema.errors import PolicyTooSlowError
from rtdecode.schema.interfaces import Clock

_NS_PER_MS = 1e6
_LONGEST_MS = 1000.0
"""Time in ms that a step may take in all."""
_CHECK_S = 0.005
_ENDED_S = 1.0
_LOWEST_PRIORITY = 19


class PolicyThread:
    """A policy that raises PolicyTooSlowError where `policy` exceeds its time for one observation.

    Exceptions of `policy` are raised as they are, and what would end the thread (SystemExit) as a
    PolicyFailedError. After an error it must not be called again.

    Parameters
    ----------
    budget_ms
        Processor time in ms for one observation.
    clock
        Measures the time in all.

    Attributes
    ----------
    meanwhile
        Called every 5 ms while the policy decides.
    """

    def __init__(self, policy: Policy, *, name: str, budget_ms: float, clock: Clock) -> None:
        self._policy, self._name, self._budget_ms = policy, name, budget_ms
        self._clock = clock
        self.meanwhile: Callable[[], None] = lambda: None
        self._asked: SimpleQueue[Observation | None] = SimpleQueue()
        self._answers: SimpleQueue[list[Request] | Exception] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="policy", daemon=True)
        self._thread.start()

    def decide(self, observation: Observation) -> list[Request]:
        """What the policy returns for `observation`."""
        begun_ns, used_ns = self._clock.now_ns(), processor_ns(self._thread)
        self._asked.put(observation)
        while True:
            answer = self._answer()
            used_ms = (processor_ns(self._thread) - used_ns) / _NS_PER_MS
            taken_ms = (self._clock.now_ns() - begun_ns) / _NS_PER_MS
            if used_ms > self._budget_ms:
                raise self._too_slow(f"more than {self._budget_ms:g} ms of processor time")
            if isinstance(answer, Exception):
                raise answer
            if answer is not None:
                return answer
            if taken_ms > max(_LONGEST_MS, self._budget_ms):
                raise self._too_slow(f"{taken_ms:.0f} ms, most of which it waited,")
            self.meanwhile()

    def close(self) -> None:
        """End the thread, unless the policy hangs."""
        self._asked.put(None)
        self._thread.join(_ENDED_S)

    def _answer(self) -> list[Request] | Exception | None:
        """What the policy returned or raised; None where it decides still."""
        try:
            return self._answers.get(timeout=_CHECK_S)
        except Empty:
            return None

    def _too_slow(self, took: str) -> PolicyTooSlowError:
        # the system may not know threads by number
        with suppress(OSError):
            lower_priority(self._thread, nice=_LOWEST_PRIORITY)
        return PolicyTooSlowError(policy=self._name, took=took)

    def _run(self) -> None:
        while (observation := self._asked.get()) is not None:
            try:
                self._answers.put(self._policy.decide(observation))
            except Exception as error:  # noqa: BLE001 - raised again by decide
                self._answers.put(error)
            except BaseException as error:  # noqa: BLE001 - as sys.exit: the thread must go on
                self._answers.put(policy_failure(self._name, error))
