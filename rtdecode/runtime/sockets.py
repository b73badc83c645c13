"""ZeroMQ sockets of all processes: made, limited and closed here, and read message by message.

Duties: give `runtime.publisher`, `runtime.subscriber` and the control channel their sockets,
encrypted where an endpoint can be reached from another computer (`runtime.admission`). It knows
nothing of scans or frames.
"""

import errno
from collections.abc import Callable, Iterable, Iterator
from typing import Self

import zmq

from rtdecode.runtime.admission import Admission
from rtdecode.runtime.arrivals import key_of, received_frames, sender_of
from rtdecode.runtime.keys import NetworkKeys
from rtdecode.runtime.limits import CONTROL_BYTES, PeerLimits, permit_many_files
from rtdecode.runtime.refused import Arrived, Check, RefusedMessages
from rtdecode.runtime.socket_options import set_family, set_options
from rtdecode.schema.config.network import is_near
from rtdecode.schema.errors import (
    AddressInUseError,
    AddressUnusableError,
    KeysMissingError,
    MessageError,
    Refusal,
)
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Received, Stamped

CLOCK_NAME = "host"
RECORDER_QUEUE = 16
"""Messages in the ZeroMQ queue of each sender; more wait in its backlog, which counts bytes."""
CONTROL_QUEUE = 1000
"""Messages that may wait on a control channel."""

Socket = zmq.Socket[bytes]
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.ENODEV, errno.EAFNOSUPPORT, zmq.EADDRNOTAVAIL)
"""What ZeroMQ states for an address that this machine does not have."""


