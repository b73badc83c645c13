"""Each command is delivered once, in order, and has one result, whatever the channel does."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rtdecode.runtime.codec import unpack
from rtdecode.runtime.command_receiver import CommandOrder, ReceivedCommand, withdrawal_of
from rtdecode.runtime.progress import KeptMessages
from rtdecode.schema.control import Acknowledgement, Action

SLOTS = 4


def action(number: int, *, target: str = "") -> Action:
    return Action(number, "show_clip", "test", "sent", "", -1, 0, 0, 0, 0, target=target)


def result(command: ReceivedCommand) -> Acknowledgement:
    """Applied, or withdrawn where it was not applied before."""
    what = "withdrawn" if command.is_withdrawal else "applied"
    done = command.action
    return Acknowledgement(done.number, what, done.name, done.target, 0, 0, 0)


class Link(RuleBasedStateMachine):
    """A sender of `SLOTS` open commands, and a stimulus, of which each may be started again."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self.next = 0
        self.open: dict[int, bool] = {}
        """Whether each command without a result is withdrawn."""
        self.results: dict[int, str] = {}
        self.recorded: list[int] = []
        self.applied: list[int] = []

    @initialize()
    def start(self) -> None:
        self.start_stimulus_again()

    @rule()
    def start_stimulus_again(self) -> None:
        kept = KeptMessages(Path(self._folder.name) / "kept", slots=SLOTS)
        self.order = CommandOrder(kept)
        self.pending: dict[int, ReceivedCommand] = {}
        self.delivered = -1

    @rule()
    def start_controller_again(self) -> None:
        self.open = dict.fromkeys(self.open, True)

    @rule()
    def send(self) -> None:
        if self.next - min(self.open, default=self.next) < SLOTS:
            self.open[self.next] = False
            self.next += 1

    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        """Any open command arrives, in any order and again and again."""
        if self.open:
            self._arrive(data.draw(st.sampled_from(sorted(self.open))))

    @rule(data=st.data())
    def act(self, data: st.DataObject) -> None:
        """The stimulus carries out any command that it has."""
        if self.pending:
            self._act(data.draw(st.sampled_from(sorted(self.pending))))

    def _arrive(self, seq: int) -> None:
        sent = action(10 * seq)
        sent = withdrawal_of(sent) if self.open[seq] else sent
        received = self.order.received(ReceivedCommand(seq, sent, 0))
        if isinstance(received, bytes):
            self._answered(received)
        elif received is not None:
            if seq not in self.pending:
                assert seq > self.delivered, "delivered in order"
                self.delivered = seq
            else:
                assert received.is_withdrawal, "delivered twice"
            self.pending[seq] = received

    def _act(self, seq: int) -> None:
        command = self.pending.pop(seq)
        if not command.is_withdrawal:
            self.applied.append(seq)
        self.recorded.append(seq)
        self._answered(self.order.answered(seq, result(command), t_ns=0))

    def _answered(self, data: bytes) -> None:
        message = unpack(data)
        assert isinstance(message.body, Acknowledgement)
        assert message.body.number == 10 * message.seq
        assert self.results.setdefault(message.seq, message.body.result) == message.body.result
        self.open.pop(message.seq, None)

    @invariant()
    def each_has_one_result_and_acts_once(self) -> None:
        assert len(set(self.recorded)) == len(self.recorded)
        assert {seq for seq, what in self.results.items() if what == "applied"} == set(self.applied)

    def teardown(self) -> None:
        while self.open:
            for seq in sorted(self.open):
                self._arrive(seq)
            for seq in sorted(self.pending):
                self._act(seq)
        assert sorted(self.recorded) == [*range(self.next)]
        assert sorted(self.results) == [*range(self.next)]
        self._folder.cleanup()


TestLink = Link.TestCase
TestLink.settings = settings(max_examples=100, stateful_step_count=60)


def fresh() -> CommandOrder:
    return CommandOrder(KeptMessages(None, slots=SLOTS))


def test_a_command_after_a_gap_waits_for_the_missing_one() -> None:
    order = fresh()
    commands = [ReceivedCommand(seq, action(seq), 0) for seq in (1, 0, 1)]
    assert [order.received(one) for one in commands] == [None, commands[1], commands[2]]
    assert order.next == 2


def test_another_command_with_a_used_number_is_refused_and_keeps_the_first_result() -> None:
    order = fresh()
    first = ReceivedCommand(0, action(7), 0)
    assert order.received(first) is first
    kept = order.answered(0, result(first), t_ns=3)
    other = order.received(ReceivedCommand(0, action(8), 0))
    assert isinstance(other, bytes)
    refusal = unpack(other).body
    assert isinstance(refusal, Acknowledgement)
    assert (refusal.number, refusal.result) == (8, "refused")
    assert "the next number is 1" in refusal.text
    assert order.received(first) == kept


def test_a_number_older_than_the_memory_is_refused() -> None:
    order = fresh()
    for seq in range(2 * SLOTS):
        command = ReceivedCommand(seq, action(seq), 0)
        assert order.received(command) is command
        order.answered(seq, result(command), t_ns=0)
    old = order.received(ReceivedCommand(0, action(0), 0))
    assert isinstance(old, bytes)
    assert unpack(old).seq == 0


def test_long_names_are_kept_shortened_and_sent_in_full(tmp_path: Path) -> None:
    kept = KeptMessages(tmp_path / "kept", slots=SLOTS)
    order, name = CommandOrder(kept), "clip" * 250
    command = ReceivedCommand(0, action(5, target=name), 0)
    order.received(command)
    sent = unpack(order.answered(0, result(command), t_ns=0)).body
    assert isinstance(sent, Acknowledgement)
    assert sent.target == name
    again = CommandOrder(kept).received(command)
    assert isinstance(again, bytes)
    answer = unpack(again).body
    assert isinstance(answer, Acknowledgement)
    assert (answer.number, answer.result) == (5, "applied")
    assert name.startswith(answer.target)


def test_a_withdrawal_fits_into_a_slot_and_has_no_frames() -> None:
    many = np.zeros((200, 36, 64), np.uint8)
    long = Action(1, "show_frames", "p" * 999, "sent", "c" * 999, 0, 0, 0, 0, 0, "t" * 999)
    long = Action(**{**_fields(long), "frames": many, "reason": "r" * 999})
    withdrawal = withdrawal_of(long)
    assert (withdrawal.outcome, withdrawal.number, withdrawal.frames.size) == ("withdrawn", 1, 0)


def _fields(one: Action) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__slots__}
