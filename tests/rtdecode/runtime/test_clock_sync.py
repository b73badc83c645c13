"""Probes over a real control channel map a clock that is off, without holding up the process."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.clock_map import ClockMap
from rtdecode.runtime.compared_clock import FIRST_PROBES, ClockSync
from rtdecode.runtime.control import ControlClient, ControlServer
from rtdecode.runtime.mapped_clock import MappedClock
from rtdecode.runtime.sockets import Messaging

OFFSET_NS = 7_000_000_000


class FarClock:
    """The clock of this host as seen from a host that was started seven seconds later."""

    def now_ns(self) -> int:
        return HostClock().now_ns() - OFFSET_NS

    def sleep_until(self, t_ns: int) -> None:
        HostClock().sleep_until(t_ns + OFFSET_NS)


def answer(server: ControlServer, stop: threading.Event) -> None:
    """Probes are answered by the server itself."""
    while not stop.is_set():
        server.receive(0.01)


@pytest.fixture
def messaging() -> Iterator[Messaging]:
    with Messaging() as made:
        yield made


@pytest.fixture
def sync(messaging: Messaging, tmp_path: Path) -> Iterator[ClockSync]:
    """A sync whose supervisor answers while `tmp_path / "stop"` does not exist."""
    endpoint, far, stop = f"ipc://{tmp_path}/c", FarClock(), threading.Event()
    server = ControlServer(messaging, clock=HostClock(), endpoint=endpoint)
    thread = threading.Thread(target=answer, args=(server, stop))
    made = ClockSync(
        lambda: ControlClient(messaging, "rig.clock", clock=far, endpoint=endpoint),
        local=far,
        clock_map=ClockMap(),
    )
    thread.start()
    yield made
    made.close()
    stop.set()
    thread.join()


def test_a_far_clock_is_mapped_within_its_stated_uncertainty(
    messaging: Messaging, tmp_path: Path
) -> None:
    endpoint, far, stop, clock_map = (
        f"ipc://{tmp_path}/c",
        FarClock(),
        threading.Event(),
        ClockMap(),
    )
    server = ControlServer(messaging, clock=HostClock(), endpoint=endpoint)
    thread = threading.Thread(target=answer, args=(server, stop))
    thread.start()
    sync = ClockSync(
        lambda: ControlClient(messaging, "rig.clock", clock=far, endpoint=endpoint),
        local=far,
        clock_map=clock_map,
    )
    sync.start()
    while not sync.is_known(1.0):
        pass
    clock = MappedClock(far, clock_map)
    before = HostClock().now_ns()
    mapped = clock.now_ns()
    after = HostClock().now_ns()
    uncertainty_ns = clock.uncertainty_ns(far.now_ns())
    assert before - uncertainty_ns <= mapped <= after + uncertainty_ns
    assert before - 60e9 < sync.supervisor_ns <= after
    sync.close()
    stop.set()
    thread.join()


def test_all_completed_probes_are_kept_for_the_log(sync: ClockSync) -> None:
    sync.start()
    while not sync.is_known(1.0):
        pass
    sync.close()
    probes = sync.probes()
    assert len(probes) >= FIRST_PROBES
    assert all(one.t_request_ns < one.t_reply_received_ns for one in probes)
    assert all(one.t_request_received_ns - one.t_request_ns >= OFFSET_NS for one in probes)
    assert sync.probes() == []


def test_without_replies_it_waits_and_is_closed_at_once(
    messaging: Messaging, tmp_path: Path
) -> None:
    endpoint = f"ipc://{tmp_path}/nobody"
    sync = ClockSync(
        lambda: ControlClient(messaging, "rig.clock", clock=FarClock(), endpoint=endpoint),
        local=FarClock(),
        clock_map=ClockMap(),
    )
    sync.start()
    assert not sync.is_known(0.05)
    sync.close()
    sync.close()
    assert sync.probes() == []
