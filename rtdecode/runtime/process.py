"""What every process of a run does around its loop: get ready, wait for go, beat, end with END.

Ready means built, and heard by everyone it listens to: each publisher says announce until the run
starts, so nothing that is sent after `go` can be missed by a subscriber that joined before it.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
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

log = logging.getLogger(__name__)
_BEAT_NS = 500_000_000
_HELLO_S = 0.05
_RECORDED = ("rtdecode", "numpy", "pyzmq", "msgpack")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What the supervisor tells a process about the run it belongs to."""

    session: str
    git_revision: str
    config_yaml: str
    versions: dict[str, str]

    def start(self, *, twin_hash: str = "") -> Start:
        """The START of a source in this session."""
        return Start(
            session=self.session,
            config_yaml=self.config_yaml,
            git_revision=self.git_revision,
            twin_hash=twin_hash,
            versions=self.versions,
        )


class Process:
    """One process of a run: its name, config, clock, sockets, and its line to the supervisor."""

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
        self._line: ControlClient | None = None
        self._next_beat_ns = 0
        self._detail = ""
        self._heard: list[Command] = []
        self._sync: ClockSync | None = None
        if config.network.control:
            self._line = ControlClient(
                messaging, name, clock=clock, endpoint=config.network.control
            )
            if _is_elsewhere(config.network.control):
                clock_map = ClockMap()
                self._sync = ClockSync(self._line, local=clock, clock_map=clock_map)
                self.clock = MappedClock(clock, clock_map)

    def publisher(self, endpoint: str, *, source: str | None = None) -> Publisher:
        """An outlet that records and publishes as `source` (the process's name by default)."""
        made = Publisher(
            self.messaging,
            source or self.name,
            clock=self.clock,
            publish=endpoint,
            record=self.config.network.recorder,
            queue=self.config.record.queue_messages,
        )
        self._publishers.append(made)
        return made

    def subscriber(self, endpoints: Iterable[str], kinds: Sequence[type[Body]]) -> Subscriber:
        """An inlet for `kinds` from `endpoints`."""
        return Subscriber(
            self.messaging,
            clock=self.clock,
            endpoints=endpoints,
            kinds=kinds,
            queue=self.config.record.queue_messages,
        )

    def set_detail(self, detail: str) -> None:
        """Say `detail` (the page's address, for one) in every heartbeat from now on."""
        self._detail = detail

    def wait_for_start(
        self, inlet: Subscriber | None = None, expected_sources: Iterable[str] = ()
    ) -> None:
        """Say ready once every source in `expected_sources` was heard on `inlet`; return at `go`.

        Without a supervisor there is nobody to say go, so it returns when all are heard. A stop
        that comes first ends the process from here, with code 0: nothing was sent, so nothing has
        to be ended.
        """
        unheard, taken = set(expected_sources), list[Received]()
        while not self.stop.is_set():
            for publisher in self._publishers:
                publisher.announce(self._health("starting", {}))
            if inlet is not None and unheard:
                taken.extend(inlet.take(_HELLO_S))
                unheard -= {received.message.source for received in taken}
            else:
                self.stop.wait(_HELLO_S)
            if self._goes(heard=not unheard):
                break
        else:
            raise _StoppedEarlyError
        if inlet is not None:
            inlet.put_back(taken)

    def _goes(self, *, heard: bool) -> bool:
        if self._line is None:
            return heard
        if self._sync is not None:
            self._sync.exchange_if_due()
        self._line.push(self._health("ready" if heard else "starting", {}))
        return any(order.name == "go" for order in self.commands())

    def send_heartbeat(self, counters: dict[str, float]) -> None:
        """Send a heartbeat if one is due, and obey a `stop`."""
        now_ns = self.clock.now_ns()
        if now_ns < self._next_beat_ns:
            return
        self._next_beat_ns = now_ns + _BEAT_NS
        health = self._health("running", counters)
        probes = self._sync.exchange_if_due() if self._sync else []
        if self._publishers:
            self._publishers[0].push(health)
            for probe in probes:
                self._publishers[0].push(probe)
        if self._line is not None:
            self._line.push(health)
        self._listen()

    def on_turn(self, counters: Callable[[], dict[str, float]]) -> Callable[[LoopReport], None]:
        """What `run_loop` calls once a turn."""
        return lambda _report: self.send_heartbeat(counters())

    def commands(self) -> list[Command]:
        """Commands that have come since the last call; a `stop` is obeyed already."""
        self._listen()
        heard, self._heard = self._heard, []
        return heard

    def _listen(self) -> None:
        if self._line is None:
            return
        taken = [*self._line.take(0.0)]
        if self._sync is not None:
            taken, self._sync.others = self._sync.others + taken, []
        for received in taken:
            if isinstance(received.message.body, Command):
                self._heard.append(received.message.body)
                if received.message.body.name == "stop":
                    self.stop.set()

    def _health(self, state: str, counters: dict[str, float]) -> Health:
        return Health(state=state, detail=self._detail, counters=counters)


class _StoppedEarlyError(Exception):
    """Carries a stop that came before `go` past whatever the process has opened."""


def _versions() -> dict[str, str]:
    known = {name: version(name) for name in _RECORDED}
    return {"python": sys.version.split()[0], **known}


def _is_elsewhere(endpoint: str) -> bool:
    """True for the control line of a supervisor on another host, whose clock is another one."""
    near = ("ipc://", "inproc://", "tcp://127.", "tcp://localhost", "tcp://[::1]")
    return not endpoint.startswith(near)


def run_process(name: str, main: Callable[[Process], int], argv: Sequence[str]) -> int:
    """Read the config, build the frame of a process, run `main` in it; its exit code.

    A named error is logged in one sentence and gives its exit code; anything else is a bug and
    shows its trace.
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
            args.session, args.revision, args.config.read_text(encoding="utf-8"), _versions()
        )
        with Messaging() as messaging:
            return main(
                Process(
                    name,
                    config,
                    run_info=run_info,
                    messaging=messaging,
                    stop=stop,
                    clock=HostClock(),
                )
            )
    except _StoppedEarlyError:
        log.info("stopped before it began")
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
    return parser.parse_args(argv)
