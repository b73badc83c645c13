"""The stage of the controller: what it receives → what it records, and what it carries out.

Duties: take the commands of persons and whatever disarms before each observation, so that neither
waits for more than one step of the policy, give observations to the `DecisionStage`, carry out what
is sent, and withdraw it when the controller is disarmed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rtdecode.control.arming import Arming, Change, Severity, Watched
from rtdecode.control.decision_stage import TIME, DecisionStage, Given, given
from rtdecode.control.rate_limit import WithheldCount
from rtdecode.pipeline.action_carrier import NOT_CARRIED, ActionCarrier
from rtdecode.runtime.operator_link import (
    Answer,
    OperatorCommand,
    answer_to,
    sender_of,
    too_old,
)
from rtdecode.schema.config.control import Arm
from rtdecode.schema.control import Acknowledgement, Action, Delivery, Outcome, Trial
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import (
    Behaviour,
    Body,
    Command,
    DisplayedFrame,
    Event,
    Health,
    Received,
    Reconstruction,
    Score,
)

OBSERVED = (Reconstruction, Score, Behaviour, DisplayedFrame, Acknowledgement, Trial)
"""What the policy is given, besides session time."""
_TIME_NS = 100_000_000
_RECORDER = "events"
"""Source under which the recorder sends its heartbeats."""
_AT_START = "the config (arm: at_start)"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the controller needs of its process."""

    clock: Clock
    commands: Callable[[], Sequence[Command]]
    """Commands of persons since the last call."""
    answer: Callable[[Command], None]
    lost: Callable[[], Sequence[str]]
    """Names of the watched processes to which the connection was lost since the last call."""
    supervisor_ns: Callable[[], int]
    """When the supervisor sent its newest message; 0 where none came."""
    is_ending: Callable[[], bool]
    """Whether the run ends."""
    keep: Callable[[int, int], None]
    """Keeps number of actions, and 1 where armed, over a restart."""


