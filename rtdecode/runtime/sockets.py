"""ZeroMQ sockets of all processes: made, limited and closed here, and read message by message.

Duties: give `runtime.publisher`, `runtime.subscriber` and the control channel their sockets. These
modules alone import ZeroMQ. It knows nothing of scans or frames.
"""

from collections.abc import Iterable, Iterator
from typing import Self

import zmq

from rtdecode.runtime.codec import MAX_MESSAGE_BYTES
from rtdecode.runtime.refused import RefusedMessages
from rtdecode.schema.errors import AddressInUseError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Received

CLOCK_NAME = "host"
RECORDER_QUEUE = 16
"""Messages in the ZeroMQ queue of each sender; more wait in its backlog, which counts bytes."""
HAND_OVER_S = 60.0
"""Time in s for which an ended process waits for a recorder that takes nothing."""
_LINGER_MS = 2000
_CONTROL_QUEUE = 1000

Socket = zmq.Socket[bytes]


class Messaging:
    """The ZeroMQ context of one process; closing it closes all sockets that it made."""

    def __init__(self) -> None:
        self._context = zmq.Context()
        self._sockets: list[Socket] = []
        self.refused = RefusedMessages()
        """What the sockets received and could not read."""

    def bound(self, kind: int, endpoint: str, *, queue: int) -> Socket:
        """A socket bound to `endpoint`; AddressInUseError where that is not possible."""
        socket = self._made(kind, queue=queue)
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

    def router(self, endpoint: str) -> Socket:
        """The supervisor's end of a control channel, bound to `endpoint`."""
        return self.bound(zmq.ROUTER, endpoint, queue=_CONTROL_QUEUE)

    def dealer(self, endpoint: str, *, identity: str) -> Socket:
        """A process's end of a control channel, on which it is addressed by `identity`."""
        socket = self._made(zmq.DEALER, queue=_CONTROL_QUEUE)
        socket.set(zmq.IDENTITY, identity.encode())
        socket.connect(endpoint)
        return socket

    def monitored(self, endpoint: str) -> Socket:
        """The monitor of a connection to `endpoint`: a message whenever it is made or lost."""
        socket = self.connected(zmq.SUB, [endpoint], queue=1)
        changes = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        self._sockets.append(socket.get_monitor_socket(changes))
        return self._sockets[-1]

    def _made(self, kind: int, *, queue: int) -> Socket:
        socket: Socket = self._context.socket(kind)
        self._sockets.append(socket)
        # a SUB socket drops subscriptions beyond its high-water mark; 0 is unlimited
        socket.set(zmq.SNDHWM, 0 if kind == zmq.SUB else queue)
        socket.set(zmq.RCVHWM, queue)
        # subscriptions that are still queued for a publisher that has ended are not waited for
        lingers_ms: dict[int, int] = {zmq.SUB: 0, zmq.PUSH: int(HAND_OVER_S * 1000)}
        socket.set(zmq.LINGER, lingers_ms.get(kind, _LINGER_MS))
        socket.set(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
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
    socket: Socket, messaging: Messaging, clock: Clock, wait_s: float
) -> list[tuple[bytes, Received]]:
    """(bytes, message) of what has arrived at `socket`; waits `wait_s` for the first one."""
    parts = received_parts(socket, wait_s)
    return messaging.refused.batch(parts, where=address_of(socket), clock=clock)


def address_of(socket: Socket) -> str:
    """The endpoint that `socket` is bound or connected to."""
    return socket.get_string(zmq.LAST_ENDPOINT)


def has_room(socket: Socket, wait_s: float = 0.0) -> bool:
    """Whether `socket` can send without blocking, after `wait_s` at most."""
    return bool(socket.poll(int(wait_s * 1000), zmq.POLLOUT))


def received_parts(socket: Socket, wait_s: float) -> Iterator[list[bytes]]:
    """The parts of each message that has arrived; waits for the first one."""
    for n in range(_MOST_RECEIVED):
        if not socket.poll(0 if n else max(0, int(wait_s * 1000))):
            return
        yield socket.recv_multipart()
