"""Restarts by a clock that the test moves: delays, the limit by rate, and processes that hang."""

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.runtime.backlog import BACKLOG_MB
from rtdecode.runtime.children import ProcessSpec
from rtdecode.runtime.refused import RefusedMessages
from rtdecode.runtime.restarts import (
    HELD_LOST,
    LONGEST_S,
    MOST_IN_WINDOW,
    WINDOW_S,
    Restarts,
)
from rtdecode.runtime.supervisor import Supervisor
from rtdecode.schema.errors import ProcessFailedError
from rtdecode.schema.messages import Event as EventMessage
from rtdecode.schema.messages import Health, Stamped

SECOND_NS = 1_000_000_000
PAUSES_S = st.lists(st.integers(0, 2 * WINDOW_S), max_size=40)


@given(PAUSES_S)
def test_a_process_that_is_not_essential_always_has_a_next_start(pauses_s: list[int]) -> None:
    restarts, now_ns = Restarts(is_essential=False), 0
    for pause_s in pauses_s:
        now_ns += pause_s * SECOND_NS
        next_ns = restarts.next_ns(t_ns=now_ns)
        assert next_ns is not None
        assert SECOND_NS <= next_ns - now_ns <= LONGEST_S * SECOND_NS


@given(PAUSES_S)
def test_an_essential_process_ends_the_run_by_the_rate_of_its_failures(
    pauses_s: list[int],
) -> None:
    restarts, now_s, failures_s = Restarts(is_essential=True), 0, list[int]()
    for pause_s in pauses_s:
        now_s += pause_s
        n_recent = sum(now_s - one <= WINDOW_S for one in failures_s)
        failures_s.append(now_s)
        is_over = restarts.next_ns(t_ns=now_s * SECOND_NS) is None
        assert is_over == (n_recent >= MOST_IN_WINDOW)


class MovedClock:
    """A clock that only the fake control channel moves."""

    def __init__(self) -> None:
        self.t_ns = SECOND_NS

    def now_ns(self) -> int:
        return self.t_ns

    def sleep_until(self, t_ns: int) -> None:
        self.t_ns = max(self.t_ns, t_ns)


class FakeChild:
    """A process of this host that runs until it is killed."""

    pid = 1
    is_reachable, reachable_since_ns, is_awaited = True, 0, False

    def __init__(self) -> None:
        self.code: int | None = None

    def poll(self) -> int | None:
        return self.code

    def kill(self) -> None:
        self.code = -9

    terminate = kill

    def wait(self) -> int | None:
        return self.code

    def release(self) -> None:
        """It waits for nothing."""

    def end_of_log(self) -> str:
        return "the last line"


class FakeChannel:
    """A control channel: each `receive` takes 0.1 s, and `healthy` children send heartbeats."""

    def __init__(self, clock: MovedClock) -> None:
        self.clock, self.report = clock, RefusedMessages().report
        self.children: list[FakeChild] = []
        self.starts_s: list[float] = []
        self.start, self.detail, self.counters = (0, ""), "", dict[str, float]()
        self.healthy: Callable[[int], bool] = lambda _start: True
        self.each_turn: Callable[[], None] = lambda: None

    def spawned(self, _spec: ProcessSpec, *, starts: int = 1, detail: str = "") -> FakeChild:
        self.start = starts, detail
        self.children.append(FakeChild())
        self.starts_s.append(self.clock.t_ns / SECOND_NS)
        return self.children[-1]

    def receive(self, _wait_s: float) -> list[tuple[str, Stamped]]:
        self.clock.t_ns += SECOND_NS // 10
        self.each_turn()
        last = self.children[-1]
        if last.code is not None or not self.healthy(len(self.children)):
            return []
        body = Health("running", self.detail, self.counters)
        return [("child", Stamped("child", 0, 0, "host", body))]

    def send(self, name: str, body: object) -> None:
        """Commands are not looked at."""


