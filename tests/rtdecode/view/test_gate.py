"""The page answers its own names, its own origin, and browsers that were given its address.

Plain sockets send the requests, as a stranger does who is no browser.
"""

import gc
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from own_certificate import made_certificate
from starlette.datastructures import Headers
from uvicorn.protocols.http.h11_impl import RequestResponseCycle
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.errors import AddressUnusableError
from rtdecode.view.access import PageAccess, Right
from rtdecode.view.browser_input import BrowserCommand
from rtdecode.view.gate import OwnAddress, printed_host
from rtdecode.view.server import PEER_STREAMS, PageServer

RUN = "secret of the run"
ACCESS = PageAccess(RUN)
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (
    f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n"
    "Sec-WebSocket-Version: 13\r\n"
)


class Opened:
    """A page on every interface, reached under the name rig.lab at the loopback address."""

    def __init__(self, rig: Any, *, run: str = RUN, port: int = 0, **view: Any) -> None:
        config = ViewConfig(**({"host": "0.0.0.0", "port": port, "names": ("rig.lab",)} | view))
        self.server = PageServer(config, frame_rate_hz=30.0, clock=rig.clock, secret=run)
        self.address = self.server.start()
        self.port = urlsplit(self.address).port or 0
        self.own = f"rig.lab:{self.port}"
        self.cookie_name = f"rtdecode-{self.port}"

    def cookie(self, right: Right, *, access: PageAccess = ACCESS) -> str:
        return f"Cookie: {self.cookie_name}={access.cookie(right)}\r\n"

    def answer(self, path: str, headers: str = "", *, method: str = "GET", host: str = "") -> str:
        """Status line and headers of the answer."""
        end = "" if "Upgrade" in headers else "Connection: close\r\n"
        request = f"{method} {path} HTTP/1.1\r\nHost: {host or self.own}\r\n{headers}{end}\r\n"
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as line:
            line.sendall(request.encode())
            got = b""
            while b"\r\n\r\n" not in got and (more := line.recv(4096)):
                got += more
        return got.decode("latin-1")

    def status(self, path: str, headers: str = "", **given: str) -> int:
        return int(self.answer(path, headers, **given).split()[1])

    def live(self, headers: dict[str, str], *, origin: str | None = None) -> ClientConnection:
        with_host = f"ws://127.0.0.1:{self.port}/live"
        return connect(
            with_host, additional_headers=headers, origin=Origin(origin) if origin else None
        )


@pytest.fixture
def page(rig: Any) -> Iterator[Opened]:
    opened = Opened(rig)
    yield opened
    opened.server.stop()


def test_a_page_of_this_machine_alone_needs_no_token(rig: Any) -> None:
    opened = Opened(rig, host="127.0.0.1", names=())
    try:
        assert opened.address == f"http://127.0.0.1:{opened.port}/"
        host = f"localhost:{opened.port}"
        assert opened.status("/", host=host) == 200
        with opened.live({}) as browser:
            browser.recv(timeout=60)
            browser.send("arm 1")
            browser.send("disarm 1")
            taken: list[str] = []
            while len(taken) < 2:
                taken += [command.name for command in opened.server.commands()]
        assert taken == ["arm", "disarm"]
    finally:
        opened.server.stop()


@pytest.mark.parametrize("names", [("rig.lab",), ()])
def test_without_a_token_nothing_of_the_page_is_served(rig: Any, names: tuple[str, ...]) -> None:
    opened = Opened(rig, names=names)
    try:
        host = opened.own if names else f"127.0.0.1:{opened.port}"
        for path in ("/", "/page.js", "/page.css", "/icon.svg", "/absent", "/live", "/open.html"):
            assert opened.status(path, host=host) == 403
        assert opened.status("/live", UPGRADE, host=host) == 403
        assert "rtdecode-" not in opened.answer("/", host=host)
    finally:
        opened.server.stop()


def test_a_page_of_this_machine_with_a_further_name_needs_a_token(rig: Any) -> None:
    opened = Opened(rig, host="127.0.0.1")
    try:
        assert opened.status("/") == opened.status("/", host=f"localhost:{opened.port}") == 403
    finally:
        opened.server.stop()


@pytest.mark.parametrize("name", ["watch", "act"])
def test_the_token_of_an_address_becomes_a_cookie(page: Opened, name: str) -> None:
    right = Right[name.upper()]
    answer = page.answer(f"/?{name}={ACCESS.token(right)}")
    assert answer.startswith("HTTP/1.1 303")
    headers = dict(line.split(": ", 1) for line in answer.split("\r\n")[1:] if ": " in line)
    assert headers["location"] == "/open"
    cookie, *attributes = headers["set-cookie"].split("; ")
    assert cookie == f"{page.cookie_name}={ACCESS.cookie(right)}"
    assert {one.lower() for one in attributes} == {"httponly", "path=/", "samesite=strict"}
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    for path in ("/", "/page.js", "/icon.svg"):
        assert page.status(path, f"Cookie: other=1; {cookie}\r\n") == 200
    assert page.status("/absent", f"Cookie: {cookie}\r\n") == 404


