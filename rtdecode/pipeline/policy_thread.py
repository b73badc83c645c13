"""Calls a policy in a thread of its own, with a time budget for each observation.

A policy that hangs is noticed at the end of its budget, and neither heartbeats nor disarming wait
for it. Its thread cannot be ended, and ends with the process.
"""

import threading
from queue import Empty, SimpleQueue

from rtdecode.control.policy import Observation, Policy, Request
from rtdecode.schema.errors import PolicyTooSlowError

_ENDED_S = 1.0


class PolicyThread:
    """A policy that raises PolicyTooSlowError where `policy` takes longer than `budget_ms`.

    Exceptions of `policy` are raised as they are. After an error it must not be called again.
    """

    def __init__(self, policy: Policy, *, name: str, budget_ms: float) -> None:
        self._policy, self._name, self._budget_ms = policy, name, budget_ms
        self._asked: SimpleQueue[Observation | None] = SimpleQueue()
        self._answers: SimpleQueue[list[Request] | Exception] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="policy", daemon=True)
        self._thread.start()

    def decide(self, observation: Observation) -> list[Request]:
        """What the policy returns for `observation`."""
        self._asked.put(observation)
        try:
            answer = self._answers.get(timeout=self._budget_ms / 1000)
        except Empty:
            raise PolicyTooSlowError(policy=self._name, budget_ms=self._budget_ms) from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """End the thread, unless the policy hangs."""
        self._asked.put(None)
        self._thread.join(_ENDED_S)

    def _run(self) -> None:
        while (observation := self._asked.get()) is not None:
            try:
                self._answers.put(self._policy.decide(observation))
            except Exception as error:  # noqa: BLE001 - raised again by decide
                self._answers.put(error)
