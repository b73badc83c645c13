"""The supervisor's side of the other hosts of a run: who has joined, and what runs there.

Duties: compare a host that asks to join with this one, admit it, assign its processes, and give the
supervisor a handle of each that is used as that of a process of this host. It decides neither when
a process starts nor when it ends: that stays with the supervisor.

Silence of a host is no failure of its processes: while a link is cut nothing is killed, and both
sides go on from what they state to each other when it is back. A new `rtdecode join` of a host, as
after a reboot, means that what ran there has ended.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from types import TracebackType
from typing import Self

from rtdecode.runtime.config_comparison import differences
from rtdecode.runtime.control import ControlServer, name_in
from rtdecode.runtime.hosted import MAIN_SILENT_S
from rtdecode.runtime.keys import HOST_PREFIX
from rtdecode.runtime.remote_process import JoinedHost, RemoteProcess
from rtdecode.schema.config.roles import Role
from rtdecode.schema.errors import HostMissingError
from rtdecode.schema.hosts import Admission, Admitted, Assignment, HostProcesses, Join
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, Health
from rtdecode.schema.messages import Event as EventMessage

log = logging.getLogger(__name__)
SILENT_S = 3.0
"""Time in s without a message after which a host is silent."""
NAMED_S = 10.0
"""Time in s after which a host that has not joined is named."""
JOIN_WAIT_S = 1800.0


@dataclass(frozen=True, slots=True)
class ThisRun:
    """What a host must share with this one, and what it gets once it is admitted."""

    host: str
    """Name of this host."""
    session: str
    token: str
    versions: Mapping[str, str]
    settings: Mapping[str, str]
    page_secret: str = ""
    """For the host that runs the page."""


class JoinedHosts:
    """All other hosts of a run.

    Parameters
    ----------
    hosts
        The other hosts, none of them joined.
    on_health
        Receives the state of a host whenever it changes, under the name `host NAME`.
    """

    def __init__(
        self,
        server: ControlServer,
        clock: Clock,
        *,
        this_run: ThisRun,
        hosts: Sequence[JoinedHost],
        on_health: Callable[[str, Health], None] = lambda _name, _health: None,
    ) -> None:
        self._server, self._clock, self._run = server, clock, this_run
        self._hosts = {host.name: host for host in hosts}
        self._on_health, self._states = on_health, dict[str, str]()
        self._events: list[EventMessage] = []

    def wait(self, turn: Callable[[], None], *, stop: Event, wait_s: float = JOIN_WAIT_S) -> bool:
        """Wait until all have joined; False where `stop` is set. Names the missing after 10 s.

        `turn` is called meanwhile, and passes messages to `receive`. Raises HostMissingError.
        """
        began_ns, named = self._clock.now_ns(), False
        while missing := self.missing():
            if stop.is_set():
                return False
            turn()
            waited_s = (self._clock.now_ns() - began_ns) / 1e9
            if waited_s > NAMED_S and not named:
                named = True
                for sentence in self.missing():
                    log.warning("%s", sentence)
            if waited_s > wait_s:
                raise HostMissingError(sentences=missing, waited_s=wait_s)
            self._show(detailed=named)
        return True

    def missing(self) -> list[str]:
        """A sentence for each host that has not joined."""
        return [host.sentence() for host in self._hosts.values() if not host.instance]

    def receive(self, identity: str, body: Body) -> bool:
        """Take a message of `identity`; whether it is one of a host, and not of a process."""
        if not identity.startswith(HOST_PREFIX):
            return False
        host = self._hosts.get(name_in(identity).removeprefix(HOST_PREFIX))
        if isinstance(body, Join):
            self._server.answer(identity, self._admission(host, identity, body))
        elif isinstance(body, HostProcesses):
            self._server.answer(identity, self._assignment(host, body))
        elif isinstance(body, EventMessage) and host is not None and host.identity == identity:
            self._events.append(body)
        return True

    def start(
        self, name: str, *, host: str, number: int, detail: str, turn: Callable[[], None]
    ) -> RemoteProcess:
        """Start `name` on `host` for the time `number`, or as soon as the host has joined."""
        joined = self._hosts[host]
        joined.starts[name], joined.details[name] = number, detail
        joined.ends.pop(name, None)
        if not joined.instance:
            joined.pending.add(name)

        def push() -> None:
            self._push(joined)

        push()
        return RemoteProcess(joined, name, number, clock=self._clock, push=push, turn=turn)

    def watch(self) -> None:
        """Note hosts that are silent; called at each turn."""
        for host in self._hosts.values():
            silent_s = (self._clock.now_ns() - host.received_ns) / 1e9
            if host.instance and not host.is_silent and silent_s > SILENT_S:
                host.is_silent = True
                text = f"{host.name} ({host.address}) sends nothing; its processes may go on"
                self._event("host_silent", text)
            if host.is_silent and not host.is_given_up and silent_s > MAIN_SILENT_S:
                host.is_given_up = True
                text = (
                    f"{host.name} ({host.address}) has sent nothing for {MAIN_SILENT_S:g} s, after "
                    f"which its processes end: once the network is back, run {host.command()} on it"
                )
                self._event("host_given_up", text)
        self._show(detailed=False)

    def taken_events(self) -> list[EventMessage]:
        """Events since the last call."""
        taken, self._events = self._events, []
        return taken

    def end(self, reason: str, *, code: int) -> None:
        """Tell all hosts that the run is over."""
        for host in self._hosts.values():
            if host.instance:
                over = Assignment(host.instance, over=reason, code=code)
                self._server.answer(host.identity, over)
                host.instance = host.identity = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        code = 0 if error is None else getattr(error, "exit_code", 1)
        reason = "the run has ended" if error is None else f"the run failed: {error}"
        self.end(reason.splitlines()[0], code=code)

    def _admission(self, host: JoinedHost | None, identity: str, join: Join) -> Admission:
        refused, later = Admitted.REFUSED.value, Admitted.LATER.value
        if host is None:
            text = f"network.hosts of {self._run.host} has no host {join.host:.40} that joins"
            return Admission(join.instance, refused, text)
        if host.instance not in ("", join.instance) and not host.is_silent:
            text = "another `rtdecode join` runs for this host"
            return Admission(join.instance, later, text)
        if found := self._differences(join):
            before, host.refusal = host.refusal, found
            if host.refusal != before:  # it may ask again every few seconds
                log.warning("%s", host.sentence())
            self._show(detailed=True)
            return Admission(join.instance, refused, host.refusal)
        if host.instance != join.instance:
            self._admit(host, identity, join)
        shows_page = Role.VIEW.value in host.roles
        return Admission(
            join.instance,
            Admitted.YES.value,
            "",
            session=self._run.session,
            token=self._run.token,
            page_secret=self._run.page_secret if shows_page else "",
        )

    def _differences(self, join: Join) -> str:
        here, there = self._run.host, join.host
        versions = [
            f"{'the wire format' if name == 'wire' else name} is of version {ours} on {here} and "
            f"{join.versions.get(name, 'unknown')} on {there}: install the same release on both"
            for name, ours in self._run.versions.items()
            if join.versions.get(name) != ours
        ]
        if versions:  # settings of another release need not be the same
            return "; ".join(versions)
        found = differences(self._run.settings, join.settings, here=here, there=there)
        remedy = ": copy the same config, and the files that it names, to both hosts"
        return "; ".join(found) + remedy if found else ""

    def _admit(self, host: JoinedHost, identity: str, join: Join) -> None:
        if host.back_ns:
            text = f"{host.name} ({host.address}) has joined again; its processes are started again"
            self._event("host_rejoined", text)
        host.identity, host.instance, host.refusal, host.reported = (
            identity,
            join.instance,
            "",
            None,
        )
        host.is_silent, host.is_given_up, host.received_ns = False, False, self._clock.now_ns()
        host.back_ns = host.received_ns
        # what ran before has ended, and waits for the next start that the supervisor gives
        host.starts = {name: n for name, n in host.starts.items() if name in host.pending}
        host.ends = {name: how for name, how in host.ends.items() if name in host.pending}
        host.pending.clear()

    def _assignment(self, host: JoinedHost | None, reported: HostProcesses) -> Assignment:
        if host is None or reported.instance != host.instance:
            over = "another run has begun, or another `rtdecode join` of this host has taken part"
            return Assignment(reported.instance, over=over, code=1)
        now_ns = self._clock.now_ns()
        if host.is_silent:
            seconds = round((now_ns - host.received_ns) / 1e9, 1)
            host.is_silent, host.is_given_up, host.back_ns = False, False, now_ns
            text = f"{host.name} ({host.address}) sends messages again"
            self._event("host_back", text, {"seconds": seconds})
        host.received_ns, host.reported = now_ns, reported
        if reported.leaves:
            text = f"{host.name} ({host.address}) has left the run, as it was asked to there"
            self._event("host_left", text)
            host.instance = host.identity = ""
        return self._assigned(host, reported.instance)

    def _assigned(self, host: JoinedHost, instance: str) -> Assignment:
        return Assignment(instance, dict(host.starts), dict(host.ends), dict(host.details))

    def _push(self, host: JoinedHost) -> None:
        """Send the assignment of `host` now; it is sent again as an answer."""
        if host.instance:
            self._server.answer(host.identity, self._assigned(host, host.instance))

    def _event(self, code: str, text: str, counts: Mapping[str, float] | None = None) -> None:
        log.warning("%s", text)
        self._events.append(EventMessage("warning", "supervisor", code, text, dict(counts or {})))

    def _show(self, *, detailed: bool) -> None:
        """Pass on the state of each host that has changed; `detailed` with what to do."""
        for host in self._hosts.values():
            state = host.state()
            detail = host.sentence() if detailed and not host.instance else ""
            if (shown := f"{state} {detail}") != self._states.get(host.name):
                self._states[host.name] = shown
                self._on_health(f"host {host.name}", Health(state, detail, {}))
