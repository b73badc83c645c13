"""The page beyond its machine in a real browser: who may open it, who may act, and who is kept out.

The browser takes rig.lab, the page, and evil.example, a page of a stranger, for two hosts; both are
this machine. Over plain HTTP their origins are as little trusted as on a network.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from chromium import WAIT_MS, wait_for_text
from own_certificate import made_certificate
from playwright.sync_api import Browser, Page

from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.messages import Event, Health
from rtdecode.view.access import page_addresses
from rtdecode.view.server import PageServer

pytestmark = pytest.mark.system
RUN = "secret of the run"
Opening = Callable[..., tuple[PageServer, str, str]]


@pytest.fixture
def opened(rig: Any) -> Iterator[Opening]:
    """Makes a page; gives it with the addresses to watch and to act."""
    servers: list[PageServer] = []

    def made(*, run: str = RUN, **view: Any) -> tuple[PageServer, str, str]:
        config = ViewConfig(**({"host": "0.0.0.0", "names": ("rig.lab",)} | view))
        server = PageServer(config, frame_rate_hz=30.0, clock=rig.clock, secret=run)
        servers.append(server)
        watch, act = page_addresses(server.start(), secret=run).values()
        return server, watch, act

    yield made
    for server in servers:
        server.stop()


@contextmanager
def site(page: str) -> Iterator[str]:
    """Address of a stranger's page with this content."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = page.encode() if self.path == "/" else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_given: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://evil.example:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def controller(rig: Any) -> Any:
    counters = {"armed": 1.0, "actions": 0.0, "withheld": 0.0}
    item = rig.received(Health("running", "", counters))
    return replace(item, message=replace(item.message, source="controller"))


def alarm(rig: Any) -> Any:
    return rig.received(Event("alarm", "recorder", "disk_low", "the disk is nearly full", {}))


def plain(address: str) -> str:
    return address.partition("?")[0]


def test_the_address_to_watch_shows_all_and_acts_on_nothing(
    opened: Opening, rig: Any, tab: Page
) -> None:
    server, watch, act = opened()
    tab.goto(watch)
    tab.wait_for_url(plain(watch))  # the token stays in no history and no Referer
    wait_for_text(tab, "title", "Waiting")
    assert watch.partition("=")[2] not in tab.content()
    assert tab.evaluate("document.cookie") == ""
    server.push([controller(rig), alarm(rig), rig.decoded(1000, 200.0)])
    wait_for_text(tab, "armed", "ARMED")
    wait_for_text(tab, "alarms", "nearly full")
    assert tab.is_visible("#watching")
    for button in ("#arm", "#disarm", "#alarms button"):
        assert not tab.is_visible(button)
    (cookie,) = tab.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
    tab.goto(act)
    tab.wait_for_url(plain(act))
    wait_for_text(tab, "alarms", "nearly full")
    assert not tab.is_visible("#watching")
    tab.click("#disarm")
    tab.click("#alarms button")
    tab.wait_for_function("() => document.querySelectorAll('#alarms p').length === 0")
    assert [command.name for command in server.commands()] == ["disarm"]
    assert server.counters() == {"browsers": 1.0, "refused": 0.0, "closed": 0.0}


def test_a_restarted_page_goes_on_and_that_of_the_next_run_is_refused_with_a_reason(
    opened: Opening, rig: Any, browser: Browser
) -> None:
    tab = browser.new_page()  # the console states each refusal as an error
    tab.set_default_timeout(WAIT_MS)
    first, watch, _ = opened()
    port = urlsplit(watch).port
    tab.goto(watch)
    wait_for_text(tab, "title", "Waiting")
    first.stop()
    wait_for_text(tab, "title", "Disconnected")
    again, *_ = opened(port=port)
    wait_for_text(tab, "title", "Waiting")
    again.stop()
    other, *_ = opened(port=port, run="secret of the next run")
    wait_for_text(tab, "title", "Refused")
    wait_for_text(tab, "sentence", "another run")
    assert other.counters()["browsers"] == 0
    tab.reload()
    assert "Open the whole address that the terminal of the run prints" in tab.content()
    tab.goto(watch)
    assert "An address is valid until its run ends" in tab.content()
    tab.close()


