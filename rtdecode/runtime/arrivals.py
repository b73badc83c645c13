"""Messages as they lie in the queue of a socket: their parts, and who sent them.

Duties: wait for messages, take them without copying, and name their sender. `runtime.sockets` and
`runtime.subscriber` read with these functions; they know nothing of what a message contains.
"""

import struct
from collections.abc import Iterator, Sequence

import zmq

from rtdecode.runtime.refused import THIS_HOST

Socket = zmq.Socket[bytes]
_EVENT = struct.Struct("=HI")
"""Number of a monitor's event and its value, as libzmq writes the first part of its message."""
_MOST_RECEIVED = 1000
"""Messages of one `take`: a reader of a flood of them still sends its heartbeats."""


def arrived(sockets: Sequence[Socket], wait_s: float) -> list[Socket]:
    """Those of `sockets` at which a message has arrived; waits `wait_s` for the first one."""
    poller = zmq.Poller()
    for socket in sockets:
        poller.register(socket, zmq.POLLIN)
    return [socket for socket, _ in poller.poll(max(0, int(wait_s * 1000)))]


def received_frames(socket: Socket, wait_s: float) -> Iterator[list[zmq.Frame]]:
    """The frames of each message that has arrived; waits for the first one."""
    for n in range(_MOST_RECEIVED):
        if not socket.poll(0 if n else max(0, int(wait_s * 1000))):
            return
        yield socket.recv_multipart(copy=False)


def monitor_event(parts: Sequence[bytes]) -> tuple[int, int, str]:
    """Number of the event, its value and its endpoint in a message of a socket's monitor."""
    event, value = _EVENT.unpack(parts[0])
    return event, value, parts[1].decode(errors="replace")


def key_of(frame: zmq.Frame) -> str:
    """Name of the key with which the sender of `frame` was admitted."""
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""


def sender_of(frame: zmq.Frame) -> str:
    """Address of the sender; for a program of this host its process, as the system states it."""
    try:
        address = str(frame.get("Peer-Address"))
    except zmq.ZMQError:
        return ""
    host, _, process = address.rpartition(":")
    return f"{THIS_HOST}{process}" if host.startswith("localhost:") else address