WRONG = (
    "",
    "Cookie: rtdecode-PORT=\r\n",
    "Cookie: rtdecode-PORT=guessed\r\n",
    "Cookie: rtdecode-PORT=REPLAYED\r\n",
    "Cookie: rtdecode-1=RIGHT\r\n",
    "Cookie: rtdecode-PORT=\xff\xfe; ;;=\r\n",
    "Authorization: Bearer guessed\r\n",
    "Authorization: Basic RIGHT\r\n",
)


@pytest.mark.parametrize("headers", WRONG)
def test_a_cookie_of_an_earlier_run_or_a_guess_is_refused(page: Opened, headers: str) -> None:
    replayed = PageAccess("secret of the run before").cookie(Right.ACT)
    sent = headers.replace("PORT", str(page.port)).replace("REPLAYED", replayed)
    sent = sent.replace("RIGHT", ACCESS.cookie(Right.ACT))
    answer = page.answer("/", sent)
    assert answer.startswith("HTTP/1.1 403")
    assert page.status("/live", sent + UPGRADE) == 403


@pytest.mark.parametrize(
    "query",
    [
        "watch=",
        "watch=guessed",
        "act=REPLAYED",
        "watch=COOKIE",
        "token=RIGHT",
        "&" * 9000,
        "watch=%ff%00&act=",
    ],
)
def test_a_token_of_an_earlier_run_or_a_guess_is_refused(page: Opened, query: str) -> None:
    replayed = PageAccess("secret of the run before").token(Right.ACT)
    query = query.replace("REPLAYED", replayed).replace("COOKIE", ACCESS.cookie(Right.WATCH))
    query = query.replace("RIGHT", ACCESS.token(Right.WATCH))
    answer = page.answer(f"/?{query}")
    assert answer.startswith("HTTP/1.1 403")
    assert "set-cookie" not in answer


def test_a_token_opens_no_stream_from_the_address(page: Opened) -> None:
    assert page.status(f"/live?act={ACCESS.token(Right.ACT)}", UPGRADE) == 403


FOREIGN = (
    ("evil.example:PORT", ""),
    ("rig.lab", ""),
    ("rig.lab:1", ""),
    ("rig.lab.evil.example:PORT", ""),
    ("192.168.7.7:PORT", ""),
    ("[::1:PORT", ""),
    ("rig.lab:PORT", "Origin: http://evil.example:PORT\r\n"),
    ("rig.lab:PORT", "Origin: https://rig.lab:PORT\r\n"),
    ("rig.lab:PORT", "Origin: http://rig.lab:1\r\n"),
    ("rig.lab:PORT", "Origin: http://rig.lab\r\n"),
    ("rig.lab:PORT", "Origin: null\r\n"),
    ("rig.lab:PORT", "Origin: http://127.0.0.1:PORT\r\n"),
    ("rig.lab:PORT", "Origin: http://rig.lab:PORT\r\nOrigin: http://evil.example\r\n"),
)


@pytest.mark.parametrize(("host", "headers"), FOREIGN)
def test_a_foreign_name_or_origin_is_refused_also_with_the_cookie(
    page: Opened, host: str, headers: str
) -> None:
    host, headers = (text.replace("PORT", str(page.port)) for text in (host, headers))
    sent = headers + page.cookie(Right.ACT)
    assert page.status("/", sent, host=host) == 403
    # some mistakes are refused by the WebSocket library before
    assert page.status("/live", sent + UPGRADE, host=host) in (400, 403)
    assert page.status(f"/?act={ACCESS.token(Right.ACT)}", headers, host=host) == 403
    assert page.server.counters()["refused"] >= 2


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_a_form_of_another_page_is_refused(page: Opened, method: str) -> None:
    length = "Content-Length: 0\r\n"
    foreign = f"Origin: http://evil.example\r\n{length}"
    assert page.status("/", foreign + page.cookie(Right.ACT), method=method) == 403
    assert page.status("/", length, method=method) == 403
    assert page.status("/", length + page.cookie(Right.ACT), method=method) == 405


def test_every_answer_keeps_other_pages_out(page: Opened) -> None:
    for path, sent in (
        ("/", ""),
        ("/", page.cookie(Right.WATCH)),
        ("/absent", page.cookie(Right.ACT)),
    ):
        answer = page.answer(path, sent).lower()
        for part in (
            "default-src 'none'; script-src 'self'; style-src 'self';",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
            "cache-control: no-store",
        ):
            assert part in answer
        assert "unsafe" not in answer
        assert "server:" not in answer


