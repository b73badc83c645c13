"""What a process states of its clock: counters with signs, events once, a suspend."""

import pytest

from rtdecode.runtime.clock import SuspendWatch
from rtdecode.runtime.clock_map import ClockMap
from rtdecode.runtime.clock_state import ClockState, suspend_events
from rtdecode.runtime.compared_clock import ComparedClock, is_on_another_host
from rtdecode.runtime.control import ControlClient
from rtdecode.runtime.mapped_clock import MappedClock
from rtdecode.schema.hosts import ClockProbe
from rtdecode.schema.messages import Event

SECOND, MS = 1_000_000_000, 1_000_000


class Local:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.t_ns = 0

    def now_ns(self) -> int:
        return self.t_ns

    def sleep_until(self, t_ns: int) -> None:
        self.t_ns = t_ns


class Rig:
    """The state of a host whose clock is 3 s behind and slow by 100 ppm, with delays of 1 ms."""

    def __init__(self) -> None:
        self.local, self.map = Local(), ClockMap()
        clock = MappedClock(self.local, self.map)
        self.state = ClockState("bridge", clock, self.map, local=self.local, limit_ns=16.7 * MS)
        self.step_ns = 0

    def probe(self, t_s: float) -> None:
        sent_ns = round(t_s * SECOND)
        host_ns = round((sent_ns + MS) * (1 + 100e-6)) + 3 * SECOND + self.step_ns
        self.local.t_ns = sent_ns + 2 * MS
        self.map.absorb(ClockProbe(sent_ns, host_ns, host_ns, self.local.t_ns))

    def codes(self) -> list[str]:
        return [event.code for event in self.state.events()]


def test_a_clock_that_is_behind_and_slow_has_a_negative_offset_and_drift() -> None:
    rig = Rig()
    for n in range(480):
        rig.probe(n / 4)
    counters = rig.state.counters()
    assert counters["clock_offset_ms"] == pytest.approx(-3012, abs=1)
    assert counters["clock_drift_ppm"] == pytest.approx(-100, abs=30)
    assert 1.0 < counters["clock_uncertainty_ms"] < 2.0


def test_before_the_first_probe_nothing_is_stated() -> None:
    rig = Rig()
    assert rig.state.counters() == {}
    assert rig.codes() == []


def test_an_uncertainty_beyond_half_a_frame_is_one_event_and_its_end_another() -> None:
    rig = Rig()
    for n in range(8):
        rig.probe(n / 4)
    assert rig.codes() == []
    rig.local.t_ns += 60 * SECOND
    assert rig.codes() == ["clock_uncertain"]
    rig.local.t_ns += SECOND
    assert rig.codes() == []
    rig.probe(rig.local.t_ns / SECOND)
    (event,) = rig.state.events()
    assert (event.severity, event.code) == ("info", "clock_certain")
    assert event.counts["seconds"] == pytest.approx(1.0, abs=0.1)


def test_a_reset_is_one_event() -> None:
    rig = Rig()
    for n in range(8):
        rig.probe(n / 4)
    rig.step_ns = 5 * SECOND
    rig.probe(3.0)
    assert rig.codes() == ["clock_reset"]
    assert rig.codes() == []


def test_a_suspend_is_an_event_with_its_seconds() -> None:
    (event,) = suspend_events(3600.0, process="bridge")
    assert (event.severity, event.code, event.counts) == (
        "alarm",
        "host_suspended",
        {"seconds": 3600.0},
    )
    assert [*suspend_events(0.0, process="bridge")] == []


def test_a_suspend_is_seen_by_the_clock_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    slept_ns = [0]
    monkeypatch.setattr(
        "rtdecode.runtime.clock.time.clock_gettime_ns",
        lambda which: 1_000 * SECOND + (slept_ns[0] if which == 7 else 0),
    )
    monkeypatch.setattr("rtdecode.runtime.clock.time.CLOCK_BOOTTIME", 7, raising=False)
    watch = SuspendWatch(Local())
    slept_ns[0] = 20 * SECOND
    assert watch.seconds() == 0.0
    slept_ns[0] = 50 * SECOND
    assert watch.seconds() == 30.0
    assert watch.seconds() == 0.0


def test_without_that_clock_a_suspend_is_a_long_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("rtdecode.runtime.clock.time.CLOCK_BOOTTIME", raising=False)
    local = Local()
    watch = SuspendWatch(local)
    local.t_ns += 60 * SECOND
    assert watch.seconds() == 0.0
    local.t_ns += SECOND
    assert watch.seconds() == 0.0
    local.t_ns += 20 * SECOND
    assert watch.seconds() == 20.0


def test_an_event_that_is_not_sent_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("rtdecode.runtime.clock.time.CLOCK_BOOTTIME", raising=False)
    local = Local()

    def never(_name: str) -> ControlClient:
        raise AssertionError

    compared = ComparedClock("bridge", never, local=local, frame_rate_hz=30.0)
    offered: list[Event] = []
    compared.report(lambda _event: False)
    local.t_ns += 20 * SECOND
    compared.report(lambda _event: False)
    compared.report(lambda event: not offered.append(event))
    assert [event.code for event in offered] == ["host_suspended"]
    compared.close()


@pytest.mark.parametrize(
    ("endpoint", "is_elsewhere"),
    [
        ("ipc:///tmp/control", False),
        ("tcp://127.0.0.3:5700", False),
        ("tcp://localhost:5700", False),
        ("tcp://*:5700", False),
        ("tcp://[::1]:5700", False),
        ("tcp://192.0.2.1:5700", True),
        ("tcp://name.that.is.unknown.invalid:5700", True),
    ],
)
def test_a_supervisor_is_elsewhere_where_this_machine_cannot_listen(
    endpoint: str, is_elsewhere: bool
) -> None:
    assert is_on_another_host(endpoint) is is_elsewhere
