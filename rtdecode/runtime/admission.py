"""Who is let in at the encrypted sockets of one process, and who is not.

Duties: encrypt with CURVE what binds or connects beyond this computer, admit the keys that are
allowed and no others, and count the connections that fail. ZeroMQ asks a handler inside the
process about each key (ZAP, rfc.zeromq.org/spec/27); it runs in a thread of its own here, so that
a process that computes still answers, and that thread ends with `close`.

A peer that is refused gets no message through: the handshake precedes the first one.
"""

import socket as system_socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread

import zmq
from zmq.utils import z85

from rtdecode.runtime.arrivals import monitor_event
from rtdecode.runtime.keys import NetworkKeys
from rtdecode.runtime.strangers import Strangers

Socket = zmq.Socket[bytes]
_HANDLER = "inproc://zeromq.zap.01"
_VERSION, _ACCEPTED, _REFUSED = b"1.0", b"200", b"000"
"""Status of a reply. ZAP has 400 for a refusal, after which the peer's libzmq never tries again, so
that a key which is allowed late would need a restart there; and 300, which keeps the connection
until its time is over. libzmq closes the connection at once for a status that does not exist."""
_OF_THE_REPLY = 0x20000000
"""Least number of the protocol errors that are those of a reply (ZMQ_PROTOCOL_ERROR_ZAP_*)."""
_DOMAIN = b"rtdecode"
_FAILED = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
_UNDECIPHERED = 0x11000001
"""ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC of zmq.h."""
_REFUSED_AFTER = 3
"""Failed handshakes in a row after which the other end is said to refuse this host."""
_CONNECTION = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
_RETRY_MS = 500
"""Time in ms between two attempts to connect."""


@dataclass(frozen=True, slots=True)
class _Watched:
    """The monitor of one socket: its events are passed to `note` as (event, value, endpoint)."""

    monitor: Socket
    note: Callable[[int, int, str], None]


class Admission:
    """Encrypts sockets of `context` with `keys`, and admits the hosts that they allow."""

    def __init__(self, context: "zmq.Context[Socket]", keys: NetworkKeys) -> None:
        self._context, self._keys = context, keys
        self.strangers = Strangers()
        """Connections that were refused here, or elsewhere."""
        self._new: SimpleQueue[_Watched] = SimpleQueue()
        self._stop = Event()
        self._handler: Socket = context.socket(zmq.REP)
        self._handler.set(zmq.LINGER, 0)
        self._handler.bind(_HANDLER)
        self._wake, self._woken = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
        self._woken.bind(f"inproc://{id(self)}")
        self._wake.connect(f"inproc://{id(self)}")
        self._thread = Thread(target=self._run, name="admission", daemon=True)
        self._thread.start()

    def secure_server(self, socket: Socket) -> None:
        """Encrypt what `socket` binds from now on, with the key of this host."""
        socket.set(zmq.CURVE_SERVER, 1)
        self._identify(socket)
        socket.set(zmq.ZAP_DOMAIN, _DOMAIN)
        # without a handler nobody is admitted
        socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)

    def watch_server(self, socket: Socket) -> None:
        """Count the peers that `socket` refuses."""
        self._watch(socket, _FAILED | _CONNECTION, _ServerSide(self.strangers).note)

    def secure_client(self, socket: Socket, endpoint: str) -> str:
        """Encrypt the next connection of `socket`, to `endpoint`; the name of the host there.

        Raises HostUnnamedError where its key is not known.
        """
        name, public = self._keys.server(endpoint)
        socket.set(zmq.CURVE_SERVERKEY, public)
        self._identify(socket)
        return name

    def watch_client(self, socket: Socket, host: str) -> None:
        """Count the connections of `socket` to `host` that fail for a key."""
        note = _ClientSide(self.strangers, host, own=self._keys.own.name).note
        self._watch(socket, _FAILED | zmq.EVENT_HANDSHAKE_SUCCEEDED, note)

    def close(self) -> None:
        """End the handler; called when the sockets are closed."""
        self._stop.set()
        self._wake.send(b"")
        self._thread.join()
        self._wake.close()
        self._woken.close()

    def _identify(self, socket: Socket) -> None:
        socket.set(zmq.CURVE_PUBLICKEY, self._keys.own.public)
        socket.set(zmq.CURVE_SECRETKEY, self._keys.own.secret)
        socket.set(zmq.RECONNECT_IVL, _RETRY_MS)

    def _watch(self, socket: Socket, events: int, note: Callable[[int, int, str], None]) -> None:
        monitor = socket.get_monitor_socket(events)
        monitor.set(zmq.LINGER, 0)
        self._new.put(_Watched(monitor, note))
        self._wake.send(b"")

    def _run(self) -> None:
        """Answer requests of ZeroMQ and read the monitors, until `close`."""
        watched: dict[Socket, Callable[[int, int, str], None]] = {}
        poller = zmq.Poller()
        for socket in (self._handler, self._woken):
            poller.register(socket, zmq.POLLIN)
        while not self._stop.is_set():
            for socket, _ in poller.poll():
                if socket is self._handler:
                    self._handler.send_multipart(self._answer(self._handler.recv_multipart()))
                elif socket is self._woken:
                    self._woken.recv()
                    for new in _emptied(self._new):
                        watched[new.monitor] = new.note
                        poller.register(new.monitor, zmq.POLLIN)
                else:
                    watched[socket](*monitor_event(socket.recv_multipart()))
        for monitor in [*watched, *(new.monitor for new in _emptied(self._new))]:
            monitor.close()
        self._handler.close()

    def _answer(self, request: Sequence[bytes]) -> list[bytes]:
        """The reply to one request: whether the key may connect, and the name of its host."""
        _, number, _, address, _, mechanism, *credentials = request
        key = z85.encode(credentials[0]) if mechanism == b"CURVE" and credentials else b""
        name = self._keys.name_of(key) if key else ""
        if not name:
            self.strangers.add_unknown(address.decode(errors="replace"))
        status = (_ACCEPTED, b"OK") if name else (_REFUSED, b"this key is not allowed here")
        return [_VERSION, number, *status, name.encode(), b""]


