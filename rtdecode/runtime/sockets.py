"""ZeroMQ sockets of all processes: made, limited and closed here, and read message by message.

Duties: give `runtime.publisher`, `runtime.subscriber` and the control channel their sockets. These
modules alone import ZeroMQ. It knows nothing of scans or frames.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Self

import zmq

from rtdecode.runtime.file_handles import permit_many_files
from rtdecode.runtime.limits import CONTROL_BYTES, MAX_MESSAGE_BYTES, NO_MESSAGE_BYTES, PeerLimits
from rtdecode.runtime.refused import Arrived, Check, RefusedMessages
from rtdecode.schema.errors import AddressInUseError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Received

CLOCK_NAME = "host"
RECORDER_QUEUE = 16
"""Messages in the ZeroMQ queue of each sender; more wait in its backlog, which counts bytes."""
HAND_OVER_S = 60.0
"""Time in s for which an ended process waits for a recorder that takes nothing."""
_LINGER_MS = 2000
CONTROL_QUEUE = 1000
"""Messages that may wait on a control channel."""
_HANDSHAKE_MS = 5_000
"""Time in ms after which a connection is closed whose other end does not speak ZeroMQ. Until then
it takes a file handle, and what it sends takes memory."""
_WAITING_CONNECTIONS = 1024
"""Connections that the system holds until they are accepted; others try again."""

Socket = zmq.Socket[bytes]

_LARGEST: Mapping[int, int] = {zmq.XPUB: NO_MESSAGE_BYTES, zmq.PUSH: NO_MESSAGE_BYTES}
"""Bytes of a message that a kind of socket receives, at most; `MAX_MESSAGE_BYTES` for others."""


class Messaging:
    """The ZeroMQ context of one process; closing it closes all sockets that it made."""

    def __init__(self) -> None:
        permit_many_files()
        self._context = zmq.Context()
        self._sockets: list[Socket] = []
        self.refused = RefusedMessages()
        """What the sockets received and could not read."""

    def bound(self, kind: int, endpoint: str, *, queue: int, largest: int | None = None) -> Socket:
        """A socket bound to `endpoint`; AddressInUseError where that is not possible."""
        socket = self._made(kind, queue=queue, largest=largest)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            raise AddressInUseError(address=endpoint, option="network in the config") from error
        return socket

    def connected(self, kind: int, endpoints: Iterable[str], *, queue: int) -> Socket:
        """A socket connected to all `endpoints`, whether they are bound yet or not."""
        socket = self._made(kind, queue=queue)
        for endpoint in endpoints:
            socket.connect(endpoint)
        return socket

    def router(self, endpoint: str, *, largest: int = CONTROL_BYTES) -> Socket:
        """The supervisor's end of a control channel, bound to `endpoint`.

        A message of more than `largest` bytes closes its connection before it is taken.
        """
        socket = self.bound(zmq.ROUTER, endpoint, queue=CONTROL_QUEUE, largest=largest)
        # a process of a host that has lost its power comes back before its connection is given up
        socket.set(zmq.ROUTER_HANDOVER, 1)
        return socket

    def dealer(self, endpoint: str, *, identity: str, queue: int = CONTROL_QUEUE) -> Socket:
        """A process's end of a control channel, on which it is addressed by `identity`."""
        socket = self._made(zmq.DEALER, queue=queue, largest=CONTROL_BYTES)
        socket.set(zmq.IDENTITY, identity.encode())
        socket.connect(endpoint)
        return socket

    def monitored(self, endpoint: str) -> Socket:
        """The monitor of a connection to `endpoint`: a message whenever it is made or lost."""
        socket = self.connected(zmq.SUB, [endpoint], queue=1)
        changes = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        self._sockets.append(socket.get_monitor_socket(changes))
        return self._sockets[-1]

    def _made(self, kind: int, *, queue: int, largest: int | None = None) -> Socket:
        socket: Socket = self._context.socket(kind)
        self._sockets.append(socket)
        # a SUB socket drops subscriptions beyond its high-water mark; 0 is unlimited
        socket.set(zmq.SNDHWM, 0 if kind == zmq.SUB else queue)
        socket.set(zmq.RCVHWM, queue)
        # subscriptions that are still queued for a publisher that has ended are not waited for
        lingers_ms: dict[int, int] = {zmq.SUB: 0, zmq.PUSH: int(HAND_OVER_S * 1000)}
        socket.set(zmq.LINGER, lingers_ms.get(kind, _LINGER_MS))
        socket.set(zmq.MAXMSGSIZE, largest or _LARGEST.get(kind, MAX_MESSAGE_BYTES))
        socket.set(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
        socket.set(zmq.BACKLOG, _WAITING_CONNECTIONS)
        if kind == zmq.PUSH:
            # without a connected recorder a send must fail instead of filling the queue
            socket.set(zmq.IMMEDIATE, 1)
        return socket

    def close(self) -> None:
        """Close every socket and the context; waits up to `HAND_OVER_S` for the recorder."""
        self.refused.log_rest()
        for socket in self._sockets:
            socket.close()
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


_MOST_RECEIVED = 1000
"""Messages of one `take`: a reader of a flood of them still sends its heartbeats."""


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
    parts, where = received_parts(socket, wait_s), address_of(socket)
    return messaging.refused.batch(parts, where=where, clock=clock, limits=limits, check=check)


def address_of(socket: Socket) -> str:
    """The endpoint that `socket` is bound or connected to."""
    return socket.get_string(zmq.LAST_ENDPOINT)


def has_room(socket: Socket, wait_s: float = 0.0) -> bool:
    """Whether `socket` can send without blocking, after `wait_s` at most."""
    return bool(socket.poll(int(wait_s * 1000), zmq.POLLOUT))


def received_parts(socket: Socket, wait_s: float) -> Iterator[Arrived]:
    """Sender and parts of each message that has arrived; waits for the first one."""
    for n in range(_MOST_RECEIVED):
        if not socket.poll(0 if n else max(0, int(wait_s * 1000))):
            return
        frames = socket.recv_multipart(copy=False)
        yield _sender_of(frames[0]), [frame.bytes for frame in frames]


def _sender_of(frame: zmq.Frame) -> str:
    """Address of the sender; for a program of this host its process, as the system states it."""
    try:
        address = str(frame.get("Peer-Address"))
    except zmq.ZMQError:
        return ""
    host, _, process = address.rpartition(":")
    return f"process {process}" if host.startswith("localhost:") else address
