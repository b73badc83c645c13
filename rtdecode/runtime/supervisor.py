"""The supervisor: starts the processes of a run, monitors their heartbeats, ends them in order.

Each process has its restart policy in its `ProcessSpec` (`rtdecode.pipeline.topology` makes them).
`Restarts` has the delays and the limit. An essential process that refuses its input (exit code 2)
is never started again, since it would fail alike. A process that is not essential never ends a
run once the run has started. A process on another host is treated as one of this host, through the
handle that `JoinedHosts` gives.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from rtdecode.runtime.children import ChildProcess, ProcessHandle, ProcessSpec, spawned
from rtdecode.runtime.clock import SuspendWatch
from rtdecode.runtime.clock_state import suspend_events
from rtdecode.runtime.control import ControlServer
from rtdecode.runtime.joined_hosts import JoinedHosts
from rtdecode.runtime.processor_watch import ProcessorWatch
from rtdecode.runtime.recorder_watch import RECORDER, RecorderWatch
from rtdecode.runtime.restarts import Restarts, restart_events, run_failed_event
from rtdecode.runtime.run_requests import RunRequests
from rtdecode.runtime.supervised import Supervised
from rtdecode.schema.errors import BadInputError, DataLostError, NotReadyError, ProcessFailedError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, Command, Health
from rtdecode.schema.messages import Event as EventMessage

log = logging.getLogger(__name__)
_READY_S = 90.0
_HEARTBEAT_LIMIT_S = 15.0


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
    recording: RecorderWatch | None = None
    """Confirms that the run is recorded; None where no process is the recorder."""
    hosts: JoinedHosts | None = None
    """The other hosts of the run; None for a run on one computer."""
    processors: ProcessorWatch | None = None
    """Notices that the processors of this host are saturated; None: they are not watched."""
    requests: RunRequests | None = None
    """Requests of other programs; None where none are taken."""
    _children: dict[str, Supervised] = field(default_factory=dict)
    _events: list[EventMessage] = field(default_factory=list)
    _suspends: SuspendWatch = field(init=False)

    def __post_init__(self) -> None:
        self._suspends = SuspendWatch(self.clock)

    def start(
        self, specs: Sequence[ProcessSpec], *, stop: Event, ready_s: float = _READY_S
    ) -> bool:
        """Start all processes, wait until each is ready, then send `start` to all but the held.

        The recorder gets it first, and the others once it has confirmed that it records this run.
        All hosts must have joined before. False where `stop` was set before; then, as after an
        error, no process is left running. Raises HostMissingError, ProcessFailedError,
        NotReadyError, RecordingUnconfirmedError.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        started = False
        try:
            if self.hosts is None or self.hosts.wait(lambda: self._take_messages(0.05), stop=stop):
                self._start_all(specs)
                started = self._all_ready(stop, ready_s) and self._is_recorded(stop, ready_s)
        finally:
            if not started:
                self._cancel()
        for name, child in self._children.items():
            if not child.is_held:
                self._command(name, "start")
        return started

    def begin(self, text: str) -> None:
        """Start the processes that were held; `text` says what has begun the session."""
        self._events.append(EventMessage("info", "supervisor", "session_begun", text))
        for name, child in self._children.items():
            if child.is_held:
                child.is_held = False
                self._command(name, "start")

    def counter(self, process: str, name: str) -> float:
        """A counter of the last heartbeat of `process`; 0 where it has none."""
        return self._children[process].counter(name) if process in self._children else 0.0

    def _start_all(self, specs: Sequence[ProcessSpec]) -> None:
        for spec in specs:
            self._children[spec.name] = Supervised(
                spec,
                self._spawned(spec),
                self.clock.now_ns(),
                Restarts(is_essential=spec.is_essential),
                is_held=spec.is_held,
            )

    def watch(
        self,
        stop: Event,
        *,
        until_ns: int | None = None,
        until: Callable[[], str] = lambda: "",
    ) -> str:
        """Monitor until `stop`, `until_ns`, or the clean end of a source; returns the reason.

        So does the first text that `until` returns and that is not empty.
        Raises ProcessFailedError when a process fails that is not started again.
        """
        while not stop.is_set():
            self._take_messages(0.1)
            self._report()
            if until_ns is not None and self.clock.now_ns() >= until_ns:
                return "time is over"
            if reason := until():
                return reason
            for child in self._children.values():
                code = child.process.poll()
                if code in (0, DataLostError.exit_code) and child.spec.ends_run:
                    return f"{child.spec.name} is at its end"
                self._check(child, code)
        return "stopped as asked"

    def _report(self) -> None:
        """Send the events that wait; those that cannot be sent now are kept."""
        if self.recording is not None:
            self.recording.report()
        self.server.report(self.offer_event, process="supervisor", t_ns=self.clock.now_ns())
        self._events += suspend_events(self._suspends.seconds(), process="supervisor")
        if self.hosts is not None:
            self._events += self.hosts.taken_events()
        if self.processors is not None:
            self._events += self.processors.events(self._pids_here())
        while self._events and self.offer_event(self._events[0]):
            self._events.pop(0)

    def _check(self, child: Supervised, code: int | None) -> None:
        """Start `child` again where it is due, and kill it where it sends no heartbeat."""
        if child.restart_ns is not None:
            if self.clock.now_ns() >= child.restart_ns:
                again = self._spawned(child.spec, starts=child.starts + 1, detail=child.detail)
                child.restarted(again, t_ns=self.clock.now_ns())
        elif code is not None:
            self._schedule_or_fail(child, code)
        elif not child.is_killed and self._is_stalled(child):
            limit_s = child.limit_s(self.heartbeat_limit_s)
            log.warning("%s sent no heartbeat for %g s and is killed", child.spec.name, limit_s)
            child.process.kill()
            # Its end takes a while, and no heartbeat arrives meanwhile.
            child.is_killed = True

    def end(self) -> dict[str, int]:
        """End all in the order of the data flow, the recorder last; returns their exit codes.

        A code of -9 is that of a process that was killed because it did not end.
        """
        self._report()
        recorder = self._children.get(RECORDER)
        others = [child for child in self._children.values() if child is not recorder]
        codes = {child.spec.name: self._ended(child) for child in others}
        if recorder is not None:
            if self.recording is not None and not self._recorder_has_ended():
                self._report()
                self.recording.finish(turn=lambda: self._take_messages(0.05))
            codes[RECORDER] = self._ended(recorder)
        self._children.clear()
        return codes

    def _cancel(self) -> None:
        """End all at once, before any data were exchanged."""
        for child in self._children.values():
            child.process.terminate()
        for child in self._children.values():
            self._exit_code(child)
        self._children.clear()

    def pids(self) -> dict[str, int]:
        """Process numbers by name, on the host of each."""
        return {name: child.process.pid for name, child in self._children.items()}

    def _pids_here(self) -> dict[str, int]:
        known = {name: child.process for name, child in self._children.items()}
        return {name: one.pid for name, one in known.items() if isinstance(one, ChildProcess)}

    def _spawned(self, spec: ProcessSpec, *, starts: int = 1, detail: str = "") -> ProcessHandle:
        """`spec` as it is started for the time `starts`, here or on its host."""
        if self.hosts is not None and spec.host:
            return self.hosts.start(
                spec.name,
                host=spec.host,
                number=starts,
                detail=detail,
                turn=lambda: self._take_messages(0.05),
            )
        log_file = self.logs / f"{spec.name}.log"
        return spawned(spec, log_file=log_file, env=self.env, starts=starts, detail=detail)

    def _all_ready(self, stop: Event, ready_s: float) -> bool:
        """Wait until all are ready; False where `stop` is set first."""
        deadline_ns = self.clock.now_ns() + int(ready_s * 1e9)
        while not all(child.ready for child in self._children.values()):
            if stop.is_set():
                return False
            self._starting_turn()
            for child in self._children.values():
                if not child.ready and self.clock.now_ns() > deadline_ns:
                    tail = child.process.end_of_log()
                    raise NotReadyError(name=child.spec.name, waited_s=ready_s, tail=tail)
        return True

    def _is_recorded(self, stop: Event, ready_s: float) -> bool:
        """Wait until the recorder confirms that it records this run; False where `stop` is set."""
        if self.recording is None:
            return True
        self._command(RECORDER, "start")
        return self.recording.confirm(self._starting_turn, stop=stop, wait_s=ready_s)

    def _starting_turn(self) -> None:
        """Take messages; raises ProcessFailedError where a process has ended."""
        self._take_messages(0.05)
        for child in self._children.values():
            code = child.process.poll()
            if code is not None:
                raise self._failure(child, code)

    def _take_messages(self, wait_s: float) -> None:
        for name, message in self.server.receive(wait_s):
            if self.hosts is None or not self.hosts.receive(name, message.body):
                self._receive(name, message.body)
        if self.hosts is not None:
            self.hosts.watch()
        if self.requests is not None:
            self.requests.answer()

    def _receive(self, name: str, body: Body) -> None:
        """Take a message of the process `name`."""
        child = self._children.get(name)
        if self.recording is not None:
            self.recording.receive(name, body)
        if child is None or not isinstance(body, Health):
            return
        child.receive(body, t_ns=self.clock.now_ns())
        if child.starts > 1 and body.state == "ready" and not child.is_held:
            self._command(name, "start")
        if body.state != "failed":
            self.on_health(name, body)

    def _is_stalled(self, child: Supervised) -> bool:
        recording = self.recording
        if child.spec.name == RECORDER and recording is not None and recording.is_tolerated():
            return False
        return child.is_stalled(t_ns=self.clock.now_ns(), limit_s=self.heartbeat_limit_s)

    def _schedule_or_fail(self, child: Supervised, code: int) -> None:
        spec, now_ns = child.spec, self.clock.now_ns()
        refused = spec.is_essential and code == BadInputError.exit_code
        restart_ns = child.restarts.next_ns(t_ns=now_ns)
        if refused or not spec.restarts or restart_ns is None:
            raise self._failure(child, code)
        again = "%s ended with exit code %d and is started again in %g s"
        log.warning(again, spec.name, code, (restart_ns - now_ns) / 1e9)
        child.process.release()
        child.restart_ns = restart_ns
        self._events += restart_events(spec.name, held_mb=child.held_mb)

    def _failure(self, child: Supervised, code: int) -> ProcessFailedError:
        self._take_messages(0.0)
        self._events.append(run_failed_event(child.spec.name, code=code, why=child.failure))
        return child.failed(code)

    def _command(self, name: str, command: str) -> None:
        self.server.send(name, Command(target=name, name=command, value=""))

    def _ended(self, child: Supervised) -> int:
        child.process.terminate()
        return self._exit_code(child)

    def _exit_code(self, child: Supervised) -> int:
        return child.exit_code(
            clock=self.clock,
            turn=lambda: self._take_messages(0.05),
            recording=self.recording,
            recorder_has_ended=self._recorder_has_ended,
        )

    def _recorder_has_ended(self) -> bool:
        recorder = self._children.get(RECORDER)
        return recorder is not None and recorder.process.poll() is not None