class _ServerSide:
    """Failed handshakes of the peers that connect to one socket; `_answer` counts unknown keys."""

    def __init__(self, strangers: Strangers) -> None:
        self._strangers = strangers
        self._addresses: dict[int, str] = {}
        self._count: Callable[[str], None] | None = None
        """What counts the failure whose disconnection follows, as ZeroMQ states them."""

    def note(self, event: int, value: int, _endpoint: str) -> None:
        """Take an event into account."""
        if event == zmq.EVENT_ACCEPTED:
            self._addresses[value] = _address_of(value)
        elif event == zmq.EVENT_DISCONNECTED:
            address = self._addresses.pop(value, "")
            if self._count is not None:
                self._count(address)
            self._count = None
        elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL and value == _UNDECIPHERED:
            self._count = self._strangers.add_misdirected
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL or value < _OF_THE_REPLY:
            self._count = self._strangers.add_unencrypted


class _ClientSide:
    """Failed handshakes of the connections of one socket to the host `name`."""

    def __init__(self, strangers: Strangers, name: str, *, own: str) -> None:
        self._strangers, self._name, self._own = strangers, name, own
        self._in_a_row = 0

    def note(self, event: int, _value: int, endpoint: str) -> None:
        """Take an event into account."""
        self._in_a_row = 0 if event == zmq.EVENT_HANDSHAKE_SUCCEEDED else self._in_a_row + 1
        # a process that ends during a handshake refuses nobody
        if self._in_a_row >= _REFUSED_AFTER:
            self._strangers.add_not_admitted(self._name, endpoint=endpoint, own=self._own)


def _address_of(descriptor: int) -> str:
    """Address of the peer of a connection of ZeroMQ; empty where it is closed already."""
    try:
        connection = system_socket.socket(fileno=descriptor)
    except OSError:
        return ""
    try:
        return str(connection.getpeername()[0])
    except (OSError, IndexError):
        return ""
    finally:
        # ZeroMQ owns it
        connection.detach()


def _emptied(queue: "SimpleQueue[_Watched]") -> list[_Watched]:
    taken: list[_Watched] = []
    while True:
        try:
            taken.append(queue.get_nowait())
        except Empty:
            return taken
