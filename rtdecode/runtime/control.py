"""Control channel between the supervisor and its processes: heartbeats up, commands down.

Duties: address each process by its name, accept only processes that know the token of the run,
forward commands between them, and answer clock probes. The supervisor makes the token and passes it
to its processes; it stands in the ZeroMQ identity, `NAME.NONCE/TOKEN`, so that another program can
neither pose as a process of the run nor take its place. Clock probes are answered without it, for a
rig on another host.

A process on another host must also have the key of a host that runs a process of this name. The
nonce is another one for each connection: whoever knows the token cannot occupy the identity of a
process before it connects, and messages go to the newest one that was accepted.
"""

import hmac
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from rtdecode.runtime.codec import pack
from rtdecode.runtime.keys import HOST_PREFIX
from rtdecode.runtime.limits import CONTROL_RATE, PeerLimits
from rtdecode.runtime.sockets import (
    CLOCK_NAME,
    CONTROL_QUEUE,
    Arrivals,
    Messaging,
    drained,
    has_room,
)
from rtdecode.schema.errors import MessageError, Refusal
from rtdecode.schema.hosts import ClockProbe, HostProcesses, Join
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, Command, Event, Received, Stamped

TOKEN_VARIABLE = "RTDECODE_RUN_TOKEN"  # noqa: S105 - the name of the variable
"""Environment variable in which the supervisor passes the token to its processes."""
_OF_HOSTS = (Join, HostProcesses, Event)
_NONCE = "."
"""Stands before the part of an identity that is not its name."""


class ControlServer:
    """The supervisor's end of the control channel: receives heartbeats, sends commands.

    A message without `token` is refused and counted.

    Parameters
    ----------
    also_at
        Endpoints of this computer at which it receives too, for programs without a key.
    """

    def __init__(
        self,
        messaging: Messaging,
        *,
        clock: Clock,
        endpoint: str,
        token: str = "",
        also_at: Iterable[str] = (),
    ) -> None:
        self._clock, self._token, self._messaging = clock, token, messaging
        self._socket = messaging.router(endpoint, *also_at)
        self._where, self._limits = endpoint, PeerLimits(CONTROL_RATE)
        self._seq = 0
        self._identities: dict[str, str] = {}
        """The newest identity of each name that was accepted."""

    def receive(self, wait_s: float) -> list[tuple[str, Stamped]]:
        """(name of the process, message) for all that has arrived from processes of this run.

        A command is not among them: it is passed on to its target. A host that joins is no process
        of the run yet, and has no token; the name of its messages is its whole identity.
        """
        arrivals = Arrivals(self._messaging, self._socket, wait_s)
        taken: list[tuple[str, Stamped]] = []
        for identity, message in self._messaging.refused.named_batch(
            arrivals,
            where=self._where,
            clock=self._clock,
            limits=self._limits,
            check=lambda identity, message: self._check(arrivals.host, identity, message.body),
        ):
            name = name_in(identity)
            if isinstance(message.body, ClockProbe):
                self._answer_probe(identity, message.body)
                continue
            if _is_of_host(identity, message.body):
                taken.append((identity, message))
                continue
            self._identities[name] = identity
            if isinstance(message.body, Command):
                self.send(message.body.target, message.body)
            else:
                taken.append((name, message))
        return taken

    def send(self, name: str, body: Body) -> None:
        """Send `body` to the process `name`; it is dropped if there is no such process."""
        if name in self._identities:
            self.answer(self._identities[name], body)

    def report(self, offer: Callable[[Event], bool], *, process: str, t_ns: int) -> None:
        """Offer an Event of messages and connections that were refused, where one is due."""
        self._messaging.report(offer, process=process, t_ns=t_ns)

    def _check(self, host: str, identity: str, body: Body) -> None:
        """Raise MessageError where a sender is no process of this run, or not of the key `host`."""
        if isinstance(body, ClockProbe):
            return
        name, keys = name_in(identity), self._messaging.keys
        token = identity.partition("/")[2]
        reason = ""
        is_of_run = hmac.compare_digest(token.encode(), self._token.encode())
        if not is_of_run and not _is_of_host(identity, body):
            reason = f"'{name:.40}' is not a process of this run"
        elif host and keys is not None and not keys.may_control(host, name):
            reason = f"the host {host} does not run the process '{name:.40}'"
        elif host and keys is not None and isinstance(body, Command) and not keys.may_command(host):
            reason = f"the host {host} must not command other processes"
        if reason:
            raise MessageError(reason=reason, refusal=Refusal.SENDER)

    def _answer_probe(self, identity: str, probe: ClockProbe) -> None:
        now_ns = self._clock.now_ns()
        self.answer(identity, replace(probe, t_request_received_ns=now_ns, t_reply_ns=now_ns))

    def answer(self, identity: str, body: Body) -> None:
        """Send `body` to the sender with this `identity`; it is dropped if there is none."""
        data = pack(Stamped("supervisor", self._seq, self._clock.now_ns(), CLOCK_NAME, body))
        self._seq += 1
        self._socket.send_multipart([identity.encode(), data])


class ControlClient:
    """A process's end of the control channel: Source of commands, Sink for heartbeats."""

    def __init__(
        self,
        messaging: Messaging,
        name: str,
        *,
        clock: Clock,
        endpoint: str,
        token: str = "",
        queue: int = CONTROL_QUEUE,
    ) -> None:
        self._clock, self._name, self._seq = clock, name, 0
        self._messaging = messaging
        unique = f"{name}{_NONCE}{secrets.token_hex(8)}"
        self._socket = messaging.dealer(endpoint, identity=identity_of(unique, token), queue=queue)

    def take(self, wait_s: float) -> Sequence[Received]:
        return [
            received for _, received in drained(self._socket, self._messaging, self._clock, wait_s)
        ]

    def push(self, body: Body) -> None:
        """Send `body` to the supervisor without waiting; it is dropped where the queue is full."""
        data = pack(Stamped(self._name, self._seq, self._clock.now_ns(), CLOCK_NAME, body))
        self._seq += 1
        if has_room(self._socket):
            self._socket.send(data)


def _is_of_host(identity: str, body: Body) -> bool:
    """Whether a message is of `rtdecode join`, which is no process of the run and has no token."""
    return identity.startswith(HOST_PREFIX) and isinstance(body, _OF_HOSTS)


def name_in(identity: str) -> str:
    """The name of the process in its `identity`.

    >>> name_in("recorder.0123/token"), name_in("bridge")
    ('recorder', 'bridge')
    """
    return identity.partition("/")[0].partition(_NONCE)[0]


def identity_of(name: str, token: str) -> str:
    """The ZeroMQ identity of the process `name` in the run of `token`."""
    return f"{name}/{token}" if token else name
