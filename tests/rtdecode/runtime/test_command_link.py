"""Commands over real sockets: each has one result, also when sockets are dropped at random."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.command_link import CommandSender, LinkEvent
from rtdecode.runtime.command_receiver import NEXT, WINDOW, CommandReceiver, ReceivedCommand
from rtdecode.runtime.progress import KeptMessages
from rtdecode.runtime.sockets import Messaging
from rtdecode.schema.control import Acknowledgement, Action
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Health, Stamped

TOKEN = "only-this-run"
CLOCK = HostClock()


def action(number: int, **fields: object) -> Action:
    return Action(number, "show_clip", "test", "sent", "", -1, 0, 0, 0, 0, **fields)  # type: ignore[arg-type]


@dataclass
class Ends:
    """Both ends of a link in one folder, of which each may be opened anew."""

    folder: Path
    token: str = ""
    messaging: list[Messaging] = field(default_factory=list)

    def _kept(self, name: str) -> KeptMessages:
        return KeptMessages(self.folder / name, slots=WINDOW)

    def sender(self, at: str = "link", **options: object) -> CommandSender:
        self.messaging.append(Messaging())
        return CommandSender(
            self.messaging[-1],
            clock=HostClock(),
            endpoint=f"ipc://{self.folder}/{at}",
            kept=self._kept("sender"),
            token=self.token,
            **options,  # type: ignore[arg-type]
        )

    def receiver(self, clock: Clock = CLOCK) -> CommandReceiver:
        self.messaging.append(Messaging())
        return CommandReceiver(
            self.messaging[-1],
            clock=clock,
            endpoint=f"ipc://{self.folder}/link",
            kept=self._kept("receiver"),
            token=TOKEN if self.token else "",
        )

    def close(self, position: int) -> None:
        self.messaging.pop(position).close()


@contextmanager
def opened(folder: Path, token: str = "") -> Iterator[Ends]:
    ends = Ends(folder, token)
    yield ends
    while ends.messaging:
        ends.close(0)


def answer(receiver: CommandReceiver, command: ReceivedCommand) -> None:
    """Answer as a stimulus without a screen."""
    what = "withdrawn" if command.is_withdrawal else "applied"
    done = command.action
    receiver.answer(
        command.seq,
        Acknowledgement(done.number, what, done.name, done.target, 0, 0, command.seq),
    )


def turns(
    sender: CommandSender, receiver: CommandReceiver, until: Callable[[], bool]
) -> tuple[list[Acknowledgement], list[ReceivedCommand]]:
    """Turns of both loops until `until`; the results, and the commands that were delivered."""
    results, delivered = list[Acknowledgement](), list[ReceivedCommand]()
    while not until():
        for command in receiver.take(0.01):
            delivered.append(command)
            answer(receiver, command)
        results += sender.take(0.01)
    return results, delivered


def test_commands_arrive_in_order_and_their_results_come_back(tmp_path: Path) -> None:
    with opened(tmp_path) as ends:
        receiver, sender = ends.receiver(), ends.sender()
        frames = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
        for number in (3, 5, 8):
            assert sender.send(action(number, frames=frames, target="x"))
        results, delivered = turns(sender, receiver, lambda: not len(sender))
    assert [result.number for result in results] == [3, 5, 8]
    assert [command.seq for command in delivered] == [0, 1, 2]
    np.testing.assert_array_equal(delivered[2].action.frames, frames)


def test_what_was_sent_before_the_receiver_was_there_arrives(tmp_path: Path) -> None:
    with opened(tmp_path) as ends:
        sender = ends.sender()
        for number in range(5):
            sender.send(action(number))
        sender.take()
        results, _ = turns(sender, ends.receiver(), lambda: not len(sender))
    assert [result.number for result in results] == [*range(5)]


def test_a_controller_that_was_started_again_withdraws_and_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path) as ends:
        receiver, sender = ends.receiver(), ends.sender()
        sender.send(action(0))
        turns(sender, receiver, lambda: not len(sender))
        sender.send(action(1))
        (applied,) = _received(receiver)
        answer(receiver, applied)
        ends.close(-1)
        ends.sender(at="nowhere").send(action(2))
        ends.close(-1)
        again = ends.sender()
        assert len(again) == 2
        again.send(action(3))
        results, _ = turns(again, receiver, lambda: not len(again))
    assert {one.number: one.result for one in results} == {
        1: "applied",
        2: "withdrawn",
        3: "applied",
    }


def _received(receiver: CommandReceiver) -> list[ReceivedCommand]:
    while not (commands := receiver.take(0.1)):
        pass
    return commands


def test_a_command_that_comes_with_its_withdrawal_is_answered_once(tmp_path: Path) -> None:
    with opened(tmp_path) as ends:
        sender = ends.sender()
        for number in range(100):
            sender.send(action(number))
        sender.withdraw()
        _, delivered = turns(sender, ends.receiver(), lambda: not len(sender))
    assert sorted(one.seq for one in delivered) == [*range(100)]


def test_a_disarmed_controller_withdraws_what_waits(tmp_path: Path) -> None:
    with opened(tmp_path) as ends:
        receiver, sender = ends.receiver(), ends.sender()
        sender.send(action(0))
        (waits,) = _received(receiver)
        sender.withdraw()
        results, delivered = turns(sender, receiver, lambda: not len(sender))
    assert [command.is_withdrawal for command in (waits, *delivered)] == [False, True]
    assert [one.result for one in results] == ["withdrawn"]


def test_a_stimulus_that_was_started_again_knows_what_it_has_done(tmp_path: Path) -> None:
    with opened(tmp_path) as ends:
        receiver, sender = ends.receiver(), ends.sender()
        sender.send(action(0))
        sender.send(action(1))
        taken = list[ReceivedCommand]()
        while len(taken) < 2:
            taken += receiver.take(0.1)
        answer(receiver, taken[1])
        ends.close(0)
        results, delivered = turns(sender, ends.receiver(), lambda: not len(sender))
    assert [command.seq for command in delivered] == [0]
    assert sorted(one.number for one in results) == [0, 1]
    assert {one.number: one.frame_number for one in results} == {0: 0, 1: 1}


def test_an_answer_that_is_lost_comes_again(tmp_path: Path) -> None:
    with opened(tmp_path) as ends:
        receiver, sender = ends.receiver(), ends.sender()
        sender.send(action(0))
        (command,) = _received(receiver)
        connected, receiver._sender = receiver._sender, "nobody"
        answer(receiver, command)
        receiver._sender = connected
        results, delivered = turns(sender, receiver, lambda: not len(sender))
    assert [one.result for one in results] == ["applied"]
    assert delivered == []


def test_a_sender_without_the_token_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path, token="guessed") as ends:
        receiver, stranger = ends.receiver(), ends.sender()
        stranger.send(action(0))
        while not ends.messaging[0].refused.n:
            assert receiver.take(0.1) == []
        ends.token = TOKEN
        known = ends.sender()
        assert not receiver.has_sender
        known.send(action(0))
        turns(known, receiver, lambda: not len(known))
        assert receiver.has_sender
        assert len(stranger) == 1


@pytest.mark.parametrize("stated", [float("nan"), float("inf")])
def test_a_receipt_that_states_no_number_is_left_out(tmp_path: Path, stated: float) -> None:
    with opened(tmp_path) as ends:
        receiver, sender = ends.receiver(), ends.sender()
        sender.send(action(0))
        receipt = Health("running", "", {NEXT: stated})
        assert sender._result(Stamped("stimulus", 0, 0, "host", receipt)) is None
        results, _ = turns(sender, receiver, lambda: not len(sender))
    assert [one.result for one in results] == ["applied"]


def test_a_stimulus_that_was_started_by_hand_accepts_the_controller_of_a_run(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as ends:
        receiver = ends.receiver()
        ends.token = TOKEN
        sender = ends.sender()
        sender.send(action(0))
        results, _ = turns(sender, receiver, lambda: not len(sender))
    assert [one.result for one in results] == ["applied"]


def _events(sender: CommandSender, code: LinkEvent) -> Event:
    while True:
        sender.take(0.01)
        for event in sender.events():
            if event.code == code:
                return event


def test_a_stimulus_that_does_not_answer_is_an_event_and_so_is_its_return(tmp_path: Path) -> None:
    with opened(tmp_path) as ends:
        sender = ends.sender(silence_s=0.05)
        sender.send(action(0))
        silent = _events(sender, LinkEvent.SILENT)
        assert silent.severity == "warning"
        assert silent.counts["seconds"] >= 0.05
        turns(sender, ends.receiver(), lambda: not len(sender))
        assert next(event.code for event in sender.events()) == LinkEvent.ANSWERS


def test_a_stimulus_without_its_session_is_an_alarm(tmp_path: Path) -> None:
    with opened(tmp_path) as ends:
        receiver, sender = ends.receiver(), ends.sender()
        sender.send(action(0))
        turns(sender, receiver, lambda: not len(sender))
        ends.close(0)
        (tmp_path / "receiver").unlink()
        receiver = ends.receiver()
        sender.send(action(1))
        found = list[Event]()
        while not found:
            assert receiver.take(0.01) == []
            sender.take(0.01)
            found = [one for one in sender.events() if one.code == LinkEvent.FORGOTTEN]
    assert found[0].severity == "alarm"


class HandClock:
    """Time that the test sets."""

    now = 0

    def now_ns(self) -> int:
        return self.now

    def sleep_until(self, t_ns: int) -> None:
        self.now = t_ns


def test_a_controller_that_sends_nothing_for_two_seconds_is_lost_once(tmp_path: Path) -> None:
    with opened(tmp_path) as ends:
        clock = HandClock()
        receiver, sender = ends.receiver(clock), ends.sender()
        assert not receiver.has_lost_sender()
        sender.send(action(0))
        turns(sender, receiver, lambda: not len(sender))
        _probed(sender, receiver)
        clock.now = 2_000_000_000
        assert not receiver.has_lost_sender()
        clock.now += 1
        assert [receiver.has_lost_sender() for _ in range(2)] == [True, False]
        _probed(sender, receiver)
        assert not receiver.has_lost_sender()
        clock.now += 2_000_000_001
        assert receiver.has_lost_sender()


def _probed(sender: CommandSender, receiver: CommandReceiver) -> None:
    """Turns until a probe of the sender has arrived."""
    receiver._probed = False
    while not receiver._probed:
        sender.take(0.01)
        receiver.take(0.01)


def test_a_sender_holds_a_bounded_number_of_commands(tmp_path: Path) -> None:
    with opened(tmp_path) as ends:
        sender = ends.sender()
        sent = [sender.send(action(number)) for number in range(WINDOW + 3)]
        assert sent == [True] * WINDOW + [False] * 3
        results, _ = turns(sender, ends.receiver(), lambda: not len(sender))
        assert sender.has_room
    assert [one.number for one in results] == [*range(WINDOW)]


def test_a_sender_holds_a_bounded_number_of_bytes(tmp_path: Path) -> None:
    frames = np.zeros((100, 500, 600), np.uint8)
    with opened(tmp_path) as ends:
        sender = ends.sender()
        sent = [sender.send(action(number, frames=frames)) for number in range(6)]
        sender.withdraw()
        assert sender.has_room
    assert sent == [True] * 5 + [False]


@pytest.mark.parametrize("seed", [1, 2])
def test_links_that_are_dropped_at_random_lose_and_double_nothing(
    tmp_path: Path, seed: int
) -> None:
    rng, n = np.random.default_rng(seed), 600
    applied, recorded, results = list[int](), Counter[int](), dict[int, str]()
    waiting = dict[int, ReceivedCommand]()
    with opened(tmp_path) as ends:
        receiver, sender, number = ends.receiver(), ends.sender(), 0
        while number < n or len(sender):
            for _ in range(rng.integers(0, 20)):
                if number < n and sender.send(action(number)):
                    number += 1
            waiting |= {command.seq: command for command in receiver.take(0.001)}
            for seq in [seq for seq in waiting if rng.random() < 0.7]:
                command = waiting.pop(seq)
                applied += [] if command.is_withdrawal else [command.action.number]
                recorded[command.action.number] += 1
                answer(receiver, command)
            for one in sender.take(0.001):
                assert results.setdefault(one.number, one.result) == one.result
            # nothing is dropped once all are sent, so that the last ones are applied at any pace
            may_drop = number < n
            if may_drop and rng.random() < 0.03:
                ends.close(0)
                receiver = ends.receiver()
                ends.messaging.insert(0, ends.messaging.pop())
                waiting.clear()
            if may_drop and rng.random() < 0.03:
                ends.close(1)
                sender = ends.sender()
    assert set(recorded.values()) == {1}
    assert sorted(recorded) == sorted(results) == [*range(n)]
    assert {one for one, what in results.items() if what == "applied"} == set(applied)
    assert len(applied) == len(set(applied)) > 0