@pytest.mark.parametrize("right", [Right.WATCH, Right.ACT])
def test_a_program_sends_the_token_and_has_its_right(page: Opened, right: Right) -> None:
    headers = {"Authorization": f"Bearer {ACCESS.token(right)}"}
    with page.live(headers) as program:
        assert json.loads(program.recv(timeout=60))["history"] == []
        program.send("arm 1")
        if right is Right.ACT:
            taken: list[BrowserCommand] = []
            while not taken:
                taken = page.server.commands()
            assert taken == [BrowserCommand("arm", "127.0.0.1")]
        else:
            assert code_of(program) == 1008
            assert page.server.commands() == []
            assert page.server.counters()["closed"] == 1


def code_of(stream: ClientConnection) -> int:
    """Code with which the page closes `stream`."""
    while True:
        try:
            stream.recv(timeout=60)
        except ConnectionClosed:
            return stream.close_code or 0


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x00\x01", 1003),
        (b"", 1003),
        (bytes(60), 1003),
        (bytes(65), 1009),
        (bytes(2_000_000), 1009),
        ("7" * 65, 1009),
        ("arm", 1008),
        ("\0", 1008),
    ],
)
def test_a_message_that_no_browser_sends_ends_its_stream_alone(
    page: Opened, sent: bytes | str, code: int
) -> None:
    headers = {"Authorization": f"Bearer {ACCESS.token(Right.ACT)}"}
    with page.live(headers) as other, page.live(headers) as browser:
        other.recv(timeout=60)
        browser.recv(timeout=60)
        try:
            browser.send(sent)
        except ConnectionClosed:
            pass  # it was closed while it still sent
        assert code_of(browser) == code
        while page.server.counters() != {"browsers": 1.0, "refused": 0.0, "closed": 1.0}:
            other.recv(timeout=60)
        assert page.server.commands() == []


def test_a_flood_of_messages_ends_its_stream(page: Opened) -> None:
    with page.live({"Authorization": f"Bearer {ACCESS.token(Right.ACT)}"}) as browser:
        try:
            for _ in range(2000):
                browser.send("1")
        except ConnectionClosed:
            pass
        assert code_of(browser) == 1008


