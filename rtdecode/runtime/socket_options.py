"""Options of every ZeroMQ socket: limits of queues and messages, and patience with connections.

A link that is cut for some minutes keeps its connections, since a connection that is closed loses
what is under way. A host that lost its power and is back is noticed within seconds.
"""

from collections.abc import Mapping

import zmq

from rtdecode.runtime.limits import MAX_MESSAGE_BYTES, NO_MESSAGE_BYTES

HAND_OVER_S = 60.0
"""Time in s for which an ended process waits for a recorder that takes nothing."""
_LINGER_MS = 2000
_TCP_OPTIONS = (
    # a subscriber sends nothing, so that it would not notice that the other host was started again
    (zmq.TCP_KEEPALIVE, 1),
    (zmq.TCP_KEEPALIVE_IDLE, 5),
    (zmq.TCP_KEEPALIVE_INTVL, 5),
    # but a link may be cut for ten minutes: a closed connection loses what is under way
    (zmq.TCP_KEEPALIVE_CNT, 120),
    # the system repeats its attempts after 1, 2, 4, … s, also when the other host is back
    (zmq.CONNECT_TIMEOUT, 2000),
)
_HANDSHAKE_MS = 5_000
"""Time in ms after which a connection is closed whose other end does not speak ZeroMQ. Until then
it takes a file handle, and what it sends takes memory."""
_WAITING_CONNECTIONS = 1024
"""Connections that the system holds until they are accepted; others try again."""
_LARGEST: Mapping[int, int] = {zmq.XPUB: NO_MESSAGE_BYTES, zmq.PUSH: NO_MESSAGE_BYTES}
"""Bytes of a message that a kind of socket receives, at most; `MAX_MESSAGE_BYTES` for others."""


def set_options(
    socket: "zmq.Socket[bytes]", kind: int, *, queue: int, largest: int | None = None
) -> None:
    """Set the options of a socket of `kind`, before it is bound or connected.

    Parameters
    ----------
    queue
        Messages that may wait in each direction.
    largest
        Bytes of a received message at most; by default those of its kind.
    """
    # a SUB socket drops subscriptions beyond its high-water mark; 0 is unlimited
    socket.set(zmq.SNDHWM, 0 if kind == zmq.SUB else queue)
    socket.set(zmq.RCVHWM, queue)
    # subscriptions that are still queued for a publisher that has ended are not waited for
    lingers_ms: dict[int, int] = {zmq.SUB: 0, zmq.PUSH: int(HAND_OVER_S * 1000)}
    socket.set(zmq.LINGER, lingers_ms.get(kind, _LINGER_MS))
    socket.set(zmq.MAXMSGSIZE, largest or _LARGEST.get(kind, MAX_MESSAGE_BYTES))
    socket.set(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
    socket.set(zmq.BACKLOG, _WAITING_CONNECTIONS)
    for option, value in _TCP_OPTIONS:
        socket.set(option, value)
    if kind == zmq.PUSH:
        # without a connected recorder a send must fail instead of filling the queue
        socket.set(zmq.IMMEDIATE, 1)


def set_family(socket: "zmq.Socket[bytes]", endpoint: str) -> None:
    """Let `socket` use IPv6 where the address of `endpoint` is one, before it is bound there."""
    if "[" in endpoint:
        socket.set(zmq.IPV6, 1)
