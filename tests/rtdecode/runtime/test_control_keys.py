"""A process's name on the control channel, and on the command link, is bound to its host's key."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab_keys import Lab

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.command_receiver import CommandReceiver, packed
from rtdecode.runtime.control import ControlClient, ControlServer, identity_of
from rtdecode.runtime.progress import KeptMessages
from rtdecode.runtime.sockets import Messaging
from rtdecode.schema.control import Action
from rtdecode.schema.messages import Command, Event, Health, Stamped

CLOCK = HostClock()
WAIT_S = 60.0
TOKEN = "of this run"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def on(lab: Lab) -> Iterator[Callable[[str], Messaging]]:
    """The sockets of a process on the host of this name; all are closed after the test."""
    opened: list[Messaging] = []

    def messaging(host: str, *, at: str = "decoder") -> Messaging:
        opened.append(Messaging(lab.keys(host, at=at)))
        return opened[-1]

    yield messaging
    for one in reversed(opened):
        one.close()


On = Callable[..., Messaging]


def received(server: ControlServer, until: Callable[[], bool]) -> list[tuple[str, Stamped]]:
    got: list[tuple[str, Stamped]] = []
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while not until() and CLOCK.now_ns() < until_ns:
        got += server.receive(0.02)
    return got


def client(messaging: Messaging, name: str, endpoint: str, token: str = TOKEN) -> ControlClient:
    return ControlClient(messaging, name, clock=CLOCK, endpoint=endpoint, token=token)


@pytest.mark.parametrize(
    ("host", "name", "is_accepted"),
    [
        ("microscope", "bridge", True),
        ("screen", "stimulus", True),
        ("decoder", "recorder", True),
        ("decoder", "operator-1", True),
        ("microscope", "join-microscope", True),
        ("microscope", "join-screen", False),
        ("microscope", "stimulus", False),
        ("microscope", "recorder", False),
        ("microscope", "decoder", False),
        ("microscope", "supervisor", False),
        ("microscope", "operator-1", False),
        ("decoder", "bridge", False),
    ],
)
def test_a_name_is_accepted_from_the_host_that_has_it_alone(
    lab: Lab, on: On, host: str, name: str, is_accepted: bool
) -> None:
    endpoint, here = lab.endpoint(), on("decoder")
    server = ControlServer(here, clock=CLOCK, endpoint=endpoint, token=TOKEN)
    client(on(host), name, endpoint).push(Health("ready", "", {}))
    got: list[tuple[str, Stamped]] = []
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while not got and not here.refused.n and CLOCK.now_ns() < until_ns:
        got += server.receive(0.02)
    assert [one for one, _ in got] == ([name] if is_accepted else [])
    assert here.refused.n == (0 if is_accepted else 1)


def test_nobody_occupies_the_name_of_a_process_before_it_connects(lab: Lab, on: On) -> None:
    endpoint, here = lab.endpoint(), on("decoder")
    server = ControlServer(here, clock=CLOCK, endpoint=endpoint, token=TOKEN)
    # the host of the microscope runs a process, so it has the token; it claims all that it knows
    microscope = on("microscope")
    squatters = [
        client(microscope, "recorder", endpoint),
        client(microscope, "recorder.", endpoint),
    ]
    plain = microscope.dealer(endpoint, identity=identity_of("recorder", TOKEN))
    for squatter in squatters:
        squatter.push(Health("ready", "", {}))
    plain.send(b"anything")
    received(server, lambda: here.refused.n == 3)
    recorder = client(on("decoder"), "recorder", endpoint)
    recorder.push(Health("ready", "", {}))
    got: list[tuple[str, Stamped]] = []
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while not got and CLOCK.now_ns() < until_ns:
        got += server.receive(0.02)
    assert [name for name, _ in got] == ["recorder"]
    server.send("recorder", Command("recorder", "start", ""))
    [start] = recorder.take(WAIT_S)
    assert start.message.body.name == "start"
    assert [squatter.take(0.05) for squatter in squatters] == [[], []]
    assert not plain.poll(0)


def test_what_a_joined_host_states_of_itself_needs_no_token_but_its_key(lab: Lab, on: On) -> None:
    endpoint, here = lab.endpoint(), on("decoder")
    server = ControlServer(here, clock=CLOCK, endpoint=endpoint, token=TOKEN)
    event = Event("warning", "screen", "processor_saturated", "busy")
    client(on("microscope"), "join-screen", endpoint, token="its own").push(event)
    assert received(server, lambda: here.refused.n == 1) == []
    client(on("screen"), "join-screen", endpoint, token="its own").push(event)
    got: list[tuple[str, Stamped]] = []
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while not got and CLOCK.now_ns() < until_ns:
        got += server.receive(0.02)
    [(identity, message)] = got
    assert (identity.partition(".")[0], message.body.code) == ("join-screen", event.code)


def test_commands_are_passed_on_from_the_page_and_not_from_the_microscope(lab: Lab, on: On) -> None:
    endpoint, here = lab.endpoint(), on("decoder")
    server = ControlServer(here, clock=CLOCK, endpoint=endpoint, token=TOKEN)
    target = client(on("decoder"), "decoder", endpoint)
    target.push(Health("ready", "", {}))
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while not server.receive(0.02) and CLOCK.now_ns() < until_ns:
        pass
    bridge, view = (
        client(on("microscope"), "bridge", endpoint),
        client(on("office"), "view", endpoint),
    )
    bridge.push(Command("decoder", "arm", "by the bridge"))
    received(server, lambda: here.refused.n == 1)
    view.push(Command("decoder", "arm", "by the page"))
    got = []
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while not got and CLOCK.now_ns() < until_ns:
        server.receive(0.02)
        got = list(target.take(0.02))
    assert [one.message.body.value for one in got] == ["by the page"]


def test_the_stimulus_takes_commands_from_the_host_of_the_controller_alone(
    lab: Lab, on: On, tmp_path: Path
) -> None:
    endpoint, screen = lab.endpoint(), on("screen")
    receiver = CommandReceiver(
        screen, clock=CLOCK, endpoint=endpoint, kept=KeptMessages(None, slots=256), token=TOKEN
    )
    pause = Action(0, "pause", "mine", "sent", "", -1, 0, 0, 0, 0)
    links = {
        host: on(host, at="screen").dealer(endpoint, identity=identity_of(f"controller.{n}", TOKEN))
        for n, host in enumerate(("microscope", "decoder"))
    }
    links["microscope"].send(packed("controller", 0, pause, CLOCK.now_ns()))
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while not screen.refused.n and CLOCK.now_ns() < until_ns:
        assert receiver.take(0.02) == []
    assert screen.refused.n == 1
    assert not receiver.has_sender
    links["decoder"].send(packed("controller", 0, pause, CLOCK.now_ns()))
    got = []
    while not got and CLOCK.now_ns() < until_ns:
        got = receiver.take(0.02)
    assert [command.seq for command in got] == [0]


def test_a_program_of_this_user_needs_no_key_at_the_private_endpoint(
    lab: Lab, on: On, tmp_path: Path
) -> None:
    endpoint, private = lab.endpoint(), f"ipc://{tmp_path}/control"
    server = ControlServer(
        on("decoder"), clock=CLOCK, endpoint=endpoint, token=TOKEN, also_at=[private]
    )
    with Messaging() as messaging:
        operator = client(messaging, "operator-1", private)
        bridge = client(on("microscope"), "bridge", endpoint)
        for one in (operator, bridge):
            one.push(Health("ready", "", {}))
        got: list[tuple[str, Stamped]] = []
        until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
        while len(got) < 2 and CLOCK.now_ns() < until_ns:
            got += server.receive(0.02)
        assert {name for name, _ in got} == {"operator-1", "bridge"}
        for name, one in (("operator-1", operator), ("bridge", bridge)):
            server.send(name, Command(name, "start", ""))
            assert [taken.message.body.name for taken in one.take(WAIT_S)] == ["start"]


@pytest.mark.parametrize(("host", "is_accepted"), [("screen", True), ("microscope", False)])
def test_events_of_a_joined_host_are_accepted_from_its_key(
    lab: Lab, on: On, host: str, is_accepted: bool
) -> None:
    """As that of saturated processors; a host that joins has no token of the run."""
    endpoint = lab.endpoint()
    messaging = on("decoder")
    server = ControlServer(messaging, clock=CLOCK, endpoint=endpoint, token=TOKEN)
    joined = client(on(host), "join-screen", endpoint, token="instance")
    joined.push(Event("warning", "screen", "processor_saturated", "its processors are saturated"))
    got: list[tuple[str, Stamped]] = []
    until_ns = CLOCK.now_ns() + int(WAIT_S * 1e9)
    while not got and not messaging.refused.n and CLOCK.now_ns() < until_ns:
        got = server.receive(0.02)
    assert bool(got) is is_accepted
    assert (messaging.refused.n == 0) is is_accepted
