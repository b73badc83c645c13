"""Real sockets: nothing is lost silently, late joiners get START, what waits is bounded."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq
from free_ports import has_ipv6

from rtdecode.runtime.backlog import FULL
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.control import ControlClient, ControlServer
from rtdecode.runtime.key_folder import KeyFolder
from rtdecode.runtime.keys import network_keys
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.socket_options import set_options
from rtdecode.runtime.sockets import Messaging, address_of, has_room
from rtdecode.runtime.subscriber import Collector, Subscriber
from rtdecode.schema.config.network import NetworkConfig
from rtdecode.schema.errors import AddressInUseError, AddressUnusableError, RecorderAbsentError
from rtdecode.schema.hosts import ClockProbe
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    End,
    Event,
    Gap,
    Health,
    Received,
    Scan,
    Start,
)
from rtdecode.schema.microscope import FieldOfView

CLOCK = HostClock()
START = Start("s", config_yaml="", git_revision="", twin_hash="")
WAIT_S = 60.0


@pytest.fixture
def messaging() -> Iterator[Messaging]:
    with Messaging() as made:
        yield made


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/s"


def gap(n: int) -> Gap:
    return Gap("x", n, 1, "t")


def published(
    messaging: Messaging, address: str, *, record: str = "", backlog_mb: float = 100.0
) -> Publisher:
    return Publisher(
        messaging,
        "bridge",
        clock=CLOCK,
        publish=address,
        record=record,
        queue=100,
        backlog_mb=backlog_mb,
    )


def subscribed(messaging: Messaging, address: str, *kinds: type[Body]) -> Subscriber:
    return Subscriber(messaging, clock=CLOCK, endpoints=[address], kinds=kinds, queue=100)


def taken(inlet: Subscriber | Collector, count: int) -> list[Received]:
    got: list[Received] = []
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while len(got) < count and CLOCK.now_ns() < until_ns:
        got += [item if isinstance(item, Received) else item[1] for item in inlet.take(0.05)]
    return got


def drained(publisher: Publisher, collector: Collector) -> list[Received]:
    """All that `publisher` holds, as it is recorded; its END is the last message."""
    got: list[Received] = []
    while not got or not isinstance(got[-1].message.body, End):
        publisher.drain()
        got += [item for _, item in collector.take(0.05)]
    return got


def joined(publisher: Publisher, inlet: Subscriber) -> None:
    """Announce until the subscriber has received it."""
    health = Health("starting", "", {})
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while CLOCK.now_ns() < until_ns:
        publisher.announce(health)
        if inlet.take(0.02):
            return
    pytest.fail("no announcement was received")


def test_a_subscriber_gets_its_kinds_in_order_and_no_others(
    messaging: Messaging, address: str
) -> None:
    publisher, inlet = published(messaging, address), subscribed(messaging, address, Gap)
    joined(publisher, inlet)
    pixels = np.zeros((2, 2), np.uint16)
    for n in range(20):
        publisher.push(gap(n))
        publisher.push(Scan(pixels, n, 0, 0, 0))
    bodies = [got.message.body for got in taken(inlet, 20)]
    assert [b.first_missing for b in bodies if isinstance(b, Gap)] == list(range(20))
    assert not any(isinstance(body, Scan) for body in bodies)


def test_a_late_joiner_gets_the_start_it_missed(messaging: Messaging, address: str) -> None:
    publisher = published(messaging, address)
    publisher.start(START)
    publisher.push(gap(0))
    late = subscribed(messaging, address, Gap)
    got: list[Received] = []
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while not got and CLOCK.now_ns() < until_ns:
        publisher.announce_start()
        got += late.take(0.02)
    assert isinstance(got[0].message.body, Start)
    assert got[0].message.seq == 0


def test_the_recorder_gets_everything_that_anybody_sends(
    messaging: Messaging, address: str
) -> None:
    collector = Collector(messaging, clock=CLOCK, endpoint=address + "r", queue=100)
    publisher = published(messaging, address, record=address + "r")
    publisher.start(START)
    for n in range(50):
        publisher.push(gap(n))
    publisher.end(session="s", reason="test")
    kinds = [got.message.body.kind for got in drained(publisher, collector)]
    assert kinds == ["start", *["gap"] * 50, "end"]


def test_what_is_announced_to_all_reaches_late_subscribers_and_no_recorder(
    messaging: Messaging, address: str
) -> None:
    collector = Collector(messaging, clock=CLOCK, endpoint=address + "r", queue=100)
    publisher = published(messaging, address, record=address + "r")
    picture = FieldOfView(np.zeros((2, 2), np.uint8), 0, 7, 0, 1, 0.0, 1.0)
    publisher.announce_to_all(picture)
    publisher.start(START)
    late = subscribed(messaging, address, FieldOfView)
    got: list[Received] = []
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while len(got) < 2 and CLOCK.now_ns() < until_ns:
        publisher.announce_start()
        got += late.take(0.02)
    # once for each prefix that it has subscribed to
    assert {one.message.body.kind for one in got} == {"field_of_view", "start"}
    publisher.end(session="s", reason="test")
    (start, end) = (one.message.body for one in drained(publisher, collector))
    assert isinstance(start, Start)
    assert isinstance(end, End)
    assert end.last_seq == {"start": 0}


def test_without_a_recorder_nothing_starts(
    messaging: Messaging, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtdecode.runtime.publisher._RECORDER_WAIT_S", 0.05)
    publisher = published(messaging, address, record=address + "r")
    with pytest.raises(RecorderAbsentError, match="nothing was started"):
        publisher.require_recorder()


FRAME = DisplayedFrame("c", 0, np.zeros((1000, 1000), np.uint8), 0, 1)


def test_what_a_stalled_recorder_does_not_take_is_held_in_order(
    messaging: Messaging, address: str
) -> None:
    collector = Collector(messaging, clock=CLOCK, endpoint=address + "r", queue=2)
    publisher = published(messaging, address, record=address + "r")
    publisher.start(START)
    for n in range(40):
        publisher.push(FRAME)
        publisher.push(gap(n))
    assert publisher.backlog.mb > 1
    publisher.end(session="s", reason="test")
    got = drained(publisher, collector)
    seqs = [one.message.seq for one in got if isinstance(one.message.body, DisplayedFrame)]
    gaps = [one.message.body.first_missing for one in got if isinstance(one.message.body, Gap)]
    assert [got[0].message.body.kind, seqs, gaps] == ["start", [*range(40)], [*range(40)]]
    assert publisher.backlog.mb == 0


def test_what_exceeds_the_backlog_is_counted_by_stream_and_the_rest_recorded(
    messaging: Messaging, address: str
) -> None:
    collector = Collector(messaging, clock=CLOCK, endpoint=address + "r", queue=2)
    publisher = published(messaging, address, record=address + "r", backlog_mb=3.5)
    publisher.start(START)
    for _ in range(60):
        publisher.push(FRAME)
    publisher.end(session="s", reason="test")
    bodies = [one.message.body for one in drained(publisher, collector)]
    frames = sum(isinstance(body, DisplayedFrame) for body in bodies)
    alarms = [body for body in bodies if isinstance(body, Event)]
    assert {(one.severity, one.code) for one in alarms} == {("alarm", FULL)}
    lost = sum(one.counts["bridge/displayed_frame"] for one in alarms)
    assert lost > 0
    assert frames + lost == 60
    assert publisher.backlog.n_refused == lost
    end = bodies[-1]
    assert isinstance(end, End)
    assert end.last_seq["displayed_frame"] == 59
    assert end.last_seq["event"] == len(alarms) - 1


def test_what_is_sent_before_the_recorder_is_there_comes_first(
    messaging: Messaging, address: str
) -> None:
    publisher = published(messaging, address, record=address + "r")
    publisher.start(START)
    publisher.push(gap(0))
    collector = Collector(messaging, clock=CLOCK, endpoint=address + "r", queue=2)
    publisher.end(session="s", reason="test")
    got = drained(publisher, collector)
    assert [one.message.body.kind for one in got] == ["start", "gap", "end"]


def test_an_address_in_use_says_so(messaging: Messaging) -> None:
    first = published(messaging, "tcp://127.0.0.1:*")
    taken_port = first._public.get_string(__import__("zmq").LAST_ENDPOINT)
    with pytest.raises(AddressInUseError, match="already in use"):
        published(messaging, taken_port)


def test_what_is_put_back_comes_first(messaging: Messaging, address: str) -> None:
    publisher, inlet = published(messaging, address), subscribed(messaging, address, Gap)
    joined(publisher, inlet)
    publisher.push(gap(0))
    [first] = taken(inlet, 1)
    inlet.put_back([first])
    publisher.push(gap(1))
    seqs = [got.message.seq for got in taken(inlet, 2) if isinstance(got.message.body, Gap)]
    assert seqs == [0, 1]


def test_the_control_line_carries_health_up_and_commands_down(
    messaging: Messaging, address: str
) -> None:
    server = ControlServer(messaging, clock=CLOCK, endpoint=address)
    client = ControlClient(messaging, "decoder", clock=CLOCK, endpoint=address)
    client.push(Health("ready", "", {}))
    [(name, message)] = server.receive(WAIT_S)
    assert name == "decoder"
    assert isinstance(message.body, Health)
    server.send("decoder", gap(7))
    [got] = client.take(WAIT_S)
    assert isinstance(got.message.body, Gap)
    server.send("nobody", gap(8))


def test_a_process_of_another_run_is_refused_and_gets_no_commands(
    messaging: Messaging, address: str
) -> None:
    server = ControlServer(messaging, clock=CLOCK, endpoint=address, token="secret")
    strangers = [
        ControlClient(messaging, "decoder", clock=CLOCK, endpoint=address, token=token)
        for token in ("", "guess")
    ]
    for stranger in strangers:
        stranger.push(Health("ready", "", {}))
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while messaging.refused.n < 2 and CLOCK.now_ns() < until_ns:
        assert server.receive(0.05) == []
    assert messaging.refused.n == 2
    ours = ControlClient(messaging, "decoder", clock=CLOCK, endpoint=address, token="secret")
    ours.push(Health("running", "", {}))
    [(name, message)] = server.receive(WAIT_S)
    assert (name, message.body.state) == ("decoder", "running")
    server.send("decoder", gap(7))
    [got] = ours.take(WAIT_S)
    assert isinstance(got.message.body, Gap)
    assert [stranger.take(0.05) for stranger in strangers] == [[], []]


def test_clock_probes_are_answered_to_a_rig_without_the_token(
    messaging: Messaging, address: str
) -> None:
    server = ControlServer(messaging, clock=CLOCK, endpoint=address, token="secret")
    rig = ControlClient(messaging, "bridge", clock=CLOCK, endpoint=address)
    rig.push(ClockProbe(5, 0, 0, 0))
    assert server.receive(WAIT_S) == []
    [got] = rig.take(WAIT_S)
    assert isinstance(got.message.body, ClockProbe)
    assert got.message.body.t_request_ns == 5
    assert got.message.body.t_reply_ns > 0


def test_connections_outlast_a_cut_and_notice_a_host_that_was_started_again() -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        set_options(socket, zmq.SUB, queue=10)
        assert socket.get(zmq.TCP_KEEPALIVE) == 1
        interval_s = socket.get(zmq.TCP_KEEPALIVE_INTVL)
        assert socket.get(zmq.TCP_KEEPALIVE_IDLE) <= 10
        assert interval_s * socket.get(zmq.TCP_KEEPALIVE_CNT) >= 600
        assert socket.get(zmq.RCVHWM) == 10


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_addresses_of_ipv6_are_bound_and_connected(messaging: Messaging) -> None:
    bound = messaging.bound(zmq.PULL, "tcp://[::1]:*", queue=1)
    connected = messaging.connected(zmq.PUSH, [address_of(bound)], queue=1)
    assert has_room(connected, WAIT_S)
    connected.send(b"scan")
    assert bound.poll(int(WAIT_S * 1000))
    assert bound.recv() == b"scan"


def test_an_address_of_another_machine_is_not_said_to_be_in_use(tmp_path: Path) -> None:
    KeyFolder(tmp_path).new("decoder")
    network = NetworkConfig(control="tcp://*:5700", keys=tmp_path)
    with (
        Messaging(network_keys(network)) as messaging,
        pytest.raises(AddressUnusableError, match=r"192\.0\.2\.1"),
    ):
        messaging.bound(zmq.PULL, "tcp://192.0.2.1:5700", queue=1)