def test_the_number_of_streams_is_limited(page: Opened) -> None:
    headers = {"Authorization": f"Bearer {ACCESS.token(Right.WATCH)}"}
    with ExitStack() as stack:
        streams = [stack.enter_context(page.live(headers)) for _ in range(PEER_STREAMS)]
        for stream in streams:
            stream.recv(timeout=60)
        with page.live(headers) as further:
            assert code_of(further) == 1013
        streams[0].close()
        while page.server.counters()["browsers"] == PEER_STREAMS:
            streams[1].recv(timeout=60)
        with page.live(headers) as further:
            assert further.recv(timeout=60)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n" + b"X: " + bytes(120) * 1000,
        b"\x16\x03\x01" * 100,
        b"GET /live HTTP/1.1\r\nHost: OWN\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: OWN\r\n" + UPGRADE.replace("13", "99").encode() + b"\r\n",
        b"GET /live HTTP/1.1\r\nHost: OWN\r\n" + UPGRADE.replace(KEY, "short").encode() + b"\r\n",
        b"POST / HTTP/1.1\r\nHost: OWN\r\nContent-Length: 99999999\r\n\r\n" + bytes(300_000),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_request_is_answered_with_an_error_or_an_end(page: Opened, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", page.port), timeout=60) as line:
        try:
            line.sendall(sent.replace(b"OWN", page.own.encode()))
            answer = line.recv(4096)
        except ConnectionError:
            answer = b""
    assert not answer or answer.split()[1].startswith(b"4")
    assert page.status("/", page.cookie(Right.WATCH)) == 200


def test_the_body_of_a_request_is_not_kept_after_its_connection(page: Opened) -> None:
    gc.collect()
    gc.disable()
    try:
        with socket.create_connection(("127.0.0.1", page.port), timeout=60) as line:
            head = f"POST / HTTP/1.1\r\nHost: {page.own}\r\nContent-Length: 99999\r\n\r\n"
            line.sendall(head.encode() + bytes(50_000))
            assert line.recv(4096)
        while page.server._server.server_state.connections:
            assert page.status("/absent") == 403
        kept = [one for one in gc.get_objects() if type(one) is RequestResponseCycle]
        assert [len(one.body) for one in kept if one.body] == []
    finally:
        gc.enable()


@pytest.mark.parametrize("host", ["192.0.2.99", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_refused_by_name(rig: Any, host: str) -> None:
    with pytest.raises(AddressUnusableError, match=rf"view\.host {host}:0 cannot be used"):
        Opened(rig, host=host)


def test_tls_is_served_with_a_cookie_that_plain_connections_never_get(
    rig: Any, tmp_path: Any
) -> None:
    pair = made_certificate(tmp_path)
    opened = Opened(rig, certificate=pair.certificate, private_key=pair.private_key)
    try:
        assert opened.address == f"https://rig.lab:{opened.port}/"
        trusting = ssl.create_default_context(cafile=str(pair.certificate))
        with (
            socket.create_connection(("127.0.0.1", opened.port), timeout=60) as plain,
            trusting.wrap_socket(plain, server_hostname="rig.lab") as line,
        ):
            request = (
                f"GET /?watch={ACCESS.token(Right.WATCH)} HTTP/1.1\r\nHost: {opened.own}\r\n\r\n"
            )
            line.sendall(request.encode())
            answer = line.recv(4096).decode()
        assert "HTTP/1.1 303" in answer
        assert f"__Host-rtdecode-{opened.port}=" in answer
        assert "; secure" in answer.lower()
        assert "cross-origin-opener-policy: same-origin" in answer
        with socket.create_connection(("127.0.0.1", opened.port), timeout=60) as plain:
            plain.sendall(f"GET / HTTP/1.1\r\nHost: {opened.own}\r\n\r\n".encode())
            assert b"200" not in plain.recv(4096)
    finally:
        opened.server.stop()


@pytest.mark.parametrize(
    ("configured", "host", "arrived_at", "permitted"),
    [
        ("rig.lab", "rig.lab:80", "10.0.0.2", True),
        ("Rig.Lab", "rig.lab", "10.0.0.2", True),
        ("rig.lab", "other.lab", "10.0.0.2", False),
        ("rig.lab", "10.0.0.2", "10.0.0.2", True),
        ("fd00::1", "[fd00::1]", "fd00::1", True),
        ("fd00::1", "[fd00::1]:80", "fd00::1", True),
        ("fd00::1", "[fd00::2]", "fd00::1", False),
        ("0.0.0.0", "192.168.7.7", "192.168.7.7", True),
        ("0.0.0.0", "192.168.7.8", "192.168.7.7", False),
        ("0.0.0.0", "192.168.7.7", "", False),
        ("0.0.0.0", "evil.example", "192.168.7.7", False),
        ("0.0.0.0", socket.gethostname(), "192.168.7.7", True),
        ("::", "[fd00::2]:80", "fd00::2", True),
        ("::", "192.168.7.7", "::ffff:192.168.7.7", True),
        ("127.0.0.1", "192.168.7.7", "127.0.0.1", False),
        ("127.0.0.1", socket.gethostname() + ".example", "127.0.0.1", False),
    ],
)
def test_names_and_addresses_of_the_page(
    configured: str, host: str, arrived_at: str, *, permitted: bool
) -> None:
    own = OwnAddress(ViewConfig(host=configured), port=80)
    assert own.permits(Headers({"host": host}), arrived_at=arrived_at) is permitted


def test_further_names_of_the_config_are_names_of_the_page() -> None:
    own = OwnAddress(ViewConfig(names=("Rig.lab", "10.9.9.9", "fd00::9")), port=443, scheme="https")
    for host in ("rig.lab", "10.9.9.9", "[fd00::9]", "rig.lab:443"):
        assert own.permits(Headers({"host": host, "origin": f"https://{host}"}))
        assert not own.permits(Headers({"host": host, "origin": f"http://{host}"}))
    assert not own.permits(Headers({"host": "rig.lab:80"}))


@pytest.mark.parametrize(
    ("view", "listens_at", "printed"),
    [
        ({}, "127.0.0.1", "127.0.0.1"),
        ({"host": "::1"}, "::1", "[::1]"),
        ({"host": "labpc"}, "127.0.1.1", "127.0.1.1"),
        ({"host": "labpc"}, "10.0.0.2", "labpc"),
        ({"host": "fd00::2"}, "fd00::2", "[fd00::2]"),
        ({"host": "0.0.0.0", "names": ("rig.lab", "rig")}, "0.0.0.0", "rig.lab"),
        ({"names": ("fd00::2",)}, "127.0.0.1", "[fd00::2]"),
    ],
)
def test_the_address_that_is_printed_can_be_opened(
    view: dict[str, Any], listens_at: str, printed: str
) -> None:
    assert printed_host(ViewConfig(**view), listens_at=listens_at) == printed


def test_a_page_on_every_interface_is_printed_with_an_address_of_this_machine() -> None:
    host = printed_host(ViewConfig(host="0.0.0.0"), listens_at="0.0.0.0")
    assert host not in ("0.0.0.0", "127.0.0.1", "")


def test_a_stranger_is_refused_by_status_over_a_websocket_library(page: Opened) -> None:
    for headers in ({}, {"Authorization": "Bearer guessed"}):
        with pytest.raises(InvalidStatus, match="403"), page.live(headers):
            pass
