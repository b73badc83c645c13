"""Messages that cannot be read are dropped, counted and reported; the readable ones are kept."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.control import ControlServer
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.refused import RefusedMessages
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.subscriber import Collector, Subscriber
from rtdecode.schema.errors import MessageError
from rtdecode.schema.messages import Event, Gap, Health, Received, Stamped

CLOCK = HostClock()
WAIT_S = 60.0
SECOND_NS = 1_000_000_000


@pytest.fixture
def messaging() -> Iterator[Messaging]:
    with Messaging() as made:
        yield made


@pytest.fixture
def stranger() -> Iterator[Callable[[int, str], "zmq.Socket[bytes]"]]:
    """Connected sockets of a program that is not part of rtdecode."""
    with zmq.Context() as context:
        made: list[zmq.Socket[bytes]] = []

        def connected(kind: int, address: str, identity: bytes = b"") -> "zmq.Socket[bytes]":
            socket: zmq.Socket[bytes] = context.socket(kind)
            made.append(socket)
            if identity:
                socket.set(zmq.IDENTITY, identity)
            socket.connect(address)
            return socket

        yield connected
        for socket in made:
            socket.close(linger=1000)


def gap(seq: int) -> bytes:
    return pack(Stamped("a", seq, 0, "host", Gap("x", seq, 1, "t")))


def taken(collector: Collector, messaging: Messaging, *, total: int) -> list[Received]:
    """Readable messages once `total` messages, readable or not, have arrived."""
    got: list[Received] = []
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while len(got) + messaging.refused.n < total and CLOCK.now_ns() < until_ns:
        got += [received for _, received in collector.take(0.05)]
    return got


def events_of(refused: RefusedMessages, *, t_ns: int, is_sent: bool = True) -> list[Event]:
    events: list[Event] = []

    def offer(event: Event) -> bool:
        events.append(event)
        return is_sent

    refused.report(offer, process="recorder", t_ns=t_ns)
    return events


def test_the_good_messages_around_a_bad_one_are_kept(
    messaging: Messaging, tmp_path: Path, stranger: Callable[..., "zmq.Socket[bytes]"]
) -> None:
    collector = Collector(messaging, clock=CLOCK, endpoint=f"ipc://{tmp_path}/r", queue=100)
    push = stranger(zmq.PUSH, f"ipc://{tmp_path}/r")
    for seq in range(40):
        push.send(b"hello" if seq == 20 else gap(seq))
    push.send(gap(40))
    got = taken(collector, messaging, total=41)
    assert [one.message.seq for one in got] == [*range(20), *range(21, 41)]
    assert messaging.refused.n == 1


@pytest.mark.parametrize(
    "parts", [[b""], [b"", b""], [gap(0), gap(1)], [b"hello", gap(1)], [b"\xc1"], [b"\x80"]]
)
def test_empty_frames_and_several_parts_are_refused(
    messaging: Messaging,
    tmp_path: Path,
    stranger: Callable[..., "zmq.Socket[bytes]"],
    parts: list[bytes],
) -> None:
    collector = Collector(messaging, clock=CLOCK, endpoint=f"ipc://{tmp_path}/r", queue=100)
    push = stranger(zmq.PUSH, f"ipc://{tmp_path}/r")
    push.send_multipart(parts)
    push.send(gap(7))
    assert [one.message.seq for one in taken(collector, messaging, total=2)] == [7]
    assert messaging.refused.n == 1


def test_the_control_channel_drops_senders_without_name_and_wrong_parts(
    messaging: Messaging, tmp_path: Path, stranger: Callable[..., "zmq.Socket[bytes]"]
) -> None:
    address = f"ipc://{tmp_path}/c"
    server = ControlServer(messaging, clock=CLOCK, endpoint=address)
    ready = pack(Stamped("bridge", 0, 0, "host", Health("ready", "")))
    stranger(zmq.DEALER, address).send(ready)
    stranger(zmq.DEALER, address, b"\xff\xfe").send(ready)
    stranger(zmq.REQ, address, b"asks").send(ready)
    bridge = stranger(zmq.DEALER, address, b"bridge")
    for parts in ([b"hello"], [ready, ready], [ready]):
        bridge.send_multipart(parts)
    got: list[tuple[str, Stamped]] = []
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while len(got) + messaging.refused.n < 6 and CLOCK.now_ns() < until_ns:
        got += server.receive(0.05)
    assert [name for name, _ in got] == ["bridge"]
    assert messaging.refused.n == 5


def test_a_subscriber_drops_a_message_that_only_begins_like_one_of_its_kind(
    messaging: Messaging, tmp_path: Path, stranger: Callable[..., "zmq.Socket[bytes]"]
) -> None:
    address = f"ipc://{tmp_path}/p"
    with zmq.Context() as context, context.socket(zmq.PUB) as public:
        public.bind(address)
        inlet = Subscriber(messaging, clock=CLOCK, endpoints=[address], kinds=[Gap], queue=10)
        got: list[Received] = []
        until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
        while not got and CLOCK.now_ns() < until_ns:
            public.send(gap(3)[:-1])
            public.send(gap(3))
            got += inlet.take(0.02)
    assert {one.message.seq for one in got} == {3}
    assert messaging.refused.n > 0


@given(st.lists(st.lists(st.binary(max_size=60), max_size=3), max_size=20), st.data())
def test_random_bytes_among_good_messages_are_counted_and_the_good_ones_kept(
    noise: list[list[bytes]], data: st.DataObject
) -> None:
    good = [[gap(seq)] for seq in range(10)]
    mixed = [(parts, True) for parts in good] + [(parts, False) for parts in noise]
    order = data.draw(st.permutations(mixed))
    refused = RefusedMessages()
    got = refused.batch([("", parts) for parts, _ in order], where="here", clock=CLOCK)
    assert [raw for raw, _ in got] == [parts[0] for parts, is_good in order if is_good]
    with_name = [("", [b"a", *parts]) for parts, _ in order]
    named = refused.named_batch(with_name, where="here", clock=CLOCK)
    assert len(named) == len(good)
    assert refused.n == 2 * len(noise)


def test_whole_numbers_that_a_later_gap_message_could_not_hold_are_refused() -> None:
    refused = RefusedMessages()
    huge = pack(Stamped("a", 2**64 - 1, 0, "host", Gap("x", 0, 1, "t")))
    assert refused.batch([("", [huge])], where="here", clock=CLOCK) == []
    assert refused.n == 1


def test_warnings_and_events_come_at_most_once_a_second_and_add_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused, events = RefusedMessages(), list[Event]()
    with caplog.at_level(logging.WARNING):
        for tenth in range(25):
            t_ns = tenth * SECOND_NS // 10
            refused.add(MessageError(reason="no map"), where="tcp://*:5000", t_ns=t_ns)
            events += events_of(refused, t_ns=t_ns)
        refused.log_rest()
    assert [event.counts["messages"] for event in events] == [1, 10, 10]
    assert [record.args[1] for record in caplog.records if record.args] == [1, 10, 10, 4]  # type: ignore[index]
    assert "tcp://*:5000: message refused: no map" in caplog.text


def test_an_event_that_cannot_be_sent_is_part_of_the_next() -> None:
    refused = RefusedMessages()
    refused.add(MessageError(reason="no map"), where="here", t_ns=0)
    events_of(refused, t_ns=0, is_sent=False)
    refused.add(MessageError(reason="no map"), where="here", t_ns=1)
    [event] = events_of(refused, t_ns=2)
    assert (event.severity, event.process) == ("warning", "recorder")
    assert event.counts == {"messages": 2, "unreadable": 2}
    assert not events_of(refused, t_ns=10 * SECOND_NS)


def test_a_process_without_subscribers_offers_its_events_to_the_recorder_alone(
    messaging: Messaging, tmp_path: Path
) -> None:
    address = f"ipc://{tmp_path}/r"
    publisher = Publisher(messaging, "recorder", clock=CLOCK, publish="", record=address, queue=10)
    assert not publisher.offer(Gap("x", 0, 1, "t"))
    collector = Collector(messaging, clock=CLOCK, endpoint=address, queue=10)
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while not publisher.offer(Gap("x", 1, 1, "t")) and CLOCK.now_ns() < until_ns:
        collector.take(0.01)
    [got] = taken(collector, messaging, total=1)
    assert (got.message.source, got.message.seq) == ("recorder", 0)
