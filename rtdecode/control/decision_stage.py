"""Observations → actions: the part of the controller that live runs and replays share.

Duties: give each observation to the policy, check what it asks for, and make numbered `Action`s
with cause and outcome of it. It must not know who armed the controller, nor carry out an action.

The order is exact, so that the recorded `Observed` messages and the messages that they name give
the recorded actions again, whatever became of them live:

1. Observations are given one at a time, in the order of `step`.
2. Before each of them, the policy is given one `Acknowledgement` (`refused`) for each request that
   was withheld since the observation before, with time and arming of the observation that follows.
   They are recorded as `controller/acknowledgement` and are made here, also in a replay. What is
   asked for in answer to one and withheld too has none, or a policy would answer without end.
3. `armed_for_s` counts from the first observation that was armed after one that was not. The
   controller gives session time whenever it is armed or disarmed.
4. Whether a request is sent follows from the arming and the time of its observation alone.
5. After an error of the policy it is given nothing, and nothing is recorded as observed.

>>> from rtdecode.control.policy import Request
>>> class Every:
...     def decide(self, observation):
...         return [] if observation.body else [Request.pause(reason="an example")]
>>> class Still:
...     def now_ns(self):
...         return 7
>>> stage = DecisionStage(Every(), policy="every", max_actions_per_s=1.0, clock=Still())
>>> [(out.kind, out.number) for out in stage.step([Given("time", 0, 5, armed=True)])]
[('observed', 0), ('action', 0)]
"""

import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rtdecode.control.policy import Observation, Observed, Policy, Request
from rtdecode.control.rate_limit import TokenBucket
from rtdecode.control.request_check import mistake_of
from rtdecode.schema.control import Acknowledgement, Action, Outcome, Result
from rtdecode.schema.control import Observed as ObservedMessage
from rtdecode.schema.errors import PolicyError, PolicyFailedError, PolicyReturnError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Received, Reconstruction

TIME = "time"
"""Stream of an observation that session time has passed."""
REFUSALS = "controller/acknowledgement"
"""Stream of the acknowledgements of withheld requests."""
POLICY_FAILED = "policy_failed"
"""Code of the alarm of a policy that failed."""
_READY, _RECORDED = "ready/reconstruction", "emit/reconstruction"
_NS_PER_S = 1e9
_INSTALLED = tuple(sysconfig.get_paths()[kind] for kind in ("stdlib", "purelib", "platlib"))
_WITHHELD = {
    Outcome.NOT_ARMED: "not armed",
    Outcome.RATE_LIMITED: "rate limited: more actions than control.max_actions_per_s",
}


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """One observation before it is given: which message of the log it is, when, and how armed."""

    stream: str
    """Stream of the message in the log, or `time`."""
    number: int
    """Frame of a reconstruction, sequence number of another message, count of `time`."""
    t_ns: int
    """Session time at which it is given."""
    armed: bool
    body: Observed | None = None
    t_sent_ns: int = 0


def given(received: Received, body: Observed, *, t_ns: int, armed: bool) -> Given:
    """The observation of a message that was received live, or read from the log.

    A reconstruction is observed before it is paced and recorded after it, with the same frame; only
    then is it known whether it was late, so `late` is False in the observation.
    """
    message, number = received.message, received.message.seq
    if isinstance(body, Reconstruction):
        number, body = body.frame, replace(body, late=False)
    stream = _RECORDED if message.stream == _READY else message.stream
    return Given(stream, number, t_ns, armed, body, message.t_ns)


