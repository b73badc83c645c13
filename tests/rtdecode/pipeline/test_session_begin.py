"""Which processes wait for what begins a session, and when it has begun."""

from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from rtdecode.pipeline.session_begin import ended_before_begin, held
from rtdecode.runtime.run_requests import RunState
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.config.run import StartOn

ZMQ = {"source": {"kind": "zmq_native", "address": "tcp://127.0.0.1:5999"}}


def config(start: str) -> RunConfig:
    return RunConfig.model_validate({"start": start, "acquisition": ZMQ})


class Supervisor:
    """Has counted `scans` at the turn `at`, or is stopped at turn 9."""

    def __init__(self, *, scans_at: int = 99, asked_at: int = 99) -> None:
        self.requests = SimpleNamespace(is_started=False, state=RunState.PREPARING)
        self._scans_at, self._asked_at, self._turn = scans_at, asked_at, 0
        self.begun: list[str] = []
        self.states: list[RunState] = []

    def watch(self, stop: Event, *, until: Any) -> str:
        for self._turn in range(10):
            self.states.append(self.requests.state)
            self.requests.is_started = self._turn >= self._asked_at
            if reason := until():
                return str(reason)
        return "stopped as asked"

    def counter(self, process: str, name: str) -> float:
        assert (process, name) == (Role.BRIDGE, "scans")
        return float(self._turn >= self._scans_at)

    def begin(self, text: str) -> None:
        self.begun.append(text)


def begun(start: str, supervisor: Supervisor) -> str:
    folder = Path("session")
    return ended_before_begin(config(start), folder, supervisor, Event())  # type: ignore[arg-type]


def test_nothing_is_held_by_default_and_nothing_waited_for() -> None:
    supervisor = Supervisor()
    assert held(RunConfig()) == frozenset()
    assert begun("at_once", supervisor) == ""
    assert (supervisor.begun, supervisor.requests.state) == ([], RunState.RUNNING)


def test_a_start_on_request_holds_all_but_the_recorder_whatever_scans_come() -> None:
    supervisor = Supervisor(scans_at=2, asked_at=5)
    assert held(config("on_request")) == frozenset(Role) - {Role.RECORDER}
    assert begun("on_request", supervisor) == ""
    assert supervisor.begun == ["another program has started the session"]
    assert supervisor.states == [RunState.READY] * 6


@pytest.mark.parametrize(
    ("supervisor", "cause"),
    [
        (Supervisor(scans_at=3), "the first scan has started the session"),
        (Supervisor(asked_at=3), "another program has started the session"),
    ],
)
def test_the_first_scan_starts_stimulus_and_controller(supervisor: Supervisor, cause: str) -> None:
    assert held(config("on_first_scan")) == {Role.STIMULUS, Role.CONTROLLER}
    assert begun("on_first_scan", supervisor) == ""
    assert supervisor.begun == [cause]
    assert supervisor.requests.state is RunState.RUNNING


def test_a_run_that_ends_before_has_its_reason_and_starts_nothing() -> None:
    supervisor = Supervisor()
    assert begun("on_first_scan", supervisor) == "stopped as asked"
    assert supervisor.begun == []
    assert supervisor.requests.state is RunState.READY


def test_a_request_to_start_is_the_name_of_an_option() -> None:
    assert [one.value for one in StartOn] == ["at_once", "on_request", "on_first_scan"]
