"""Frame around the loop of every process: sockets, readiness, heartbeats, hand-over at the end.

Duties: build publishers and subscribers, report the state of the process to the supervisor, wait
for the common start, and wait for the recorder at the end. `runtime.entry` reads the config and
gives the exit code. It must not contain anything about what a process computes: that is in
`rtdecode.pipeline` and in the rigs.

A process is ready once it is built and has received a message from every source that it expects.
Until the run starts, each publisher announces its source, and nothing else is sent, so a subscriber
that is ready misses nothing that is sent after the command `start`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event

from rtdecode.runtime.backlog import share_mb
from rtdecode.runtime.compared_clock import ComparedClock, is_on_another_host
from rtdecode.runtime.control import ControlClient
from rtdecode.runtime.loop import LoopReport
from rtdecode.runtime.numbering import kept_numbering
from rtdecode.runtime.outlets import backlog_counters, drain, handed_over
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.run_info import RunInfo
from rtdecode.runtime.socket_options import HAND_OVER_S
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.stop import StoppedEarlyError
from rtdecode.runtime.subscriber import Subscriber
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import RtdecodeError
from rtdecode.schema.hosts import ClockProbe
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, Command, Health, Received
from rtdecode.schema.messages import Event as EventMessage

_HEARTBEAT_NS = 500_000_000
_ANNOUNCE_S = 0.05
_ALONE_S = 2.0
"""Time in s for which a process without a supervisor waits for a recorder that takes nothing."""


class Process:
    """One process of a run: name, config, clock, sockets and control channel to the supervisor.

    Parameters
    ----------
    stop
        Set by signals and by the command `stop`; the loop of the process ends when it is set.
    alone
        Set when the supervisor has ended, or when its recorder has.
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
        alone: Event | None = None,
    ) -> None:
        self.name, self.config, self.run_info = name, config, run_info
        self.messaging, self.stop, self._alone = messaging, stop, alone or Event()
        self.clock: Clock = clock
        self._began = False
        self._publishers: list[Publisher] = []
        self._for_events: list[Publisher] = []
        """The publisher of events of a process that has no other one to the recorder."""
        self._offer_event: Callable[[EventMessage], bool] | None = None
        self._control: ControlClient | None = None
        self._heartbeat_due_ns = 0
        self._detail = ""
        self._commands: list[Command] = []
        self._supervisor_ns = self._probe_due_ns = 0
        self._compared: ComparedClock | None = None
        if endpoint := config.network.control:

            def connected(name: str) -> ControlClient:
                token = run_info.token
                return ControlClient(messaging, name, clock=clock, endpoint=endpoint, token=token)

            self._control = connected(name)
            if is_on_another_host(endpoint):
                rate_hz = config.frame_rate_hz
                self._compared = ComparedClock(name, connected, local=clock, frame_rate_hz=rate_hz)
                self.clock = self._compared.clock

    def wait_for_clock(self) -> None:
        """Wait until the clock of this host is mapped to the supervisor's; nothing is dated before.

        Returns at once on the supervisor's host, and raises StoppedEarlyError at a stop.
        """
        if self._compared is None:
            return
        self._compared.start()
        while not self._compared.is_known(_ANNOUNCE_S):
            self.report(Health("starting", "compares clocks", {}))
            self._receive_commands()
            if self.stop.is_set():
                raise StoppedEarlyError

    def close(self) -> None:
        """End the exchange of clock probes."""
        if self._compared is not None:
            self._compared.close()

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
            backlog_mb=share_mb(source, total_mb=self.config.record.backlog_mb),
            numbering=kept_numbering(self.config, self.run_info, source=source) if record else None,
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
        nothing was sent, so no END is needed. Without a supervisor, which has made sure that the
        run is recorded, RecorderAbsentError is raised where no recorder is connected.
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
            raise StoppedEarlyError
        if inlet is not None:
            inlet.put_back(taken)
        if self._control is None:
            for publisher in self._publishers:
                publisher.require_recorder()
        self._began = True

    def _has_started(self, *, ready: bool) -> bool:
        if self._control is None:
            return ready
        self._control.push(self._health("ready" if ready else "starting", {}))
        return any(command.name == "start" for command in self.commands())

    def send_heartbeat(self, counters: dict[str, float]) -> None:
        """Send a heartbeat if one is due, and act on the command `stop`; called in each turn."""
        drain(self._outlets())
        now_ns = self.clock.now_ns()
        if now_ns < self._heartbeat_due_ns:
            return
        self._heartbeat_due_ns = now_ns + _HEARTBEAT_NS
        health = self._health("running", counters)
        if self._publishers:
            self._publishers[0].push(health)
        if self._compared is not None:
            self._report_clock(self._compared)
        if self._control is not None:
            self._control.push(health)
        self.messaging.report(self.offer_event, process=self.name, t_ns=now_ns)
        self._receive_commands()

    def _report_clock(self, compared: ComparedClock) -> None:
        """Send the probes and what changed; held as all else while the recorder takes nothing."""
        if not self._publishers:
            compared.report(self.offer_event)
            return
        for probe in compared.probes():
            self._publishers[0].push(probe)
        compared.report(self._publishers[0].held)

    def send_events_to(self, offer: Callable[[EventMessage], bool]) -> None:
        """Pass events of this process to `offer`, as the recorder does, which has no recorder."""
        self._offer_event = offer

    @property
    def is_alone(self) -> bool:
        """Whether the supervisor has ended before this process, as after a kill."""
        return self._alone.is_set()

    @property
    def may_continue(self) -> bool:
        """Whether a later start may go on from here; on another host a cut looks like the end."""
        return self.is_alone or self._compared is not None

    def supervisor_ns(self) -> int:
        """When the newest message of the supervisor was sent (HostNs), which is asked for one.

        0 where none came yet. A supervisor that stands still, as after Ctrl-Z in its terminal,
        passes on no command.
        """
        now_ns = self.clock.now_ns()
        if now_ns >= self._probe_due_ns and self._compared is None:
            self._probe_due_ns = now_ns + _HEARTBEAT_NS
            self.report(ClockProbe(now_ns, 0, 0, 0))
        probed_ns = 0 if self._compared is None else self._compared.supervisor_ns
        return max(self._supervisor_ns, probed_ns)

    def report(self, body: Body) -> None:
        """Send `body` to the supervisor alone."""
        if self._control is not None:
            self._control.push(body)

    def hand_over(self) -> bool:
        """Wait while the recorder takes what is held at the end; False where it leaves messages.

        It may take nothing for 60 s, or for 2 s where the supervisor or the recorder has ended.
        """
        return not self._began or handed_over(
            self._outlets(),
            clock=self.clock,
            limit_s=lambda: _ALONE_S if self.is_alone else HAND_OVER_S,
            on_turn=lambda: self.report(self._health("stopping", {})),
        )

    def _outlets(self) -> list[Publisher]:
        return self._publishers + self._for_events

    def offer_event(self, event: EventMessage) -> bool:
        """Send `event` to the recorder and to subscribers; False where it cannot be sent now."""
        if self._offer_event is None:
            recorder = self.config.network.recorder
            self._for_events.append(self._publisher("", self.name, record=recorder))
            self._offer_event = self._for_events[0].offer
        return self._offer_event(event)

    @contextmanager
    def failure_sent(self) -> Iterator[None]:
        """Send the sentence of an error in the block to the supervisor: a log file may be full."""
        try:
            yield
        except RtdecodeError as error:
            self.report(Health("failed", str(error), {}))
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
        for received in self._control.take(0.0):
            self._supervisor_ns = max(self._supervisor_ns, received.message.t_ns)
            if isinstance(received.message.body, Command):
                self._commands.append(received.message.body)
                if received.message.body.name == "stop":
                    self.stop.set()

    def _health(self, state: str, counters: dict[str, float]) -> Health:
        clock = {} if self._compared is None else self._compared.counters()
        counters = counters | backlog_counters(self._outlets()) | clock
        return Health(state=state, detail=self._detail, counters=counters)