class Messaging:
    """The ZeroMQ context of one process; closing it closes all sockets that it made.

    Parameters
    ----------
    keys
        Keys of this host and of those that may connect. Without them an endpoint that can be
        reached from another computer is refused with KeysMissingError.
    """

    def __init__(self, keys: NetworkKeys | None = None) -> None:
        self.keys = keys
        permit_many_files()
        self._context = zmq.Context()
        self._sockets: list[Socket] = []
        self._admission = None if keys is None else Admission(self._context, keys)
        self._hosts: dict[Socket, str | None] = {}
        """The host that an encrypted socket is connected to; None for one that is bound."""
        self.refused = RefusedMessages()
        """What the sockets received and could not read."""

    def bound(self, kind: int, *endpoints: str, queue: int, largest: int | None = None) -> Socket:
        """A socket bound to all `endpoints`.

        Raises AddressInUseError, or AddressUnusableError where this machine lacks the address.
        """
        socket = self._made(kind, queue=queue, largest=largest)
        # what is bound after a key was set is encrypted
        for endpoint in sorted(endpoints, key=is_near, reverse=True):
            if not is_near(endpoint):
                admission = self._required(endpoint)
                admission.secure_server(socket)
                admission.watch_server(socket)
                self._hosts[socket] = None
            set_family(socket, endpoint)
            try:
                socket.bind(endpoint)
            except zmq.ZMQError as error:
                option = "network in the config"
                if error.errno in _NOT_HERE:
                    got = zmq.strerror(error.errno)
                    raise AddressUnusableError(address=endpoint, option=option, got=got) from error
                raise AddressInUseError(address=endpoint, option=option) from error
        return socket

    def connected(self, kind: int, endpoints: Iterable[str], *, queue: int) -> Socket:
        """A socket connected to all `endpoints`, whether they are bound yet or not.

        They must be of one host (`by_host`), as all that is received there is of that host.
        """
        socket = self._made(kind, queue=queue)
        for endpoint in endpoints:
            self._connect(socket, endpoint)
        return socket

    def router(self, *endpoints: str, largest: int = CONTROL_BYTES) -> Socket:
        """The supervisor's end of a control channel, bound to all `endpoints`.

        A message of more than `largest` bytes closes its connection before it is taken.
        """
        socket = self.bound(zmq.ROUTER, *endpoints, queue=CONTROL_QUEUE, largest=largest)
        # a process of a host that has lost its power comes back before its connection is given up
        socket.set(zmq.ROUTER_HANDOVER, 1)
        return socket

    def dealer(self, endpoint: str, *, identity: str, queue: int = CONTROL_QUEUE) -> Socket:
        """A process's end of a control channel, on which it is addressed by `identity`."""
        socket = self._made(zmq.DEALER, queue=queue, largest=CONTROL_BYTES)
        socket.set(zmq.IDENTITY, identity.encode())
        self._connect(socket, endpoint)
        return socket

    def by_host(self, endpoints: Iterable[str]) -> list[list[str]]:
        """The `endpoints` of each host together; those of this computer are one of the groups."""
        groups: dict[str, list[str]] = {}
        for endpoint in endpoints:
            host = ""
            if self.keys is not None and not is_near(endpoint):
                host = self.keys.server(endpoint)[0]
            groups.setdefault(host, []).append(endpoint)
        return [*groups.values()]

    def monitored(self, endpoint: str) -> Socket:
        """The monitor of a connection to `endpoint`: a message whenever it is made or lost."""
        socket = self._made(zmq.SUB, queue=1)
        if not is_near(endpoint):
            self._required(endpoint).secure_client(socket, endpoint)
        changes = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        self._sockets.append(socket.get_monitor_socket(changes))
        set_family(socket, endpoint)
        socket.connect(endpoint)
        return self._sockets[-1]

    def _made(self, kind: int, *, queue: int, largest: int | None = None) -> Socket:
        socket: Socket = self._context.socket(kind)
        self._sockets.append(socket)
        set_options(socket, kind, queue=queue, largest=largest)
        return socket

    def received(self, socket: Socket, wait_s: float) -> Iterator[tuple[str, Arrived]]:
        """Host, sender and parts of each message that has arrived; waits for the first one.

        The host is the name of the sender's key; empty where the endpoint is of this computer.
        """
        is_far, server = socket in self._hosts, self._hosts.get(socket)
        for frames in received_frames(socket, wait_s):
            host = (server or key_of(frames[-1])) if is_far else ""
            yield host, (host or sender_of(frames[0]), [frame.bytes for frame in frames])

    def require_sender(self, host: str, message: Stamped) -> None:
        """Raise MessageError where `host` must not send messages of this source."""
        source, kind = message.source, message.body.kind
        if self.keys and host and not self.keys.may_send(host, source=source, kind=kind):
            reason = f"the host {host} must not send as '{source:.40}'"
            raise MessageError(reason=reason, refusal=Refusal.SENDER)

    def report(self, offer: Callable[[Event], bool], *, process: str, t_ns: int) -> None:
        """Offer an Event of messages and of connections that were refused, where one is due."""
        self.refused.report(offer, process=process, t_ns=t_ns)
        if self._admission is not None:
            self._admission.strangers.report(offer, process=process, t_ns=t_ns)

    @property
    def strangers(self) -> int:
        """Number of connections that were refused for their key."""
        return 0 if self._admission is None else self._admission.strangers.n

    def close(self) -> None:
        """Close every socket and the context; waits up to `HAND_OVER_S` for the recorder."""
        self.refused.log_rest()
        for socket in self._sockets:
            if socket in self._hosts:
                socket.disable_monitor()
            socket.close()
        if self._admission is not None:
            self._admission.close()
        self._context.term()

    def _connect(self, socket: Socket, endpoint: str) -> None:
        """Connect `socket`, encrypted unless the endpoint is of this computer alone."""
        if not is_near(endpoint):
            admission = self._required(endpoint)
            host = admission.secure_client(socket, endpoint)
            if socket not in self._hosts:
                admission.watch_client(socket, host)
            self._hosts[socket] = host
        set_family(socket, endpoint)
        socket.connect(endpoint)

    def _required(self, endpoint: str) -> Admission:
        if self._admission is None:
            raise KeysMissingError(
                endpoint=endpoint,
                got="this process has no keys",
                remedies=["give it as network.* in the config of a run", "see docs/keys.md"],
            )
        return self._admission

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def drained(
    socket: Socket,
    messaging: Messaging,
    clock: Clock,
    wait_s: float,
    *,
    limits: PeerLimits | None = None,
    check: Check = lambda _sender, _received: None,
) -> list[tuple[bytes, Received]]:
    """(bytes, message) of what has arrived at `socket`; waits `wait_s` for the first one.

    `limits` and `check` as `RefusedMessages.batch` takes them.
    """
    arrivals = Arrivals(messaging, socket, wait_s)

    def checked(sender: str, received: Received) -> None:
        messaging.require_sender(arrivals.host, received.message)
        check(sender, received)

    where = address_of(socket)
    return messaging.refused.batch(arrivals, where=where, clock=clock, limits=limits, check=checked)


class Arrivals:
    """What has arrived at a socket, message by message; waits `wait_s` for the first one."""

    def __init__(self, messaging: Messaging, socket: Socket, wait_s: float) -> None:
        self._received = messaging.received(socket, wait_s)
        self.host = ""
        """The host that sent the message given last; empty for this computer."""

    def __iter__(self) -> Iterator[Arrived]:
        for host, arrived_message in self._received:
            self.host = host
            yield arrived_message


def address_of(socket: Socket) -> str:
    """The endpoint that `socket` is bound or connected to."""
    return socket.get_string(zmq.LAST_ENDPOINT)


def has_room(socket: Socket, wait_s: float = 0.0) -> bool:
    """Whether `socket` can send without blocking, after `wait_s` at most."""
    return bool(socket.poll(int(wait_s * 1000), zmq.POLLOUT))


def received_parts(socket: Socket, wait_s: float) -> Iterator[Arrived]:
    """Sender and parts of each message that has arrived; waits for the first one."""
    for frames in received_frames(socket, wait_s):
        yield sender_of(frames[0]), [frame.bytes for frame in frames]
