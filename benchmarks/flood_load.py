"""The load of `flood.py`: connections or large messages to one port, and a port that takes both.

    python benchmarks/flood_load.py connections 127.0.0.1 5701 PUSH --seconds 3.5
    python benchmarks/flood_load.py listen 127.0.0.1 0

It speaks the protocol of ZeroMQ (ZMTP 3.0, without encryption) by itself, so that the same bytes go
to any port. `listen` accepts every connection, reads and discards, and prints its port.
"""

import argparse
import contextlib
import json
import selectors
import socket
import struct
import sys
import time
from importlib import import_module

CONNECTIONS = 10_000
MESSAGE_BYTES = 60 * 1024 * 1024
MB_PER_S = 60.0
_LARGE_CONNECTIONS = 4
_CHUNK = 256 * 1024
_ZEROS = bytes(_CHUNK)
_TURN_S = 0.005
_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER with which a closed connection leaves nothing behind."""
GREETING = b"\xff\0\0\0\0\0\0\0\1\x7f\x03\0" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)


def ready(socket_type: str) -> bytes:
    """The command READY of a peer of `socket_type`, for example PUSH."""
    name, value = b"Socket-Type", socket_type.encode()
    body = b"\x05READY" + bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
    return bytes([4, len(body)]) + body


def _begun(host: str, port: int) -> socket.socket:
    made = socket.socket()
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    with contextlib.suppress(BlockingIOError):
        made.connect((host, port))
    return made


def connections(host: str, port: int, socket_type: str, *, seconds: float) -> dict[str, int]:
    """Open 10,000 connections over `seconds`, each with its greeting, and keep them open."""
    opened: list[socket.socket] = []
    answered, refused = 0, 0
    hello, begun_s = GREETING + ready(socket_type), time.monotonic()
    waiting = selectors.DefaultSelector()
    while (passed_s := time.monotonic() - begun_s) < seconds:
        due = round(CONNECTIONS * min(1.0, passed_s / (0.9 * seconds)))
        for _ in range(due - len(opened)):
            opened.append(_begun(host, port))
            waiting.register(opened[-1], selectors.EVENT_WRITE)
        for key, _ in waiting.select(_TURN_S):
            waiting.unregister(key.fileobj)
            try:
                key.fileobj.send(hello)  # type: ignore[union-attr]
                answered += 1
            except OSError:
                refused += 1
        time.sleep(_TURN_S)
    for one in opened:
        one.close()
    return {"opened": len(opened), "connected": answered, "refused": refused}


def large_messages(host: str, port: int, socket_type: str, *, seconds: float) -> dict[str, int]:
    """Send messages of 60 MiB over four connections, 60 MB a second in all."""
    senders = [_LargeSender(host, port, socket_type) for _ in range(_LARGE_CONNECTIONS)]
    begun_s, sent = time.monotonic(), 0
    while (passed_s := time.monotonic() - begun_s) < seconds:
        for sender in senders:
            if sent < MB_PER_S * 1e6 * passed_s:
                sent += sender.send()
        time.sleep(_TURN_S / 5)
    for sender in senders:
        sender.close()
    again = sum(sender.n_reconnected for sender in senders)
    return {"mb": round(sent / 1e6), "reconnected": again}


class _LargeSender:
    """One connection that sends large messages, and connects again where it is closed."""

    def __init__(self, host: str, port: int, socket_type: str) -> None:
        self._at, self._hello = (host, port), GREETING + ready(socket_type)
        self._socket, self._begins, self._left = _begun(host, port), True, 0
        self.n_reconnected = 0

    def send(self) -> int:
        """Send what the system takes now, 256 KiB at most; bytes of messages."""
        try:
            return self._sent()
        except BlockingIOError:
            return 0
        except OSError:
            self.close()
            self._socket, self._begins = _begun(*self._at), True
            self.n_reconnected += 1
            return 0

    def close(self) -> None:
        self._socket.close()

    def _sent(self) -> int:
        if self._begins:
            self._socket.send(self._hello)
            self._begins, self._left = False, 0
        if not self._left:
            self._socket.send(b"\x02" + struct.pack(">Q", MESSAGE_BYTES))
            self._left = MESSAGE_BYTES
        taken = self._socket.send(_ZEROS[: self._left])
        self._left -= taken
        return taken


def listen(host: str, port: int) -> None:
    """Accept every connection, read and discard, until this process is ended."""
    server = socket.create_server((host, port), backlog=1024)
    server.setblocking(False)
    sys.stdout.write(f"{server.getsockname()[1]}\n")
    sys.stdout.flush()
    watched = selectors.DefaultSelector()
    watched.register(server, selectors.EVENT_READ)
    while True:
        for key, _ in watched.select():
            if key.fileobj is server:
                with contextlib.suppress(OSError):
                    accepted, _ = server.accept()
                    accepted.setblocking(False)
                    watched.register(accepted, selectors.EVENT_READ)
                continue
            data = b""
            with contextlib.suppress(OSError):
                data = key.fileobj.recv(_CHUNK)  # type: ignore[union-attr]
            if not data:
                watched.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]


def _permit_connections() -> None:
    resource = import_module("resource")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    """Run as the command line states, and print what was done as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["connections", "large", "listen"])
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("socket_type", nargs="?", default="PUSH")
    parser.add_argument("--seconds", type=float, default=3.5)
    args = parser.parse_args()
    _permit_connections()
    if args.what == "listen":
        listen(args.host, args.port)
        return
    load = connections if args.what == "connections" else large_messages
    done = load(args.host, args.port, args.socket_type, seconds=args.seconds)
    sys.stdout.write(json.dumps(done) + "\n")


if __name__ == "__main__":
    main()