class DecisionStage:
    """Stage that gives observations to a policy and makes actions of its requests.

    Parameters
    ----------
    decider
        The policy; live it is called in a thread with a time budget.
    policy
        Its name in actions, events and errors.
    max_actions_per_s
        Rate limit.
    clock
        For `t_decided_ns` alone, on which no decision depends.
    first_number
        Number of the first action.

    Attributes
    ----------
    failure
        The error at which the policy failed; None while it is called.
    """

    def __init__(
        self,
        decider: Policy,
        *,
        policy: str,
        max_actions_per_s: float,
        clock: Clock,
        first_number: int = 0,
    ) -> None:
        self._decider, self._policy, self._clock = decider, policy, clock
        self._bucket = TokenBucket(max_actions_per_s)
        self._number = first_number
        self._refused: list[Acknowledgement] = []
        self._t_ns, self._armed_ns = 0, 0
        self._armed = False
        self.failure: PolicyError | None = None

    def step(self, items: Sequence[Given]) -> Iterator[ObservedMessage | Action | Event]:
        for item in items:
            refused, self._refused = self._refused, []
            for one in refused:
                refusal = Given(REFUSALS, one.number, item.t_ns, item.armed, one, one.t_received_ns)
                yield from self._decided(refusal)
            yield from self._decided(item)

    def _decided(self, item: Given) -> Iterator[ObservedMessage | Action | Event]:
        if self.failure is not None:
            return
        observation = self._observation(item)
        yield ObservedMessage(item.stream, item.number, observation.t_ns, item.armed)
        try:
            requests = self._requests(observation)
        except PolicyError as error:
            self.failure = error
            yield Event("alarm", "controller", POLICY_FAILED, str(error))
            return
        t_decided_ns = self._clock.now_ns() if requests else 0
        for request in requests:
            yield self._action(request, item, observation.t_ns, t_decided_ns)

    def _observation(self, item: Given) -> Observation:
        self._t_ns = max(self._t_ns, item.t_ns)
        if item.armed and not self._armed:
            self._armed_ns = self._t_ns
        self._armed = item.armed
        armed_for_s = (self._t_ns - self._armed_ns) / _NS_PER_S if item.armed else 0.0
        return Observation(self._t_ns, item.body, item.armed, armed_for_s)

    def _requests(self, observation: Observation) -> list[Request]:
        try:
            returned = self._decider.decide(observation)
        except PolicyError:
            raise
        except (Exception, SystemExit) as error:
            raise policy_failure(self._policy, error) from error
        if mistake := mistake_of(returned):
            raise PolicyReturnError(policy=self._policy, got=mistake)
        return returned

    def _action(self, request: Request, item: Given, t_ns: int, t_decided_ns: int) -> Action:
        outcome, number = self._outcome(t_ns), self._number
        self._number += 1
        is_sent = outcome is Outcome.SENT
        if not is_sent and item.stream != REFUSALS:
            self._refused.append(
                Acknowledgement(
                    number,
                    Result.REFUSED.value,
                    request.name.value,
                    request.target,
                    t_received_ns=t_ns,
                    t_flip_ns=0,
                    frame_number=-1,
                    text=_WITHHELD[outcome],
                )
            )
        frame, t_cause_ns, t_scan_ns = _cause(item, t_ns)
        return Action(
            number,
            request.name.value,
            self._policy,
            outcome.value,
            cause=item.stream,
            cause_frame=frame,
            t_cause_ns=t_cause_ns,
            t_scan_ns=t_scan_ns,
            t_observed_ns=t_ns,
            t_decided_ns=t_decided_ns,
            target=str(request.target),
            value=float(request.value),
            reason=str(request.reason),
            t_due_ns=int(request.t_due_ns),
            # those of a withheld action would fill the log
            frames=request.frames if is_sent else np.zeros((0, 0, 0), np.uint8),
        )

    def _outcome(self, t_ns: int) -> Outcome:
        if not self._armed:
            return Outcome.NOT_ARMED
        return Outcome.SENT if self._bucket.take(t_ns) else Outcome.RATE_LIMITED


def _cause(item: Given, t_ns: int) -> tuple[int, int, int]:
    """Frame, time and newest scan of what was observed, as `Action` has them."""
    if isinstance(item.body, Reconstruction):
        return item.body.frame, item.body.t_frame_mid_ns, item.body.t_scan_ns
    return -1, item.t_sent_ns or t_ns, 0


def policy_failure(policy: str, error: BaseException) -> PolicyFailedError:
    """What `error`, which `policy` raised, means for the run, in text that can be sent."""
    what = "".join(traceback.format_exception_only(error)).strip()
    what = what.removeprefix(f"{type(error).__module__}.")
    return PolicyFailedError(policy=policy, error=_sent(f"{what:.200}"), where=_sent(_where(error)))


def _sent(text: str) -> str:
    """`text` without halves of surrogate pairs, which no message can have."""
    return text.encode(errors="backslashreplace").decode()


def _where(error: BaseException) -> str:
    """File, line and text of the line of the policy at which `error` was raised.

    Lines of Python and of installed packages, which the policy has called, are left out.
    """
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "without a traceback"
    last = next((one for one in reversed(frames) if not _is_installed(one.filename)), frames[-1])
    return f"{last.filename}, line {last.lineno}: {last.line or '?'}"


def _is_installed(file: str) -> bool:
    return any(file.startswith(folder) for folder in _INSTALLED)
