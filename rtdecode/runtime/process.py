"""Frame around the loop of every process: config, sockets, readiness, heartbeats, exit code.

Duties: read the config, build publishers and subscribers, report the state of the process to the
supervisor, wait for the common start, and turn errors into one sentence and an exit code. It must
not contain anything about what a process computes: that is in `rtdecode.pipeline` and in the rigs.

A process is ready once it is built and has received a message from every source that it expects.
Until the run starts, each publisher announces its source, and nothing else is sent, so a subscriber
that is ready misses nothing that is sent after the command `start`.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Event

from rtdecode.runtime.clock import ClockMap, ClockSync, HostClock, MappedClock
from rtdecode.runtime.config_file import read_config
from rtdecode.runtime.loop import LoopReport
from rtdecode.runtime.sockets import ControlClient, Messaging, Publisher, Subscriber
from rtdecode.runtime.stop import stop_on_signals, stop_with_parent
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import RtdecodeError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, Command, Health, Received, Start
from rtdecode.schema.messages import Event as EventMessage

log = logging.getLogger(__name__)
_HEARTBEAT_NS = 500_000_000
_ANNOUNCE_S = 0.05
_RECORDED = ("rtdecode", "numpy", "pyzmq", "msgpack")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The run that a process belongs to, as its supervisor passes it on the command line."""

    session: str
    git_revision: str
    config_yaml: str
    versions: dict[str, str]
    restarts: int = 0
    """Number of times that the process was started again in this run."""
    before_restart: str = ""
    """Detail of the last heartbeat before a restart, for example the address of the page."""

    def start(self, *, twin_hash: str = "") -> Start:
        """START of a source in this session."""
        return Start(
            session=self.session,
            config_yaml=self.config_yaml,
            git_revision=self.git_revision,
            twin_hash=twin_hash,
            versions=self.versions,
        )


class Process:
    """One process of a run: name, config, clock, sockets and control channel to the supervisor.

    Parameters
    ----------
    stop
        Set by signals and by the command `stop`; the loop of the process ends when it is set.
    clock
        Clock of this host. With a supervisor on another host, `self.clock` maps it to that host.
    """

    def __init__(
        self,
        name: str,
        config: RunConfig,
        *,
        run_info: RunInfo,
        messaging: Messaging,
        stop: Event,
        clock: Clock,
    ) -> None:
        self.name, self.config, self.run_info = name, config, run_info
        self.messaging, self.stop = messaging, stop
        self.clock: Clock = clock
        self._publishers: list[Publisher] = []
        self._offer_event: Callable[[EventMessage], bool] | None = None
        self._control: ControlClient | None = None
        self._heartbeat_due_ns = 0
        self._detail = ""
        self._commands: list[Command] = []
        self._sync: ClockSync | None = None
        if config.network.control:
            self._control = ControlClient(
                messaging, name, clock=clock, endpoint=config.network.control
            )
            if _is_elsewhere(config.network.control):
                clock_map = ClockMap()
                self._sync = ClockSync(self._control, local=clock, clock_map=clock_map)
                self.clock = MappedClock(clock, clock_map)

    def publisher(self, endpoint: str, *, source: str | None = None) -> Publisher:
        """A sink that records and publishes as `source` (the process's name by default)."""
        made = self._publisher(endpoint, source or self.name, record=self.config.network.recorder)
        self._publishers.append(made)
        self._offer_event = self._offer_event or made.offer
        return made

    def unrecorded_publisher(self, endpoint: str, *, source: str) -> Publisher:
        """A sink that publishes as `source` what the log has already, or does not need."""
        made = self._publisher(endpoint, source, record="")
        self._publishers.append(made)
        return made

    def _publisher(self, endpoint: str, source: str, *, record: str) -> Publisher:
        return Publisher(
            self.messaging,
            source,
            clock=self.clock,
            publish=endpoint,
            record=record,
            queue=self.config.record.queue_messages,
        )

    def subscriber(self, endpoints: Iterable[str], kinds: Sequence[type[Body]]) -> Subscriber:
        """A source of messages of `kinds` from `endpoints`."""
        return Subscriber(
            self.messaging,
            clock=self.clock,
            endpoints=endpoints,
            kinds=kinds,
            queue=self.config.record.queue_messages,
        )

    def set_detail(self, detail: str) -> None:
        """Send `detail`, for example the address of the page, in every heartbeat from now on."""
        self._detail = detail

    def wait_for_start(
        self, inlet: Subscriber | None = None, expected_sources: Iterable[str] = ()
    ) -> None:
        """Report ready once `inlet` got a message of every expected source; return at the start.

        With a supervisor the start is its command `start`, without one it is the moment at which
        the process is ready. A stop before the start ends the process from here with exit code 0:
        nothing was sent, so no END is needed.
        """
        missing, taken = set(expected_sources), list[Received]()
        while not self.stop.is_set():
            for publisher in self._publishers:
                publisher.announce(self._health("starting", {}))
            if inlet is not None and missing:
                taken.extend(inlet.take(_ANNOUNCE_S))
                missing -= {received.message.source for received in taken}
            else:
                self.stop.wait(_ANNOUNCE_S)
            if self._has_started(ready=not missing):
                break
        else:
            raise _StoppedEarlyError
        if inlet is not None:
            inlet.put_back(taken)

    def _has_started(self, *, ready: bool) -> bool:
        if self._control is None:
            return ready
        if self._sync is not None:
            self._sync.exchange_if_due()
        self._control.push(self._health("ready" if ready else "starting", {}))
        return any(command.name == "start" for command in self.commands())

    def send_heartbeat(self, counters: dict[str, float]) -> None:
        """Send a heartbeat if one is due, and act on the command `stop`."""
        now_ns = self.clock.now_ns()
        if now_ns < self._heartbeat_due_ns:
            return
        self._heartbeat_due_ns = now_ns + _HEARTBEAT_NS
        health = self._health("running", counters)
        probes = self._sync.exchange_if_due() if self._sync else []
        if self._publishers:
            self._publishers[0].push(health)
            for probe in probes:
                self._publishers[0].push(probe)
        if self._control is not None:
            self._control.push(health)
        self.messaging.refused.report(self._offer, process=self.name, t_ns=now_ns)
        self._receive_commands()

    def send_events_to(self, offer: Callable[[EventMessage], bool]) -> None:
        """Pass events of this process to `offer`, as the recorder does, which has no recorder."""
        self._offer_event = offer

    def _offer(self, event: EventMessage) -> bool:
        if self._offer_event is None:
            recorder = self.config.network.recorder
            self._offer_event = self._publisher("", self.name, record=recorder).offer
        return self._offer_event(event)

    @contextmanager
    def failure_sent(self) -> Iterator[None]:
        """Send the sentence of an error in the block to the supervisor: a log file may be full."""
        try:
            yield
        except RtdecodeError as error:
            if self._control is not None:
                self._control.push(Health("failed", str(error), {}))
            raise

    def on_turn(self, counters: Callable[[], dict[str, float]]) -> Callable[[LoopReport], None]:
        """Callback for `run_loop`, which sends a heartbeat with `counters` when one is due."""
        return lambda _report: self.send_heartbeat(counters())

    def commands(self) -> list[Command]:
        """Commands that arrived since the last call; `stop` has already been acted on."""
        self._receive_commands()
        commands, self._commands = self._commands, []
        return commands

    def _receive_commands(self) -> None:
        if self._control is None:
            return
        taken = [*self._control.take(0.0)]
        if self._sync is not None:
            taken, self._sync.others = self._sync.others + taken, []
        for received in taken:
            if isinstance(received.message.body, Command):
                self._commands.append(received.message.body)
                if received.message.body.name == "stop":
                    self.stop.set()

    def _health(self, state: str, counters: dict[str, float]) -> Health:
        return Health(state=state, detail=self._detail, counters=counters)


