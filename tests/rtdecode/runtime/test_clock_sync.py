"""Probes over a real control line bring a clock that is off back into step."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rtdecode.runtime.clock import ClockMap, ClockSync, HostClock, MappedClock
from rtdecode.runtime.sockets import ControlClient, ControlServer, Messaging
from rtdecode.schema.messages import ClockProbe, Command

OFFSET_NS = 7_000_000_000


class FarClock:
    """The clock of this host as seen from a host that was started seven seconds later."""

    def now_ns(self) -> int:
        return HostClock().now_ns() - OFFSET_NS

    def sleep_until(self, t_ns: int) -> None:
        HostClock().sleep_until(t_ns + OFFSET_NS)


def answer(desk: ControlServer, stop: threading.Event) -> None:
    while not stop.is_set():
        for name, message in desk.take(0.01):
            now_ns = HostClock().now_ns()
            assert isinstance(message.body, ClockProbe)
            desk.tell(name, Command("rig", "go", ""))
            desk.tell(name, replace(message.body, t_request_received_ns=now_ns, t_reply_ns=now_ns))


@pytest.fixture
def line(tmp_path: Path) -> Iterator[ControlClient]:
    stop, clock = threading.Event(), HostClock()
    with Messaging() as messaging:
        desk = ControlServer(messaging, clock=clock, endpoint=f"ipc://{tmp_path}/c")
        made = ControlClient(messaging, "rig", clock=clock, endpoint=f"ipc://{tmp_path}/c")
        thread = threading.Thread(target=answer, args=(desk, stop))
        thread.start()
        yield made
        stop.set()
        thread.join()


def test_a_far_clock_comes_into_step_within_its_stated_uncertainty(line: ControlClient) -> None:
    clock_map, far = ClockMap(), FarClock()
    sync = ClockSync(line, local=far, clock_map=clock_map)
    probes: list[ClockProbe] = []
    while not probes:
        probes = sync.exchange_if_due()
        sync._due_ns = 0
    before = HostClock().now_ns()
    mapped = MappedClock(far, clock_map).now_ns()
    after = HostClock().now_ns()
    assert before - clock_map.uncertainty_ns <= mapped <= after + clock_map.uncertainty_ns
    assert all(one.t_reply_received_ns >= one.t_request_ns for one in probes)


def test_orders_that_come_between_answers_are_kept(line: ControlClient) -> None:
    sync = ClockSync(line, local=FarClock(), clock_map=ClockMap())
    while not sync.others:
        sync.exchange_if_due()
        sync._due_ns = 0
    assert isinstance(sync.others[0].message.body, Command)


def test_between_exchanges_nothing_is_asked(line: ControlClient) -> None:
    sync = ClockSync(line, local=FarClock(), clock_map=ClockMap())
    sync._due_ns = FarClock().now_ns() + 10**12
    assert sync.exchange_if_due() == []
