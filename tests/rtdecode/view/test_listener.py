"""What strangers occupy of the page is bounded before anything that they send is read."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.sync.client import connect
from websockets.uri import parse_uri

from rtdecode.schema.config.session import ViewConfig
from rtdecode.view import listener as limits
from rtdecode.view.listener import EndingStreams, LimitedListener, binary_frame
from rtdecode.view.server import PageServer


class Refusals:
    n = 0

    def add(self) -> None:
        self.n += 1


@pytest.fixture
def refusals() -> Refusals:
    return Refusals()


@pytest.fixture
def listener(rig: Any, refusals: Refusals) -> Iterator[LimitedListener]:
    with LimitedListener("127.0.0.1", 0, on_refused=refusals.add, clock=rig.clock) as made:
        made.settimeout(60)
        yield made


def connected(to: LimitedListener, stack: ExitStack, *, source: str = "127.0.0.1") -> socket.socket:
    address = to.getsockname()
    return stack.enter_context(socket.create_connection(address, source_address=(source, 0)))


def is_closed(connection: socket.socket) -> bool:
    connection.settimeout(60)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_connections_of_one_address_are_limited_and_others_are_not_kept_out(
    listener: LimitedListener, refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PEER_CONNECTIONS", 2)
    with ExitStack() as stack:
        kept = []
        for _ in range(2):
            connected(listener, stack)
            kept.append(stack.enter_context(listener.accept()[0]))
        third = connected(listener, stack)
        other = connected(listener, stack, source="127.0.0.2")
        accepted, address = listener.accept()
        stack.enter_context(accepted)
        assert address[:2] == other.getsockname()
        assert is_closed(third)
        assert refusals.n == 1
        kept[0].close()
        kept[0].close()
        fourth, fifth = connected(listener, stack), connected(listener, stack)
        kept.append(stack.enter_context(listener.accept()[0]))
        connected(listener, stack, source="127.0.0.3")
        kept.append(stack.enter_context(listener.accept()[0]))
        assert is_closed(fifth)
        assert kept[2].getpeername() == fourth.getsockname()


def test_all_connections_together_are_limited(
    listener: LimitedListener, refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONNECTIONS", 3)
    with ExitStack() as stack:
        for k in range(3):
            connected(listener, stack, source=f"127.0.0.{k + 1}")
            stack.enter_context(listener.accept()[0])
        late = connected(listener, stack, source="127.0.0.9")
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        assert is_closed(late)
        assert refusals.n == 1


def test_a_connection_that_sends_more_than_a_browser_is_ended(
    listener: LimitedListener, rig: Any
) -> None:
    with ExitStack() as stack:
        sender = connected(listener, stack)
        receiver = stack.enter_context(listener.accept()[0])
        receiver.settimeout(60)
        for _ in range(4):  # at the permitted rate, for as long as it likes
            sender.sendall(bytes(limits.BURST_BYTES // 2))
            left = limits.BURST_BYTES // 2
            while left:
                left -= len(receiver.recv(left))
            rig.clock.t_ns += round(limits.BURST_BYTES / limits.BYTES_PER_S * 1e9)
        sender.sendall(bytes(limits.BURST_BYTES + 1))
        receiver.recv_into(bytearray(1))
        with pytest.raises(ConnectionAbortedError):
            receiver.recv(limits.BURST_BYTES, socket.MSG_WAITALL)


HALF = b"GET / HTTP/1.1\r\nHost: rig"


@pytest.mark.parametrize("sent", [b"", HALF, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" + HALF])
def test_a_request_that_never_ends_is_ended_and_a_browser_is_not(
    rig: Any, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    server = PageServer(ViewConfig(), frame_rate_hz=30.0, clock=rig.clock)
    live = server.start().replace("http", "ws") + "live"
    try:
        with connect(live) as browser:
            # only now: on a busy machine the browser may take longer to connect
            monkeypatch.setattr(limits, "REQUESTS_S", 0.2)
            port = urlsplit(live).port or 0
            with socket.create_connection(("127.0.0.1", port), timeout=60) as slow:
                slow.sendall(sent)
                try:
                    while slow.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
            server.push([rig.decoded(1000, 200.0)])
            while not isinstance(browser.recv(timeout=60), bytes):
                pass
    finally:
        server.stop()


def test_the_server_ends_with_a_stream_that_is_closing() -> None:
    config = uvicorn.Config(lambda *_: None, log_config=None)
    config.load()
    aborted: list[bool] = []

    async def ended() -> None:
        stream = EndingStreams(config, ServerState(), {})
        stream.transport = SimpleNamespace(abort=lambda: aborted.append(True))  # type: ignore[assignment]
        stream.handshake_complete = True
        stream.conn.state = State.CLOSING
        stream.shutdown()

    asyncio.run(ended())
    assert aborted == [True]


def test_an_address_that_cannot_be_used_is_an_error_and_leaves_no_socket() -> None:
    with pytest.raises(OSError, match="assign requested address"):
        LimitedListener("192.0.2.99", 0)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_message_to_all_browsers_is_encoded_once_as_a_frame(size: int) -> None:
    data = bytes(size)
    frame = binary_frame(data)
    assert binary_frame(data) is frame
    client = ClientProtocol(parse_uri("ws://localhost/"), max_size=None, state=State.OPEN)
    client.receive_data(frame)
    (received,) = client.events_received()
    assert isinstance(received, Frame)
    assert (received.opcode, bytes(received.data), received.fin) == (Opcode.BINARY, data, True)


def test_messages_to_browsers_are_not_compressed(rig: Any) -> None:
    page = PageServer(ViewConfig(), frame_rate_hz=30.0, clock=rig.clock)
    live = page.start().replace("http", "ws") + "live"
    try:
        with connect(live) as browser:
            assert browser.protocol.extensions == []
            browser.recv(timeout=60)
            page.push([rig.responses(1), rig.displayed(1, 60), rig.decoded(1, 60.0)])
            packets = list[bytes]()
            while len(packets) < 2:  # the status comes in between, at any time
                said = browser.recv(timeout=60)
                packets += [said] if isinstance(said, bytes) else []
            assert [one[0] for one in packets] == [2, 1]
    finally:
        page.stop()
