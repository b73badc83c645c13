"""Encrypted sockets at a real address: who is admitted, who is not, and what is said about it."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq
from lab_keys import Lab
from zmq.utils.monitor import recv_monitor_message

from rtdecode.runtime.admission import Admission
from rtdecode.runtime.arrivals import arrived
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.keys import NetworkKeys
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.subscriber import Collector, Subscriber
from rtdecode.schema.errors import HostUnnamedError, KeysMissingError
from rtdecode.schema.messages import Event, Gap, Health, Received, Stamped

CLOCK = HostClock()
WAIT_S = 60.0


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def opened() -> Iterator[Callable[[NetworkKeys | None], Messaging]]:
    """Opens a Messaging with keys; all are closed after the test."""
    all_opened: list[Messaging] = []

    def messaging(keys: NetworkKeys | None) -> Messaging:
        all_opened.append(Messaging(keys))
        return all_opened[-1]

    yield messaging
    for one in reversed(all_opened):
        one.close()


def until(condition: Callable[[], bool], turn: Callable[[], object] = lambda: None) -> bool:
    """Whether `condition` holds within a minute, with `turn` called between two looks."""
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while not (holds := condition()) and CLOCK.now_ns() < until_ns:
        turn()
        CLOCK.sleep_until(CLOCK.now_ns() + 5_000_000)
    return holds


def events_of(messaging: Messaging) -> list[Event]:
    """All events of refused messages and connections that `messaging` has now."""
    events: list[Event] = []

    def offer(event: Event) -> bool:
        events.append(event)
        return True

    for turn in range(10):
        messaging.report(offer, process="recorder", t_ns=CLOCK.now_ns() + turn * 120_000_000_000)
    return events


def recorder(messaging: Messaging, endpoint: str) -> Collector:
    return Collector(messaging, clock=CLOCK, endpoint=endpoint, queue=1000)


def sender(messaging: Messaging, endpoint: str, source: str) -> Publisher:
    return Publisher(messaging, source, clock=CLOCK, publish="", record=endpoint, queue=100)


def gap(number: int) -> Gap:
    return Gap(f"bridge/scan{number}", 0, 0, "decoder")


Opened = Callable[[NetworkKeys | None], Messaging]


def test_a_host_that_is_allowed_sends_and_is_known_by_its_key(lab: Lab, opened: Opened) -> None:
    endpoint, here = lab.endpoint(), opened(lab.keys("decoder"))
    inlet = recorder(here, endpoint)
    outlet = sender(opened(lab.keys("microscope")), endpoint, "bridge")
    outlet.push(gap(0))
    got: list[Received] = []
    assert until(lambda: bool(got), lambda: (outlet.drain(), got.extend(_taken(inlet))))
    assert got[0].message.source == "bridge"
    assert (here.refused.n, here.strangers) == (0, 0)


def _causes(messaging: Messaging) -> set[str]:
    """Why connections were refused; the address may be unknown where one is closed at once."""
    events = events_of(messaging)
    assert {event.code for event in events} == {"stranger_refused"}
    return {event.text.rpartition(": ")[2] for event in events}


def _taken(inlet: Collector) -> list[Received]:
    return [received for _, received in inlet.take(0.01)]


def test_a_key_that_is_not_allowed_is_refused_on_both_sides_in_words(
    lab: Lab, opened: Opened, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = Lab(tmp_path)
    # it knows the key of the recorder's host, which is not secret, and has one of its own
    other.folders["microscope"].revoke("decoder")
    other.folders["microscope"].allow(lab.folders["decoder"].public_file("decoder"))
    endpoint, here = lab.endpoint(), opened(lab.keys("decoder"))
    inlet = recorder(here, endpoint)
    there = opened(other.keys("microscope"))
    outlet = sender(there, endpoint, "bridge")
    outlet.push(gap(0))
    assert until(lambda: here.strangers > 1, outlet.drain)
    assert _taken(inlet) == []
    # it connects again and again, also while the events are made
    refused = events_of(here)
    assert {one.code for one in refused} == {"stranger_refused"}
    assert all(one.counts["connections"] > 0 for one in refused)
    said = f"connections from {lab.address} were refused: their key is not allowed"
    assert any(said in one.text for one in refused)
    assert until(lambda: "ends each connection of this host" in caplog.text)
    assert "run `rtdecode keys allow microscope.key` there" in caplog.text
    assert {event.code for event in events_of(there)} == {"connection_refused"}


def test_another_server_than_the_pinned_one_gets_nothing(
    lab: Lab, opened: Opened, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = Lab(tmp_path)
    endpoint = lab.endpoint()
    imposter = opened(other.keys("decoder"))
    inlet = recorder(imposter, endpoint)
    there = opened(lab.keys("microscope"))
    outlet = sender(there, endpoint, "bridge")
    outlet.push(gap(0))
    assert until(lambda: "ends each connection of this host" in caplog.text, outlet.drain)
    assert _taken(inlet) == []
    assert "`rtdecode keys revoke decoder` first" in caplog.text
    assert _causes(imposter) == {"they expect another key of this host"}


def test_a_plain_client_is_refused_and_a_client_with_keys_sends_nothing_in_the_clear(
    lab: Lab, opened: Opened
) -> None:
    endpoint, here = lab.endpoint(), opened(lab.keys("decoder"))
    inlet = recorder(here, endpoint)
    with zmq.Context() as context, context.socket(zmq.PUSH) as plain:
        plain.set(zmq.LINGER, 0)
        plain.connect(endpoint)
        assert until(lambda: here.strangers > 0)
        assert _taken(inlet) == []
    assert _causes(here) == {"they did not use encryption, or not to the end"}
    open_endpoint = lab.endpoint()
    ended = zmq.EVENT_DISCONNECTED
    with (
        zmq.Context() as context,
        context.socket(zmq.PULL) as plain,
        plain.get_monitor_socket(ended) as monitor,
    ):
        plain.bind(open_endpoint)
        outlet = sender(opened(lab.keys("microscope")), open_endpoint, "bridge")
        outlet.push(gap(0))
        assert monitor.poll(WAIT_S * 1000)
        assert recv_monitor_message(monitor)["event"] == ended
        assert not plain.poll(0)
        plain.disable_monitor()


def test_a_revoked_key_is_refused_and_an_allowed_one_admitted_while_the_socket_is_open(
    opened: Opened, tmp_path: Path
) -> None:
    lab = Lab(tmp_path)
    endpoint, here = lab.endpoint(), opened(lab.keys("decoder"))
    inlet = recorder(here, endpoint)
    lab.folders["decoder"].revoke("microscope")
    outlet = sender(opened(lab.keys("microscope")), endpoint, "bridge")
    outlet.push(gap(0))
    assert until(lambda: here.strangers > 0, outlet.drain)
    lab.folders["decoder"].allow(lab.folders["microscope"].public_file("microscope"))
    got: list[Received] = []
    assert until(lambda: bool(got), lambda: (outlet.drain(), got.extend(_taken(inlet))))


def test_a_host_cannot_send_as_a_process_of_another_host(lab: Lab, opened: Opened) -> None:
    endpoint, here = lab.endpoint(), opened(lab.keys("decoder"))
    inlet = recorder(here, endpoint)
    outlets = [
        sender(there, endpoint, source)
        for there in [opened(lab.keys("microscope"))]
        for source in ("stimulus", "supervisor", "events", "bridge")
    ]
    for outlet in outlets:
        outlet.push(gap(0))
    got: list[Received] = []

    def turn() -> None:
        for outlet in outlets:
            outlet.drain()
        got.extend(_taken(inlet))

    assert until(lambda: len(got) + here.refused.n == 4, turn)
    assert [received.message.source for received in got] == ["bridge"]
    [refused] = events_of(here)
    assert (refused.code, refused.counts["from microscope"]) == ("message_refused", 3)


def test_a_publisher_cannot_publish_as_another_source(lab: Lab, opened: Opened) -> None:
    endpoint = lab.endpoint()
    public = opened(lab.keys("microscope")).bound(zmq.PUB, endpoint, queue=10)
    here = opened(lab.keys("decoder", at="microscope"))
    inlet = Subscriber(here, clock=CLOCK, endpoints=[endpoint], kinds=[Gap], queue=10)
    got: list[Received] = []

    def turn() -> None:
        for source in ("stimulus", "bridge"):
            public.send(pack(Stamped(source, 0, CLOCK.now_ns(), "host", gap(0))))
        got.extend(inlet.take(0.01))

    assert until(lambda: bool(got) and bool(here.refused.n), turn)
    assert {received.message.source for received in got} == {"bridge"}


def test_a_subscriber_takes_from_near_and_far_at_once(
    lab: Lab, opened: Opened, tmp_path: Path
) -> None:
    far, near = lab.endpoint(), f"ipc://{tmp_path}/near"
    publishers = [
        Publisher(there, source, clock=CLOCK, publish=endpoint, record="", queue=10)
        for there, source, endpoint in (
            (opened(lab.keys("microscope")), "bridge", far),
            (opened(None), "decoder", near),
        )
    ]
    here = opened(lab.keys("decoder", at="microscope"))
    inlet = Subscriber(here, clock=CLOCK, endpoints=[near, far], kinds=[Gap], queue=10)
    got: set[str] = set()

    def turn() -> None:
        for publisher in publishers:
            publisher.announce(Health("starting", ""))
        got.update(received.message.source for received in inlet.take(0.01))

    assert until(lambda: got == {"bridge", "decoder"}, turn)


def test_without_keys_nothing_is_opened_on_the_network(lab: Lab, opened: Opened) -> None:
    here = opened(None)
    with pytest.raises(KeysMissingError, match="can be reached from the network"):
        recorder(here, lab.endpoint())
    with pytest.raises(KeysMissingError, match="can be reached from the network"):
        sender(here, lab.endpoint(), "bridge")
    with pytest.raises(KeysMissingError):
        recorder(here, "tcp://*:5999")


def test_no_host_is_trusted_at_an_address_that_the_config_does_not_name(
    lab: Lab, opened: Opened
) -> None:
    with pytest.raises(HostUnnamedError, match=r"no host of network\.hosts has the address"):
        sender(opened(lab.keys("decoder")), "tcp://198.51.100.7:5700", "bridge")


def test_the_handler_admits_no_other_mechanism_and_ends_while_peers_are_connecting(
    lab: Lab, opened: Opened
) -> None:
    endpoint, here = lab.endpoint(), Messaging(lab.keys("decoder"))
    inlet = recorder(here, endpoint)
    admission = here._admission
    assert isinstance(admission, Admission)
    for mechanism, credentials in ((b"NULL", []), (b"PLAIN", [b"a", b"b"]), (b"CURVE", [])):
        request = [b"1.0", b"7", b"rtdecode", b"10.0.0.9", b"", mechanism, *credentials]
        assert admission._answer(request)[2:5:2] == [b"000", b""]
    address, port = endpoint.removeprefix("tcp://").split(":")
    with socket.create_connection((address, int(port))) as silent:
        assert arrived([here._sockets[0]], 0.0) == []
        assert silent.recv(1)  # the greeting of ZeroMQ, to which nothing is answered
        assert _taken(inlet) == []
        here.close()
