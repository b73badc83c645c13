"""The listening socket of the page: it bounds what strangers occupy, before anything is read.

A connection beyond the limits is closed as soon as it is made, during TLS as well, and one that
sends more bytes than a browser does is ended. Requests have a time limit of their own. The page is
a process apart, so that all of this delays neither recording nor decoding.
"""

import socket
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from rtdecode.runtime.clock import HostClock
from rtdecode.schema.interfaces import Clock

PEER_CONNECTIONS, CONNECTIONS = 64, 400
"""Connections of one IP address, and of all; a browser has at most seven."""
BURST_BYTES, BYTES_PER_S = 128 * 1024, 16 * 1024
"""What a connection may send at once, and on average; a browser sends about 1 kB/s."""
REQUESTS_S = 30.0
"""Time in s after which a connection is closed that has not become a WebSocket."""
_REQUEST_BYTES = 16 * 1024
_SHARED = 8
"""Encoded messages that are kept: those of a frame, while they are sent to all browsers."""
MESSAGES = "rtdecode.messages"
_AT_ONCE = 100
"""Connections that are refused before other work of the page has its turn."""
_NS_PER_S = 1e9


class LimitedConnection(socket.socket):
    """An accepted connection that may not send more than `BYTES_PER_S` on average.

    `on_end` is called once, when it is closed.
    """

    def __init__(self, fileno: int, *, clock: Clock, on_end: Callable[[], None]) -> None:
        super().__init__(fileno=fileno)
        self._clock, self._on_end = clock, on_end
        self._left, self._at_ns = float(BURST_BYTES), clock.now_ns()
        self._ended = False

    def recv(self, *given: Any) -> bytes:
        data = super().recv(*given)
        self._count(len(data))
        return data

    def recv_into(self, *given: Any) -> int:
        size = super().recv_into(*given)
        self._count(size)
        return size

    def close(self) -> None:
        super().close()
        if not self._ended:
            self._ended = True
            self._on_end()

    def _count(self, size: int) -> None:
        now_ns = self._clock.now_ns()
        gained = (now_ns - self._at_ns) / _NS_PER_S * BYTES_PER_S
        self._left, self._at_ns = min(BURST_BYTES, self._left + gained) - size, now_ns
        if self._left < 0:
            raise ConnectionAbortedError("the connection sends more than the page reads")


class LimitedListener(socket.socket):
    """A listening socket that accepts a limited number of connections, in all and of one address.

    Parameters
    ----------
    host
        Address or name at which it listens.
    port
        TCP port; the system chooses one where it is 0.
    on_refused
        Called for each connection that is closed at once.

    Raises
    ------
    OSError
        If it cannot listen there.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        on_refused: Callable[[], None] = lambda: None,
        clock: Clock | None = None,
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__(family, socket.SOCK_STREAM)
        self._on_refused, self._clock = on_refused, clock or HostClock()
        self._open: Counter[str] = Counter()
        try:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.bind((host, port))
            self.listen()  # from here on connections wait instead of being refused
        except OSError:
            self.close()
            raise

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection within the limits; those before it are closed.

        Raises
        ------
        BlockingIOError
            If there is none now.
        """
        for _ in range(_AT_ONCE):
            connection, address = super().accept()
            peer = str(address[0])
            if self._open[peer] < PEER_CONNECTIONS and self._open.total() < CONNECTIONS:
                return self._counted(connection, peer), address
            connection.close()
            self._on_refused()
        raise BlockingIOError

    def _counted(self, connection: socket.socket, peer: str) -> LimitedConnection:
        self._open[peer] += 1
        return LimitedConnection(
            connection.detach(), clock=self._clock, on_end=lambda: self._end(peer)
        )

    def _end(self, peer: str) -> None:
        self._open[peer] -= 1
        if not self._open[peer]:
            del self._open[peer]


class ShortRequests(H11Protocol):
    """HTTP whose connections last 30 s: a request that comes byte by byte occupies none for long.

    A WebSocket leaves this protocol with its first request.
    """

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._limit = self.loop.call_later(REQUESTS_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._limit.cancel()
        super().connection_lost(exc)
        if self.cycle is not None:
            # it and this object refer to each other, and are only freed together some time later
            self.cycle.body = bytearray()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._limit.cancel()
        super().handle_websocket_upgrade(event)


def binary_messages(messages: Sequence[bytes]) -> dict[str, Any]:
    """What an application sends to have several binary messages sent in one write."""
    return {"type": "websocket.send", MESSAGES: messages}


@lru_cache(maxsize=_SHARED)
def binary_frame(data: bytes) -> bytes:
    """`data` as a WebSocket frame: made once for all browsers that are sent the same object."""
    return Frame(Opcode.BINARY, data).serialize(mask=False)


class EndingStreams(WebSocketsSansIOProtocol):
    """WebSockets that share encoded frames, and may be closing when the server ends.

    uvicorn (0.54) fails at the end of a page with a browser that has closed its tab just before,
    for as long as its TLS connection takes to end.
    """

    async def send(self, message: Any) -> None:
        """Send a message of ASGI, or the binary ones of `binary_messages` in one write."""
        if MESSAGES not in message:
            await super().send(message)
            return
        await self.writable.wait()
        if self.disconnected or self.close_sent or self.conn.state is not State.OPEN:
            raise ClientDisconnected
        self.transport.write(b"".join(map(binary_frame, message[MESSAGES])))

    def shutdown(self) -> None:
        try:
            super().shutdown()
        except InvalidState:
            self.transport.abort()


def server_settings(app: ASGIApp, *, most_bytes: int) -> uvicorn.Config:
    """Settings of the server, the same whatever other packages of uvicorn are installed.

    A WebSocket is closed that sends a message of more than `most_bytes`.
    """
    return uvicorn.Config(
        app,
        loop="asyncio",  # which accepts connections through the listener, and its limits
        http=ShortRequests,
        h11_max_incomplete_event_size=_REQUEST_BYTES,
        ws=EndingStreams,
        ws_max_size=most_bytes,
        # pictures of neurons are mostly noise: they shrink by a quarter, for 0.3 ms a viewer each
        ws_per_message_deflate=False,
        proxy_headers=False,  # no header of a request changes its address or scheme
        server_header=False,
        log_config=None,
        # requests, which anybody can send, are not logged; errors of the page are
        log_level="error",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
