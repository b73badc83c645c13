"""TCP from both sides: bytes arrive as sent, lost connections are restored, ports in use named."""

import socket

import pytest

from acquisition_bridge.sources.tcp_link import TcpLink
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.errors import AddressInUseError

CLOCK = HostClock()


def read_until(link: TcpLink, count: int) -> bytes:
    data = b""
    for _ in range(100):
        data += link.read(CLOCK.now_ns() + 50_000_000)
        if len(data) >= count:
            break
    return data


def test_a_listening_link_takes_one_rig_after_the_other() -> None:
    link = TcpLink("127.0.0.1", 0, side="listen", clock=CLOCK)
    for connection, said in enumerate((b"first", b"second"), start=1):
        with socket.create_connection(("127.0.0.1", link.port)) as rig:
            rig.sendall(said)
            assert read_until(link, len(said)) == said
            assert link.connections == connection
            link.send(b"back")
            assert rig.recv(10) == b"back"
        assert link.read(CLOCK.now_ns() + 50_000_000) == b""
    link.close()


def test_a_connecting_link_waits_for_a_rig_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    link = TcpLink("127.0.0.1", port, side="connect", clock=CLOCK)
    assert link.read(CLOCK.now_ns() + 1_000_000) == b""
    link.send(b"into the void")
    assert link.connections == 0
    link.close()


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        with pytest.raises(AddressInUseError, match=str(port)):
            TcpLink("127.0.0.1", port, side="listen", clock=CLOCK)
