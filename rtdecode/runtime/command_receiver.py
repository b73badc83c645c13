"""The stimulus's end of the command link: each command once and in order, and its one result.

Duties: accept a command if its number is the next one, answer it again from memory where it comes
again, and keep its result over a restart. `runtime.command_link` describes the link and has the
controller's end. `CommandOrder` has no socket.

>>> from rtdecode.runtime.progress import KeptMessages
>>> order = CommandOrder(KeptMessages(None, slots=WINDOW))
>>> pause = Action(0, "pause", "mine", "sent", "", -1, 0, 0, 0, 0)
>>> [order.received(ReceivedCommand(seq, pause, 0)) is not None for seq in (1, 0, 0, 1)]
[False, True, False, True]
"""

import hmac
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from rtdecode.runtime.codec import pack, unpack
from rtdecode.runtime.limits import COMMAND_BYTES, COMMAND_RATE, PeerLimits
from rtdecode.runtime.progress import KeptMessages
from rtdecode.runtime.sockets import CLOCK_NAME, Arrivals, Messaging, address_of
from rtdecode.schema.control import Acknowledgement, Action, Outcome, Result
from rtdecode.schema.errors import MessageError, Refusal
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Health, Stamped

WINDOW = 256
"""Numbers from the oldest command without a result to the newest one, at most."""
STIMULUS, CONTROLLER = "stimulus", "controller"
"""Sources of the results, and of the commands."""
NEXT = "next_command"
"""Counter in the `health` messages of the receiver: the number that it expects next."""
_SILENCE_NS = 2_000_000_000
_NAME_LENGTH = 64
"""Characters of a name that are kept for a restart."""


@dataclass(frozen=True, slots=True, eq=False)
class ReceivedCommand:
    """A command, or the withdrawal of one, with its number on the link."""

    seq: int
    action: Action
    t_received_ns: int

    @property
    def is_withdrawal(self) -> bool:
        """Whether the command of this number must not be carried out, if it has not been."""
        return self.action.outcome == Outcome.WITHDRAWN


class CommandOrder:
    """Order and results of the commands on the link, without a socket.

    Parameters
    ----------
    kept
        Results of this session, with `WINDOW` slots, from which a restart continues.
    """

    def __init__(self, kept: KeptMessages) -> None:
        self._kept, self._results = kept, kept.read()
        first = max(0, max(self._results, default=-1) + 1 - kept.slots)
        self.next = first
        """The number that is expected next."""
        self._withdrawn: set[int] = set()
        self._skip_answered()

    def received(self, command: ReceivedCommand) -> ReceivedCommand | bytes | None:
        """The command if it is to be carried out, the message that answers it again, or None."""
        seq = command.seq
        if (result := self._results.get(seq)) is not None:
            return self._again(command, result)
        if seq < self.next - self._kept.slots:
            return _refusal(command, self.next)
        if seq == self.next:
            self.next += 1
            self._skip_answered()
        elif seq > self.next or not command.is_withdrawal or seq in self._withdrawn:
            return None
        if command.is_withdrawal:
            self._withdrawn.add(seq)
        return command

    def answered(self, seq: int, result: Acknowledgement, *, t_ns: int) -> bytes:
        """Keep `result` for the command `seq`; the message that carries it."""
        data = packed(STIMULUS, seq, result, t_ns)
        is_short = len(data) <= self._kept.longest
        self._kept.write(seq, data if is_short else packed(STIMULUS, seq, _short(result), t_ns))
        self._results[seq] = data
        self._results.pop(seq - self._kept.slots, None)
        self._withdrawn.discard(seq)
        return data

    def results(self, names: Collection[str]) -> list[bytes]:
        """The messages with the results of the commands whose numbers are among `names`."""
        return [result for seq, result in self._results.items() if str(seq) in names]

    def _skip_answered(self) -> None:
        while self.next in self._results:
            self.next += 1

    def _again(self, command: ReceivedCommand, result: bytes) -> bytes:
        answer = unpack(result).body
        is_same = isinstance(answer, Acknowledgement) and answer.number == command.action.number
        return result if is_same else _refusal(command, self.next)


