"""The supervisor: starts the processes of a run, monitors their heartbeats, ends them in order.

Each process has its restart policy in its `ProcessSpec` (`rtdecode.pipeline.topology` makes them).
`Restarts` has the delays and the limit. An essential process that refuses its input (exit code 2)
is never started again, since it would fail alike. A process that is not essential never ends a
run once the run has started.
"""

import logging
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

from rtdecode.runtime.restarts import Restarts
from rtdecode.runtime.sockets import ControlServer
from rtdecode.schema.errors import BadInputError, NotReadyError, ProcessFailedError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import ClockProbe, Command, Health
from rtdecode.schema.messages import Event as EventMessage

log = logging.getLogger(__name__)
_READY_S = 90.0
_STOP_S = 10.0
_HEARTBEAT_LIMIT_S = 15.0
_START_FACTOR = 3
"""A restarted process may take this many times as long to its first heartbeat as at first."""
_TAIL_LINES = 12


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process: how it is started, and what its end means."""

    name: str
    argv: Sequence[str]
    restarts: bool = False
    """Whether it is started again after a failure."""
    is_essential: bool = True
    """Whether too many failures within a time end the run."""
    ends_run: bool = False
    """Whether its clean end ends the run, as the end of a movie does."""


@dataclass(slots=True)
class _Child:
    spec: ProcessSpec
    popen: "subprocess.Popen[bytes]"
    spawned_ns: int
    restarts: Restarts
    ready: bool = False
    starts: int = 1
    heartbeat_ns: int = 0
    """Time of the last heartbeat since the last start; 0 before the first."""
    health: Health | None = None
    failure: str = ""
    """The sentence of the error at which it ended, as it sent it."""
    first_heartbeat_after_ns: int = 0
    """Time from the first start to the first heartbeat."""
    restart_ns: int | None = None
    """Time of its next start, where it has ended and waits for that."""
    is_killed: bool = False


@dataclass(slots=True)
class Supervisor:
    """Starts, monitors and ends processes; their stdout and stderr go to `logs`/NAME.log."""

    server: ControlServer
    clock: Clock
    logs: Path
    on_health: Callable[[str, Health], None] = lambda _name, _health: None
    env: Mapping[str, str] | None = None
    heartbeat_limit_s: float = _HEARTBEAT_LIMIT_S
    """Time in s without a heartbeat after which a process is killed."""
    offer_event: Callable[[EventMessage], bool] = lambda _event: False
    """Sends an Event to the recorder: of a restart, or of messages that could not be read."""
    _children: dict[str, _Child] = field(default_factory=dict)
    _events: list[EventMessage] = field(default_factory=list)

    def start(
        self, specs: Sequence[ProcessSpec], *, stop: Event, ready_s: float = _READY_S
    ) -> bool:
        """Start all processes, wait until each is ready, then send `start` to all.

        False where `stop` was set before; then, as after an error, no process is left running.
        Raises ProcessFailedError, NotReadyError.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        started = False
        try:
            for spec in specs:
                self._children[spec.name] = _Child(
                    spec,
                    self._spawned(spec),
                    self.clock.now_ns(),
                    Restarts(is_essential=spec.is_essential),
                )
            started = self._all_ready(stop, ready_s)
        finally:
            if not started:
                self._cancel()
        for name in self._children:
            self._command(name, "start")
        return started

    def watch(self, stop: Event, *, until_ns: int | None = None) -> str:
        """Monitor until `stop`, `until_ns`, or the clean end of a source; returns the reason.

        Raises ProcessFailedError when a process fails that is not started again.
        """
        while not stop.is_set():
            self._take_messages(0.1)
            self._report()
            if until_ns is not None and self.clock.now_ns() >= until_ns:
                return "time is over"
            for child in self._children.values():
                code = child.popen.poll()
                if code == 0 and child.spec.ends_run:
                    return f"{child.spec.name} is at its end"
                self._check(child, code)
        return "stopped as asked"

    def _report(self) -> None:
        """Send the events that wait; those that cannot be sent now are kept."""
        now_ns = self.clock.now_ns()
        self.server.refused.report(self.offer_event, process="supervisor", t_ns=now_ns)
        while self._events and self.offer_event(self._events[0]):
            self._events.pop(0)

    def _check(self, child: _Child, code: int | None) -> None:
        """Start `child` again where it is due, and kill it where it sends no heartbeat."""
        if child.restart_ns is not None:
            if self.clock.now_ns() >= child.restart_ns:
                self._restart(child)
        elif code is not None:
            self._schedule_or_fail(child, code)
        elif not child.is_killed and self._is_stalled(child):
            limit_s = self._limit_s(child)
            log.warning("%s sent no heartbeat for %g s and is killed", child.spec.name, limit_s)
            child.popen.kill()
            # Its end takes a while, and no heartbeat arrives meanwhile.
            child.is_killed = True

    def end(self) -> dict[str, int]:
        """End all in the order of the data flow, the recorder last; returns their exit codes."""
        recorder = [name for name in self._children if name == "recorder"]
        order = [name for name in self._children if name != "recorder"] + recorder
        codes = {name: self._ended(self._children[name]) for name in order}
        self._children.clear()
        return codes

    def _cancel(self) -> None:
        """End all at once, before any data were exchanged."""
        for child in self._children.values():
            child.popen.terminate()
        for child in self._children.values():
            _exit_code(child)
        self._children.clear()

    def pids(self) -> dict[str, int]:
        """Process numbers by name."""
        return {name: child.popen.pid for name, child in self._children.items()}

    def _spawned(self, spec: ProcessSpec) -> "subprocess.Popen[bytes]":
        with (self.logs / f"{spec.name}.log").open("ab") as stderr:
            return subprocess.Popen(  # noqa: S603 - the argv is built by pipeline, not by a user
                list(spec.argv),
                stdin=subprocess.PIPE,
                stdout=stderr,
                stderr=stderr,
                env=None if self.env is None else dict(self.env),
                start_new_session=True,
            )

    def _all_ready(self, stop: Event, ready_s: float) -> bool:
        """Wait until all are ready; False where `stop` is set first."""
        deadline_ns = self.clock.now_ns() + int(ready_s * 1e9)
        while not all(child.ready for child in self._children.values()):
            if stop.is_set():
                return False
            self._take_messages(0.05)
            for child in self._children.values():
                code = child.popen.poll()
                if code is not None:
                    raise self._failure(child, code)
                if not child.ready and self.clock.now_ns() > deadline_ns:
                    tail = self._tail(child.spec.name)
                    raise NotReadyError(name=child.spec.name, waited_s=ready_s, tail=tail)
        return True

    def _take_messages(self, wait_s: float) -> None:
        for name, message in self.server.receive(wait_s):
            child = self._children.get(name)
            if isinstance(message.body, ClockProbe):
                self._answer(name, message.body)
            if child is None or not isinstance(message.body, Health):
                continue
            if message.body.state == "failed":
                child.failure = message.body.detail
                continue
            if not child.first_heartbeat_after_ns:
                child.first_heartbeat_after_ns = self.clock.now_ns() - child.spawned_ns
            child.heartbeat_ns, child.health = self.clock.now_ns(), message.body
            child.ready = child.ready or message.body.state in ("ready", "running")
            if child.starts > 1 and message.body.state == "ready":
                self._command(name, "start")
            self.on_health(name, message.body)

    def _answer(self, name: str, probe: ClockProbe) -> None:
        now_ns = self.clock.now_ns()
        self.server.send(name, replace(probe, t_request_received_ns=now_ns, t_reply_ns=now_ns))

    def _is_stalled(self, child: _Child) -> bool:
        since_ns = self.clock.now_ns() - (child.heartbeat_ns or child.spawned_ns)
        return since_ns > self._limit_s(child) * 1e9

    def _limit_s(self, child: _Child) -> float:
        """Time in s that may pass without a heartbeat; a start takes longer than a step."""
        if child.heartbeat_ns:
            return self.heartbeat_limit_s
        start_s = _START_FACTOR * child.first_heartbeat_after_ns / 1e9
        return max(self.heartbeat_limit_s, round(start_s, 1))

    def _schedule_or_fail(self, child: _Child, code: int) -> None:
        spec, now_ns = child.spec, self.clock.now_ns()
        refused = spec.is_essential and code == BadInputError.exit_code
        restart_ns = child.restarts.next_ns(t_ns=now_ns)
        if refused or not spec.restarts or restart_ns is None:
            raise self._failure(child, code)
        log.warning(
            "%s ended with exit code %d and is started again in %g s",
            spec.name,
            code,
            (restart_ns - now_ns) / 1e9,
        )
        _close_stdin(child.popen)
        child.restart_ns = restart_ns
        text = "the process failed and was started again; it processed nothing meanwhile"
        self._events.append(
            EventMessage("warning", spec.name, "process_restarted", text, {"restarts": 1})
        )

    def _restart(self, child: _Child) -> None:
        detail = "" if child.health is None else child.health.detail
        again = ["--restarts", str(child.starts), "--before-restart", detail]
        spec = replace(child.spec, argv=[*child.spec.argv, *again])
        child.popen, child.spawned_ns = self._spawned(spec), self.clock.now_ns()
        child.starts += 1
        child.heartbeat_ns, child.restart_ns, child.is_killed = 0, None, False

    def _failure(self, child: _Child, code: int) -> ProcessFailedError:
        self._take_messages(0.0)
        tail = self._tail(child.spec.name)
        # on a full disk the log file lacks the sentence of the error
        tail += "" if child.failure in tail else f"\n{child.failure}"
        return ProcessFailedError(name=child.spec.name, code=code, tail=tail)

    def _tail(self, name: str) -> str:
        path = self.logs / f"{name}.log"
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return f"{path} is gone: the session folder was removed or renamed during its run"
        return "\n".join(text.splitlines()[-_TAIL_LINES:])

    def _command(self, name: str, command: str) -> None:
        self.server.send(name, Command(target=name, name=command, value=""))

    def _ended(self, child: _Child) -> int:
        child.popen.terminate()
        return _exit_code(child)


def _exit_code(child: _Child) -> int:
    popen = child.popen
    try:
        code = popen.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        log.warning("%s did not end within %g s and is killed", child.spec.name, _STOP_S)
        popen.kill()
        code = popen.wait()
    _close_stdin(popen)
    return code


def _close_stdin(popen: "subprocess.Popen[bytes]") -> None:
    if popen.stdin is not None:
        popen.stdin.close()