class ControlStage:
    """Stage of the controller; its outputs are what it records, in order.

    Parameters
    ----------
    decisions
        Gives observations to the policy.
    arming
        Whether actions are carried out.
    carrier
        Carries them out.
    max_actions_per_s
        Rate limit, for the events about what it withheld.
    arm
        at_start arms as soon as the recorder sends heartbeats.
    first_number
        Number of the first action.
    """

    def __init__(
        self,
        decisions: DecisionStage,
        arming: Arming,
        carrier: ActionCarrier,
        around: Surroundings,
        *,
        max_actions_per_s: float,
        arm: Arm = Arm.BY_HAND,
        first_number: int = 0,
    ) -> None:
        self._decisions, self._arming, self._carrier = decisions, arming, carrier
        self._around, self._clock = around, around.clock
        self._withheld = WithheldCount(max_actions_per_s)
        self._actions, self._n_withheld, self._n_times = first_number, 0, 0
        self._time_due_ns = 0
        self._failed = False
        self._arm = arm
        self._pending: list[tuple[Event, bool]] = []
        """Changes of the arming that are not recorded yet, each with the state after it."""

    def step(self, items: Sequence[Received]) -> Iterator[Body]:
        # the oldest heartbeat of a batch is no sign of silence where a newer one has arrived
        for item in items:
            self._note(item)
        yield from self._turn()
        for item in items:
            yield from self._observed(item)
            yield from self._turn()

    def disarm(self, why: str, severity: Severity) -> Iterator[Body]:
        """Disarm for a cause outside."""
        self._change(self._arming.disarm(why, severity=severity).events)
        yield from self._pended()

    def check(self) -> None:
        """Take commands of persons and what disarms at once, also while the policy decides.

        They have their effect now, and are recorded by the next `step`, or after the decision.
        """
        self._change(self._arming.turned(t_ns=self._clock.now_ns()))
        if answered_ns := self._around.supervisor_ns():
            self._arming.received(Watched.SUPERVISOR, t_ns=answered_ns)
        if self._around.is_ending():
            self._change(self._arming.block("the run ends", severity=Severity.INFO))
        for name in self._around.lost():
            self._change(self._arming.lost(Watched(name)))
        for command in self._around.commands():
            self._obey(command)

    def counters(self) -> dict[str, float]:
        """Counters of the heartbeat."""
        counts = {
            "armed": float(self._arming.is_armed),
            "actions": float(self._actions),
            "withheld": float(self._n_withheld),
        }
        left_s = self._arming.dead_man_left_s(self._clock.now_ns())
        return counts if left_s is None else counts | {"dead_man_left_s": round(left_s, 1)}

    def _turn(self) -> Iterator[Body]:
        self.check()
        now_ns = self._clock.now_ns()
        if self._arm is Arm.AT_START:
            self._arm_at_start(now_ns)
        self._change(self._arming.step(t_ns=now_ns))
        yield from self._pended()
        yield from self._effects()
        yield from self._withheld.events(now_ns)
        if now_ns >= self._time_due_ns:
            yield from self._time(armed=self._arming.is_armed)

    def _arm_at_start(self, now_ns: int) -> None:
        """Arm once what is needed has been received."""
        change = self._arming.arm(_AT_START, t_ns=now_ns, severity=Severity.WARNING)
        if change.accepted:
            self._arm = Arm.BY_HAND
            self._change(change.events)

    def _obey(self, command: Command) -> None:
        by, now_ns = sender_of(command), self._clock.now_ns()
        if command.name in (OperatorCommand.ARM, OperatorCommand.RENEW):
            old = too_old(command, t_ns=now_ns)
            is_renewal = command.name == OperatorCommand.RENEW
            act = self._arming.renew if is_renewal else self._arming.arm
            change = Change(False, old) if old else act(by, t_ns=now_ns)
        elif command.name == OperatorCommand.DISARM:
            # a person who disarms before the config has armed wants no arming either
            self._arm = Arm.BY_HAND
            change = self._arming.disarm(f"by {by}")
        else:
            return
        self._change(change.events)
        self._answer(command, change)

    def _answer(self, command: Command, change: Change) -> None:
        answer = answer_to(command, Answer(change.accepted, change.text))
        if answer is not None:
            self._around.answer(answer)

    def _effects(self) -> Iterator[Body]:
        for effect in self._carrier.effects():
            yield effect
            if isinstance(effect, Delivery) and effect.error:
                yield from self.disarm(effect.error, Severity.ALARM)
            if isinstance(effect, Event) and effect.code == NOT_CARRIED:
                yield from self.disarm(effect.text, Severity.ALARM)

    def _note(self, item: Received) -> None:
        """Note that the sender of `item` was alive."""
        message, body = item.message, item.message.body
        if isinstance(body, Health) and message.source == _RECORDER:
            self._arming.received(Watched.RECORDER, t_ns=item.t_received_ns)
        if isinstance(body, Reconstruction):
            # by the time of readiness: what is old does not count as new where this process is late
            self._arming.received(Watched.DECODER, t_ns=body.t_ready_ns)

    def _observed(self, item: Received) -> Iterator[Body]:
        body = item.message.body
        if isinstance(body, OBSERVED):
            now_ns, armed = self._clock.now_ns(), self._arming.is_armed
            yield from self._decided(given(item, body, t_ns=now_ns, armed=armed))

    def _change(self, events: Sequence[Event]) -> None:
        """Note changes of the arming; what has had no effect yet is withdrawn where it ended."""
        if not events:
            return
        armed = self._arming.is_armed
        self._around.keep(self._actions, int(armed))
        if not armed:
            self._carrier.withdraw()
        self._pending += [(event, armed) for event in events]

    def _pended(self) -> Iterator[Body]:
        """The changes of the arming that wait, and session time after each."""
        while self._pending:
            event, armed = self._pending.pop(0)
            yield event
            yield from self._time(armed=armed)

    def _time(self, *, armed: bool) -> Iterator[Body]:
        now_ns = self._clock.now_ns()
        self._time_due_ns = now_ns + _TIME_NS
        self._n_times += 1
        yield from self._decided(Given(TIME, self._n_times, now_ns, armed))

    def _decided(self, item: Given) -> Iterator[Body]:
        for out in self._decisions.step([item]):
            if isinstance(out, Action):
                self._count(out)
            yield out
        if self._decisions.failure is not None and not self._failed:
            self._failed = True
            self._change(self._arming.block(str(self._decisions.failure)))
        yield from self._pended()

    def _count(self, action: Action) -> None:
        self._actions = action.number + 1
        # kept before it acts or is recorded, so that no number is given twice
        self._around.keep(self._actions, int(self._arming.is_armed))
        if action.outcome == Outcome.SENT:
            if self._arming.is_armed:
                self._carrier.carry(action)
            else:
                self._carrier.refuse(action, "the controller was disarmed while the policy decided")
            return
        self._n_withheld += 1
        if action.outcome == Outcome.RATE_LIMITED:
            self._withheld.add()
