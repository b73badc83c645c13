"""The TCP link to a microscope, which may start later and reconnect; for live adapters."""

import logging
import select
import socket
from typing import Literal

from rtdecode.schema.errors import AddressInUseError
from rtdecode.schema.interfaces import Clock

log = logging.getLogger(__name__)
_CHUNK_BYTES = 1 << 20
_RETRY_NS = 200_000_000
_CONNECT_S = 1.0


class TcpLink:
    """One connection at a time, re-established when it is lost.

    Parameters
    ----------
    side
        "connect" where the rig listens, "listen" where the rig connects to the bridge.

    Raises
    ------
    AddressInUseError
        If `side` is "listen" and another process listens on the port.
    """

    ended = False

    def __init__(
        self, host: str, port: int, *, side: Literal["connect", "listen"], clock: Clock
    ) -> None:
        self._address = (host, port)
        self._clock = clock
        self._connection: socket.socket | None = None
        self._listener = self._opened_listener() if side == "listen" else None
        self._retry_ns = 0
        self.connections = 0

    @property
    def port(self) -> int:
        """Port of the listening socket, or of the rig to connect to."""
        return self._address[1] if self._listener is None else int(self._listener.getsockname()[1])

    def read(self, until_ns: int) -> bytes:
        if self._connection is None:
            self._connection = self._connected(until_ns)
            if self._connection is None:
                return b""
            self.connections += 1
            log.info("connected to the microscope at %s:%d", *self._connection.getpeername()[:2])
        if not _readable(self._connection, self._wait_s(until_ns)):
            return b""
        try:
            data = self._connection.recv(_CHUNK_BYTES)
        except OSError:
            data = b""
        if not data:
            log.warning("the microscope has closed the connection: waiting for it to reconnect")
            self._connection.close()
            self._connection = None
        return data

    def send(self, data: bytes) -> None:
        """Send `data` to the connected rig; ignored without a connection."""
        if self._connection is not None:
            self._connection.sendall(data)

    def close(self) -> None:
        for end in (self._connection, self._listener):
            if end is not None:
                end.close()
        self._connection = self._listener = None

    def _opened_listener(self) -> socket.socket:
        try:
            return socket.create_server(self._address, reuse_port=False)
        except OSError as error:
            host, port = self._address
            raise AddressInUseError(
                address=f"{host}:{port}", option="acquisition.source.port"
            ) from error

    def _connected(self, until_ns: int) -> socket.socket | None:
        if self._listener is not None:
            return (
                self._listener.accept()[0]
                if _readable(self._listener, self._wait_s(until_ns))
                else None
            )
        self._clock.sleep_until(min(self._retry_ns, until_ns))
        if self._clock.now_ns() < self._retry_ns:
            return None
        self._retry_ns = self._clock.now_ns() + _RETRY_NS
        try:
            return socket.create_connection(self._address, _CONNECT_S)
        except OSError:
            return None

    def _wait_s(self, until_ns: int) -> float:
        return max(0, until_ns - self._clock.now_ns()) / 1e9


def _readable(end: socket.socket, wait_s: float) -> bool:
    return bool(select.select([end], [], [], wait_s)[0])