class CommandReceiver:
    """The stimulus's end: each command of the session once, in order, and its answer.

    Parameters
    ----------
    endpoint
        `network.commands`, which is bound.
    kept
        Results of this session, with `WINDOW` slots.
    token
        Token of the run, which the identity of a sender must have. Where it is empty, as in a
        stimulus that was started by hand, every sender is accepted.

    Raises
    ------
    AddressInUseError
        If `endpoint` cannot be bound.
    """

    def __init__(
        self,
        messaging: Messaging,
        *,
        clock: Clock,
        endpoint: str,
        kept: KeptMessages,
        token: str = "",
    ) -> None:
        self._messaging, self._clock, self._token = messaging, clock, token
        self._socket = messaging.router(endpoint, largest=COMMAND_BYTES)
        self._limits = PeerLimits(COMMAND_RATE)
        self._where, self._order = address_of(self._socket), CommandOrder(kept)
        self._sender, self._probed, self._last_ns = "", False, 0

    @property
    def has_sender(self) -> bool:
        """Whether a controller has sent anything, so that commands may come."""
        return bool(self._sender)

    def has_lost_sender(self) -> bool:
        """Whether a controller that sent probes (`health`) has sent nothing for 2 s; True once."""
        is_lost = self._probed and self._clock.now_ns() - self._last_ns > _SILENCE_NS
        self._probed = self._probed and not is_lost
        return is_lost

    def take(self, wait_s: float = 0.0) -> list[ReceivedCommand]:
        """Commands and withdrawals to carry out, in order; waits `wait_s` for the first message.

        Each of them must be answered once.
        """
        arrivals = Arrivals(self._messaging, self._socket, wait_s)
        batch = self._messaging.refused.named_batch(
            arrivals,
            where=self._where,
            clock=self._clock,
            limits=self._limits,
            require_known=lambda identity: self._require_known(arrivals.host, identity),
        )
        now_ns, new = self._clock.now_ns(), dict[int, ReceivedCommand]()
        for identity, message in batch:
            self._sender = identity
            if isinstance(message.body, Health):
                self._probed = True
                self._answer_again(message.body)
            if isinstance(message.body, Action):
                command = ReceivedCommand(message.seq, message.body, now_ns)
                received = self._order.received(command)
                if isinstance(received, bytes):
                    self._send(received)
                elif received is not None:
                    # a withdrawal takes the place of its command: each is answered once
                    new[received.seq] = received
        if batch:
            self._last_ns = now_ns
            receipt = Health("running", "", {NEXT: float(self._order.next)})
            self._send(packed(STIMULUS, self._order.next, receipt, now_ns))
        return [*new.values()]

    def _answer_again(self, probe: Health) -> None:
        """Send the results that a probe asks for, as the first answer may be lost."""
        for result in self._order.results(probe.counters) if probe.counters else ():
            self._send(result)

    def answer(self, seq: int, result: Acknowledgement) -> None:
        """Keep and send the one result of the command with the number `seq` on the link."""
        self._send(self._order.answered(seq, result, t_ns=self._clock.now_ns()))

    def _require_known(self, host: str, identity: str) -> None:
        """Raise MessageError where the sender is no controller of this run."""
        name, _, token = identity.partition("/")
        if self._token and not hmac.compare_digest(token.encode(), self._token.encode()):
            reason = f"'{name:.40}' is not a process of this run"
            raise MessageError(reason=reason, refusal=Refusal.SENDER)
        keys = self._messaging.keys
        if host and keys is not None and not keys.may_send(host, source=CONTROLLER, kind="action"):
            reason = f"the host {host} does not run the controller"
            raise MessageError(reason=reason, refusal=Refusal.SENDER)

    def _send(self, data: bytes) -> None:
        # a sender that has gone sends its commands again, and is answered then
        if self._sender:
            self._socket.send_multipart([self._sender.encode(), data])


def packed(source: str, seq: int, body: Action | Acknowledgement | Health, t_ns: int) -> bytes:
    """The message of `body` with the number `seq` on the link."""
    return pack(Stamped(source, seq, t_ns, CLOCK_NAME, body))


def withdrawal_of(action: Action) -> Action:
    """The withdrawal of `action`, short enough to be kept."""
    return replace(
        action,
        outcome=Outcome.WITHDRAWN.value,
        frames=np.zeros((0, 0, 0), np.uint8),
        target=action.target[:_NAME_LENGTH],
        policy=action.policy[:_NAME_LENGTH],
        cause=action.cause[:_NAME_LENGTH],
        reason="",
    )


def _short(result: Acknowledgement) -> Acknowledgement:
    """`result`, short enough to be kept."""
    name, target = result.name[:_NAME_LENGTH], result.target[:_NAME_LENGTH]
    return replace(result, name=name, target=target, text=result.text[:_NAME_LENGTH])


def _refusal(command: ReceivedCommand, expected: int) -> bytes:
    """The answer to a command whose number on the link another command had."""
    action = command.action
    text = f"command {command.seq} of the link was another one: the next number is {expected}"
    result = Acknowledgement(
        number=action.number,
        result=Result.REFUSED.value,
        name=action.name,
        target=action.target,
        t_received_ns=command.t_received_ns,
        t_flip_ns=0,
        frame_number=-1,
        text=text,
    )
    return packed(STIMULUS, command.seq, result, command.t_received_ns)
