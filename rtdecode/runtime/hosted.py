"""The side of a host that joins a run: it asks to join, and runs what it is assigned.

Duties: ask until `rtdecode run` admits this host, start and end its processes as the newest
assignment states, and report them. Which processes there are, and their command lines, are passed
in; nothing that comes over the network is executed.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from rtdecode.runtime.children import ProcessHandle
from rtdecode.runtime.control import ControlClient
from rtdecode.runtime.keys import HOST_PREFIX
from rtdecode.runtime.limits import NAME_CHARS
from rtdecode.runtime.processor_watch import ProcessorWatch
from rtdecode.runtime.socket_options import HAND_OVER_S
from rtdecode.runtime.sockets import Messaging
from rtdecode.schema.errors import JoinRefusedError, MainHostSilentError
from rtdecode.schema.hosts import Admission, Admitted, Assignment, Ending, HostProcesses, Join
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body

log = logging.getLogger(__name__)
MAIN_SILENT_S = 60.0
"""Time in s without a message of `rtdecode run` after which the processes here are ended."""
_PERIOD_NS = 250_000_000
_ASK_NS = 1_000_000_000
_WAIT_S = 0.05
_QUEUE = 8
"""Messages that wait while there is no run; each one replaces those before it."""
_END_S = HAND_OVER_S + 10.0

Start = Callable[[str, int, str], ProcessHandle | None]
"""Starts the process of a name for the n-th time, with the detail of before; None: not yet."""


class HostLink:
    """The control channel between this host and `rtdecode run`.

    Parameters
    ----------
    endpoint
        Endpoint of the supervisor.
    host
        Name of this host.
    """

    def __init__(self, messaging: Messaging, host: str, *, endpoint: str, clock: Clock) -> None:
        self.host, self.instance, self._clock = host, secrets.token_hex(8), clock
        self.endpoint = endpoint
        self._client = ControlClient(
            messaging,
            f"{HOST_PREFIX}{host}",
            clock=clock,
            endpoint=endpoint,
            token=self.instance,
            queue=_QUEUE,
        )
        self.received_ns = clock.now_ns()
        """When the newest message came."""

    def admitted(self, join: Join, *, stop: Event, say: Callable[[str], None]) -> Admission | None:
        """Ask to join until there is a run that admits this host; None where `stop` is set.

        Raises JoinRefusedError.
        """
        due_ns, said, text = 0, "", f"waits for `rtdecode run` at {self.endpoint}"
        while not stop.is_set():
            if self._clock.now_ns() >= due_ns:
                self.push(join)
                due_ns = self._clock.now_ns() + _ASK_NS
            for body in self.take(_WAIT_S):
                if not isinstance(body, Admission) or body.instance != self.instance:
                    continue
                if body.state == Admitted.YES:
                    return body
                if body.state == Admitted.REFUSED:
                    raise JoinRefusedError(host=self.host, reason=body.text)
                text = f"waits: {body.text}"
            if text != said:
                say(text)
                said = text
        return None

    def push(self, body: Body) -> None:
        """Send `body`; it is dropped where too many wait."""
        self._client.push(body)

    def take(self, wait_s: float) -> list[Body]:
        """What has come; waits for the first one."""
        bodies = [received.message.body for received in self._client.take(wait_s)]
        if bodies:
            self.received_ns = self._clock.now_ns()
        return bodies


@dataclass(slots=True)
class _Hosted:
    process: ProcessHandle
    number: int
    ending: int = Ending.NO


class HostedProcesses:
    """The processes of this host, as they were assigned.

    Parameters
    ----------
    start
        Starts a process.
    roles
        Names of the processes that this host may run.
    """

    def __init__(self, start: Start, roles: frozenset[str]) -> None:
        self._start, self._roles = start, roles
        self._hosted: dict[str, _Hosted] = {}

    def follow(self, assignment: Assignment) -> None:
        """Start and end what `assignment` states."""
        for name, number in assignment.starts.items():
            if name not in self._roles:
                continue
            known = self._hosted.get(name)
            if known is not None and number > known.number and known.process.poll() is None:
                # it was given up there
                known.process.kill()
            elif known is None or number > known.number:
                process = self._start(name, number, assignment.details.get(name, ""))
                if process is not None:
                    self._hosted[name] = _Hosted(process, number)
        for name, how in assignment.ends.items():
            known = self._hosted.get(name)
            if known is not None and known.number == assignment.starts.get(name):
                _end(known, how)

    def end_all(self, how: Ending) -> None:
        """End all processes."""
        for hosted in self._hosted.values():
            _end(hosted, how)

    @property
    def pids(self) -> dict[str, int]:
        """Process numbers by name."""
        return {name: one.process.pid for name, one in self._hosted.items()}

    @property
    def have_ended(self) -> bool:
        """Whether no process runs."""
        return all(one.process.poll() is not None for one in self._hosted.values())

    def report(self, link: HostLink, *, leaves: bool = False) -> HostProcesses:
        """What runs here, and what has ended."""
        hosted = self._hosted.items()
        ended = {name: one for name, one in hosted if one.process.poll() is not None}
        return HostProcesses(
            link.host,
            link.instance,
            starts={name: one.number for name, one in hosted},
            pids=self.pids,
            codes={name: one.process.wait() for name, one in ended.items()},
            # a longer text would be refused, with all that this report states
            tails={
                name: one.process.end_of_log()[-NAME_CHARS:] for name, one in self._hosted.items()
            },
            leaves=leaves,
        )


def _end(hosted: _Hosted, how: int) -> None:
    """Let `hosted` end as `how` states, once."""
    if how > hosted.ending and hosted.process.poll() is None:
        hosted.ending = how
        if how == Ending.STOP:
            hosted.process.terminate()
        elif how == Ending.RELEASE:
            hosted.process.release()
        else:
            hosted.process.kill()


def follow_run(
    link: HostLink,
    hosted: HostedProcesses,
    *,
    stop: Event,
    clock: Clock,
    processors: ProcessorWatch | None = None,
) -> Assignment | None:
    """Run what is assigned until the run is over, which is returned, or `stop` is set (None).

    Events of saturated `processors` are sent too.

    Raises
    ------
    MainHostSilentError
        After `MAIN_SILENT_S` without a message; the processes have ended then.
    """
    due_ns, link.received_ns = 0, clock.now_ns()
    while not stop.is_set():
        if clock.now_ns() >= due_ns:
            due_ns = clock.now_ns() + _PERIOD_NS
            link.push(hosted.report(link))
            for event in processors.events(hosted.pids) if processors else ():
                link.push(event)
        for body in link.take(_WAIT_S):
            if isinstance(body, Assignment) and body.instance == link.instance:
                if body.over:
                    _ended(link, hosted, Ending.KILL, clock=clock)
                    return body
                hosted.follow(body)
        if clock.now_ns() - link.received_ns > MAIN_SILENT_S * 1e9:
            _ended(link, hosted, Ending.STOP, clock=clock)
            raise MainHostSilentError(address=link.endpoint, waited_s=MAIN_SILENT_S)
    _ended(link, hosted, Ending.STOP, clock=clock)
    link.push(hosted.report(link, leaves=True))
    return None


def _ended(link: HostLink, hosted: HostedProcesses, how: Ending, *, clock: Clock) -> None:
    """End all processes; they are killed where they take longer than to hand over."""
    hosted.end_all(how)
    deadline_ns = clock.now_ns() + _END_S * 1e9
    while not hosted.have_ended:
        link.push(hosted.report(link))
        link.take(_WAIT_S)
        if clock.now_ns() > deadline_ns:
            hosted.end_all(Ending.KILL)