class _StoppedEarlyError(Exception):
    """Ends a process that was stopped before its start, and closes what it has opened."""


def _versions() -> dict[str, str]:
    known = {name: version(name) for name in _RECORDED}
    return {"python": sys.version.split()[0], **known}


def _is_elsewhere(endpoint: str) -> bool:
    """True for a supervisor on another host, which has another clock."""
    near = ("ipc://", "inproc://", "tcp://127.", "tcp://localhost", "tcp://[::1]")
    return not endpoint.startswith(near)


def run_process(name: str, main: Callable[[Process], int], argv: Sequence[str]) -> int:
    """Read the config, build the process `name`, run `main` with it; the exit code.

    An RtdecodeError is logged in one sentence and gives its own exit code. Any other exception is
    a bug and is raised with its trace.
    """
    args = _arguments(name, argv)
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format=f"%(asctime)s {name} %(levelname)s %(message)s",
    )
    stop = stop_on_signals()
    if args.supervised:
        stop_with_parent(stop)
    try:
        config = read_config(args.config)
        run_info = RunInfo(
            args.session,
            args.revision,
            args.config.read_text(encoding="utf-8"),
            _versions(),
            args.restarts,
            args.before_restart,
        )
        with Messaging() as messaging:
            process = Process(
                name, config, run_info=run_info, messaging=messaging, stop=stop, clock=HostClock()
            )
            with process.failure_sent():
                return main(process)
    except _StoppedEarlyError:
        log.info("stopped before the start")
        return 0
    except RtdecodeError as error:
        log.error("%s", error)
        return error.exit_code


def _arguments(name: str, argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("config", type=Path, help="YAML config of the run")
    parser.add_argument("--session", default="", help="name of the session")
    parser.add_argument("--revision", default="", help="git revision that is recorded")
    parser.add_argument("--supervised", action="store_true", help="end with the parent")
    parser.add_argument("--restarts", type=int, default=0, help="number of starts before this one")
    parser.add_argument("--before-restart", default="", help="last detail before a restart")
    return parser.parse_args(argv)