def supervised(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *, is_essential: bool
) -> tuple[Supervisor, FakeChannel, list[EventMessage]]:
    clock, events = MovedClock(), list[EventMessage]()
    channel: Any = FakeChannel(clock)

    def offer(event: EventMessage) -> bool:
        events.append(event)
        return True

    def spawned(_self: Supervisor, spec: ProcessSpec, **again: Any) -> FakeChild:
        return channel.spawned(spec, **again)

    monkeypatch.setattr(Supervisor, "_spawned", spawned)
    supervisor = Supervisor(channel, clock, folder, offer_event=offer)
    spec = ProcessSpec("child", [], restarts=True, is_essential=is_essential)
    assert supervisor.start([spec], stop=Event())
    return supervisor, channel, events


def test_a_page_that_always_fails_is_started_again_ever_more_slowly(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    supervisor, channel, events = supervised(monkeypatch, tmp_path, is_essential=False)
    channel.each_turn = lambda: channel.children[-1].kill()
    reason = supervisor.watch(Event(), until_ns=supervisor.clock.now_ns() + 200 * SECOND_NS)
    assert reason == "time is over"
    pauses_s = [
        round(later - earlier)
        for earlier, later in zip(channel.starts_s, channel.starts_s[1:], strict=False)
    ]
    assert pauses_s == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30]
    assert {(event.process, event.code) for event in events} == {("child", "process_restarted")}
    assert len(events) in (len(pauses_s), len(pauses_s) + 1)


def test_an_essential_process_that_always_fails_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    supervisor, channel, _ = supervised(monkeypatch, tmp_path, is_essential=True)
    channel.each_turn = lambda: channel.children[-1].kill()
    with pytest.raises(ProcessFailedError, match="child ended with exit code -9"):
        supervisor.watch(Event(), until_ns=supervisor.clock.now_ns() + 200 * SECOND_NS)
    assert len(channel.children) == 1 + MOST_IN_WINDOW


def test_a_restarted_process_that_hangs_before_its_first_heartbeat_is_killed_and_started_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor, channel, _ = supervised(monkeypatch, tmp_path, is_essential=True)
    channel.healthy = lambda start: start != 2
    channel.children[0].kill()
    supervisor.watch(Event(), until_ns=supervisor.clock.now_ns() + 60 * SECOND_NS)
    assert "child sent no heartbeat for 15 s and is killed" in caplog.text
    assert len(channel.children) == 3
    assert channel.children[-1].code is None


def test_a_restarted_process_gets_the_detail_of_its_last_heartbeat(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    supervisor, channel, _ = supervised(monkeypatch, tmp_path, is_essential=False)
    channel.detail = "http://127.0.0.1:5000/"
    supervisor.watch(Event(), until_ns=supervisor.clock.now_ns() + SECOND_NS)
    channel.children[-1].kill()
    supervisor.watch(Event(), until_ns=supervisor.clock.now_ns() + 3 * SECOND_NS)
    assert channel.start == (2, "http://127.0.0.1:5000/")


def test_messages_that_a_failed_process_held_are_reported_as_lost(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    supervisor, channel, events = supervised(monkeypatch, tmp_path, is_essential=False)
    channel.counters = {BACKLOG_MB: 1.5}
    supervisor.watch(Event(), until_ns=supervisor.clock.now_ns() + SECOND_NS)
    # the later failures come before any heartbeat, and nothing was held
    channel.healthy = lambda start: start == 1
    channel.each_turn = lambda: channel.children[-1].kill()
    supervisor.watch(Event(), until_ns=supervisor.clock.now_ns() + 4 * SECOND_NS)
    lost = [event.counts for event in events if event.code == HELD_LOST]
    restarts = [event for event in events if event.code == "process_restarted"]
    assert lost == [{"held_kb": 1500}]
    assert len(restarts) > 1


def test_a_failure_just_before_the_end_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    supervisor, channel, events = supervised(monkeypatch, tmp_path, is_essential=False)
    stop = Event()

    def fail_and_stop() -> None:
        channel.children[-1].kill()
        stop.set()

    channel.each_turn = fail_and_stop
    supervisor.watch(stop)
    supervisor.end()
    assert [event.code for event in events] == ["process_restarted"]
