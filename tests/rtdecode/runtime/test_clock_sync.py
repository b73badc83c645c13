"""Probes over a real control channel set a clock that is off."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtdecode.runtime.clock import ClockMap, ClockSync, HostClock, MappedClock
from rtdecode.runtime.control import ControlClient, ControlServer
from rtdecode.runtime.sockets import Messaging
from rtdecode.schema.messages import ClockProbe, Command, Health

OFFSET_NS = 7_000_000_000


class FarClock:
    """The clock of this host as seen from a host that was started seven seconds later."""

    def now_ns(self) -> int:
        return HostClock().now_ns() - OFFSET_NS

    def sleep_until(self, t_ns: int) -> None:
        HostClock().sleep_until(t_ns + OFFSET_NS)


def answer(server: ControlServer, stop: threading.Event) -> None:
    """Probes are answered by the server itself; a command comes with each heartbeat."""
    while not stop.is_set():
        for name, message in server.receive(0.01):
            assert isinstance(message.body, Health)
            server.send(name, Command("rig", "start", ""))


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlClient]:
    stop, clock = threading.Event(), HostClock()
    with Messaging() as messaging:
        server = ControlServer(messaging, clock=clock, endpoint=f"ipc://{tmp_path}/c")
        made = ControlClient(messaging, "rig", clock=clock, endpoint=f"ipc://{tmp_path}/c")
        thread = threading.Thread(target=answer, args=(server, stop))
        thread.start()
        yield made
        stop.set()
        thread.join()


def test_a_far_clock_is_mapped_within_its_stated_uncertainty(control: ControlClient) -> None:
    clock_map, far = ClockMap(), FarClock()
    sync = ClockSync(control, local=far, clock_map=clock_map)
    probes: list[ClockProbe] = []
    while not probes:
        probes = sync.exchange_if_due()
        sync._due_ns = 0
    before = HostClock().now_ns()
    mapped = MappedClock(far, clock_map).now_ns()
    after = HostClock().now_ns()
    assert before - clock_map.uncertainty_ns <= mapped <= after + clock_map.uncertainty_ns
    assert all(one.t_reply_received_ns >= one.t_request_ns for one in probes)


def test_commands_that_arrive_between_replies_are_kept(control: ControlClient) -> None:
    sync = ClockSync(control, local=FarClock(), clock_map=ClockMap())
    while not sync.others:
        control.push(Health("running", ""))
        sync.exchange_if_due()
        sync._due_ns = 0
    assert isinstance(sync.others[0].message.body, Command)


def test_between_exchanges_no_probe_is_sent(control: ControlClient) -> None:
    sync = ClockSync(control, local=FarClock(), clock_map=ClockMap())
    sync._due_ns = FarClock().now_ns() + 10**12
    assert sync.exchange_if_due() == []