ATTACK = """<!doctype html><iframe src="PAGE"></iframe>
<form action="PAGE" method="post" target="answer"><input name="arm" value="1"></form>
<iframe name="answer"></iframe><img src="PAGEicon.svg" id="image">
<script>
  const outcome = (promise) => promise.then(() => "done", () => "refused");
  const stream = (address) => new Promise((done, failed) => {
    const socket = new WebSocket(address);
    socket.onopen = () => { socket.send("arm 1"); done(); };
    socket.onerror = failed;
  });
  const image = document.getElementById("image");
  window.found = Promise.all([
    outcome(stream("PAGElive".replace("http", "ws"))),
    outcome(fetch("PAGE", { credentials: "include" })),
    outcome(fetch("PAGEpage.js", { mode: "no-cors", credentials: "include" })),
    outcome(import("PAGEpage.js")),
    outcome(new Promise((done, failed) => { image.onload = done; image.onerror = failed; })),
  ]);
  document.forms[0].submit();
</script>"""


def test_the_page_of_a_stranger_reaches_nothing_with_the_cookie_of_its_visitor(
    opened: Opening, browser: Browser
) -> None:
    server, _, act = opened()
    context = browser.new_context()
    own, tab = context.new_page(), context.new_page()
    own.goto(act)
    wait_for_text(own, "title", "Waiting")
    before = server.counters()["refused"]
    with site(ATTACK.replace("PAGE", plain(act))) as address:
        tab.goto(address)
        assert tab.evaluate("window.found") == ["refused"] * 5
        assert all("Decoded" not in frame.content() for frame in tab.frames)
    assert server.counters()["refused"] >= before + 5
    assert server.counters()["browsers"] == 1
    assert server.commands() == []
    context.close()


def test_a_stranger_that_gives_its_name_to_this_machine_is_refused(
    opened: Opening, browser: Browser
) -> None:
    server, watch, _ = opened()
    tab = browser.new_page()
    rebound = watch.replace("rig.lab", "evil.example")
    answer = tab.goto(rebound)
    assert answer is not None
    assert answer.status == 403
    assert "not available under this name" in tab.content()
    assert tab.context.cookies() == []
    assert server.counters()["refused"] >= 1
    tab.close()


def test_an_address_that_a_page_elsewhere_links_to_opens_at_once(
    opened: Opening, tab: Page
) -> None:
    _, watch, _ = opened()
    with site(f'<!doctype html><link rel="icon" href="data:,"><a href="{watch}">here</a>') as mail:
        tab.goto(mail)
        tab.click("a")
        tab.wait_for_url(plain(watch))
        wait_for_text(tab, "title", "Waiting")


def test_over_tls_the_page_works_with_a_certificate_of_its_own(
    opened: Opening, rig: Any, browser: Browser, tmp_path: Path
) -> None:
    pair = made_certificate(tmp_path)
    server, watch, _ = opened(certificate=pair.certificate, private_key=pair.private_key)
    assert watch.startswith("https://rig.lab:")
    context = browser.new_context(ignore_https_errors=True)
    tab = context.new_page()
    errors: list[str] = []
    tab.on("console", lambda message: errors.append(message.text))
    tab.goto(watch)
    tab.wait_for_url(plain(watch))
    wait_for_text(tab, "title", "Waiting")
    server.push([rig.displayed(1000, 60), rig.responses(1000), rig.decoded(1000, 200.4)])
    wait_for_text(tab, "frame", "1000")
    (cookie,) = context.cookies()
    assert cookie["secure"]
    assert cookie["name"].startswith("__Host-rtdecode-")
    assert tab.evaluate("window.isSecureContext")
    assert errors == []
    context.close()
