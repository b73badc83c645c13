"""Control channel between the supervisor and its processes: heartbeats up, commands down.

Duties: address each process by its name, accept only processes that know the token of the run,
forward commands between them, and answer clock probes. The supervisor makes the token and passes it
to its processes; it stands in the ZeroMQ identity, `NAME/TOKEN`, so that another program can
neither pose as a process of the run nor take its place. Clock probes are answered without it, for a
rig on another host.
"""

import hmac
from collections.abc import Sequence
from dataclasses import replace

from rtdecode.runtime.codec import pack
from rtdecode.runtime.limits import CONTROL_RATE, PeerLimits
from rtdecode.runtime.sockets import (
    CLOCK_NAME,
    CONTROL_QUEUE,
    Messaging,
    address_of,
    drained,
    has_room,
    received_parts,
)
from rtdecode.schema.errors import MessageError, Refusal
from rtdecode.schema.hosts import HostProcesses, Join
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, ClockProbe, Command, Received, Stamped

TOKEN_VARIABLE = "RTDECODE_RUN_TOKEN"  # noqa: S105 - the name of the variable
"""Environment variable in which the supervisor passes the token to its processes."""
HOST_PREFIX = "join-"
"""Begin of the identity of a `rtdecode join`, `join-NAME/INSTANCE`, for the host NAME."""
_OF_HOSTS = (Join, HostProcesses)


class ControlServer:
    """The supervisor's end of the control channel: receives heartbeats, sends commands.

    A message without `token` is refused and counted.
    """

    def __init__(
        self, messaging: Messaging, *, clock: Clock, endpoint: str, token: str = ""
    ) -> None:
        self._clock, self._token, self.refused = clock, token, messaging.refused
        self._socket, self._limits = messaging.router(endpoint), PeerLimits(CONTROL_RATE)
        self._seq = 0

    def receive(self, wait_s: float) -> list[tuple[str, Stamped]]:
        """(name of the process, message) for all that has arrived from processes of this run.

        A command is not among them: it is passed on to its target. A host that joins is no process
        of the run yet, and has no token; the name of its messages is its whole identity.
        """
        where = address_of(self._socket)
        received = received_parts(self._socket, wait_s)
        taken: list[tuple[str, Stamped]] = []
        for identity, message in self.refused.named_batch(
            received, where=where, clock=self._clock, limits=self._limits
        ):
            name, _, token = identity.partition("/")
            if isinstance(message.body, ClockProbe):
                self._answer_probe(identity, message.body)
            elif identity.startswith(HOST_PREFIX) and isinstance(message.body, _OF_HOSTS):
                taken.append((identity, message))
            elif not hmac.compare_digest(token.encode(), self._token.encode()):
                reason = f"'{name:.40}' is not a process of this run"
                error = MessageError(reason=reason, refusal=Refusal.SENDER)
                self.refused.add(error, where=where, t_ns=self._clock.now_ns())
            elif isinstance(message.body, Command):
                self.send(message.body.target, message.body)
            else:
                taken.append((name, message))
        return taken

    def send(self, name: str, body: Body) -> None:
        """Send `body` to the process `name`; it is dropped if there is no such process."""
        self.answer(identity_of(name, self._token), body)

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
        self._socket = messaging.dealer(endpoint, identity=identity_of(name, token), queue=queue)

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


def identity_of(name: str, token: str) -> str:
    """The ZeroMQ identity of the process `name` in the run of `token`."""
    return f"{name}/{token}" if token else name
