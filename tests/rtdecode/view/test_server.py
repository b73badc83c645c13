"""The page in a real browser: pixels, counters, reconnection, and its status line."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import pytest
from chromium import WAIT_MS, wait_for_text
from playwright.sync_api import Browser, Page
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.control import Acknowledgement, Action
from rtdecode.schema.errors import AddressInUseError
from rtdecode.schema.messages import Event, Gap, Health
from rtdecode.view.server import PageServer

FILES = [file.name for file in (resources.files("rtdecode.view") / "static").iterdir()]
PIXEL = """(id) => {
    const canvas = document.getElementById(id);
    return [...canvas.getContext("2d").getImageData(31, 17, 1, 1).data];
}"""


@pytest.fixture
def server(rig: Any) -> Iterator[tuple[PageServer, str]]:
    server = PageServer(ViewConfig(), frame_rate_hz=30.0, clock=rig.clock)
    try:
        yield server, server.start()
    finally:
        server.stop()


def get(address: str, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    status, body = answer.status, answer.read()
    connection.close()
    return status, body


def run_of(rig: Any, frames: range) -> list[Any]:
    items = []
    for frame in frames:
        items += [rig.displayed(frame, 60), rig.responses(frame), rig.decoded(frame - 8, 200.4)]
    return items


def test_files_are_served_and_nothing_else(server: tuple[PageServer, str]) -> None:
    _, address = server
    assert b"<title>rtdecode</title>" in get(address, "/")[1]
    assert {"page.js", "page.css", "icon.svg"} <= set(FILES)
    for name in FILES:
        assert get(address, f"/{name}")[0] == 200
    assert get(address, "/..%2Fserver.py")[0] == 404
    assert get(address, "/secret")[0] == 404


def test_the_page_loads_nothing_from_elsewhere(server: tuple[PageServer, str]) -> None:
    for name in ("", *FILES):
        assert b"https://" not in get(server[1], f"/{name}")[1]


def test_an_address_in_use_is_refused_by_name() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = ViewConfig(port=taken.getsockname()[1])
        with pytest.raises(AddressInUseError, match=r"already in use.*view\.port"):
            PageServer(config, frame_rate_hz=30.0).start()


def test_pages_of_other_sites_may_not_connect(server: tuple[PageServer, str]) -> None:
    live = server[1].replace("http", "ws") + "live"
    with pytest.raises(InvalidStatus), connect(live, origin=Origin("http://elsewhere.example")):
        pass


KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (
    f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n"
    "Sec-WebSocket-Version: 13\r\n"
)


def status(address: str, headers: str, *, path: str = "/") -> int:
    """Status of the answer to a GET with exactly these header lines."""
    with socket.create_connection(("127.0.0.1", urlsplit(address).port or 80), timeout=60) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\n{headers}\r\n".encode())
        return int(line.recv(100).split()[1])


FOREIGN = (
    "Host: evil.example:PORT\r\n",
    "Host: evil.example:PORT\r\nOrigin: http://evil.example:PORT\r\n",
    "Host: 127.0.0.1.evil.example:PORT\r\n",
    "Host: evil.example\r\n",
    "Host: 127.0.0.1\r\n",
    "Host: 127.0.0.1:1\r\n",
    "Host: 127.0.0.1:PORT@evil.example\r\n",
    "Host: 192.168.7.7:PORT\r\n",
    "Host: \r\n",
    "Host: [::1\r\n",
    "",
    "Host: 127.0.0.1:PORT\r\nHost: evil.example:PORT\r\n",
    "Host: evil.example:PORT\r\nHost: 127.0.0.1:PORT\r\n",
    "Host: 127.0.0.1:PORT\r\nOrigin: http://evil.example:PORT\r\n",
    "Host: 127.0.0.1:PORT\r\nOrigin: http://127.0.0.1:1\r\n",
    "Host: 127.0.0.1:PORT\r\nOrigin: null\r\n",
    "Host: 127.0.0.1:PORT\r\nOrigin: http://[\r\n",
)


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_request_under_a_foreign_name_is_refused(
    server: tuple[PageServer, str], headers: str
) -> None:
    sent = headers.replace("PORT", str(urlsplit(server[1]).port))
    for path in ("/", "/page.js", "/live"):
        assert 400 <= status(server[1], sent, path=path) < 500
    assert 400 <= status(server[1], sent + UPGRADE, path="/live") < 500


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost", "[::1]"])
def test_the_page_is_served_under_the_names_of_this_machine(
    server: tuple[PageServer, str], name: str
) -> None:
    own = f"{name}:{urlsplit(server[1]).port}"
    assert status(server[1], f"Host: {own}\r\n") == 200
    assert status(server[1], f"Host: {own}\r\nOrigin: http://{own}\r\n") == 200
    assert status(server[1], f"Host: {own}\r\n{UPGRADE}", path="/live") == 101


def test_a_browser_that_reads_nothing_delays_no_other(
    server: tuple[PageServer, str], rig: Any
) -> None:
    page, address = server
    with connect(address.replace("http", "ws") + "live") as idle:
        idle.recv(timeout=60)  # the history: it is connected
        for frame in range(1000, 1300):
            page.push(run_of(rig, range(frame, frame + 1)))
        (queue,) = page._queues
        for _ in range(200):
            if queue.dropped > 200:
                break
            idle.recv(timeout=60)
        assert queue.dropped > 200
        assert len(queue._undrawn) <= 4


def test_pushing_without_a_server_or_after_its_end_is_harmless(rig: Any) -> None:
    page = PageServer(ViewConfig(), frame_rate_hz=30.0, clock=rig.clock)
    page.push([rig.displayed(1, 1)])
    page.start()
    page.stop()
    page.push([rig.displayed(2, 1)])
    page.stop()


@pytest.mark.system
def test_the_page_shows_the_pixels_that_were_sent(
    server: tuple[PageServer, str], rig: Any, tab: Page
) -> None:
    page, address = server
    tab.goto(address)
    wait_for_text(tab, "title", "Waiting")
    page.push(run_of(rig, range(1000, 1040)))
    wait_for_text(tab, "frame", "1031")
    assert tab.evaluate(PIXEL, "displayed") == [60, 60, 60, 255]
    assert tab.evaluate(PIXEL, "decoded") == [200, 200, 200, 255]
    red, _, blue, _ = tab.evaluate(PIXEL, "error")
    assert red > 200 > blue  # brighter than displayed is orange
    wait_for_text(tab, "title", "Live")
    wait_for_text(tab, "frames", "40")
    wait_for_text(tab, "neurons", "120")
    tab.click("#panel-button")
    wait_for_text(tab, "panel-name", "Uncertainty")
    red, _, blue, _ = tab.evaluate(PIXEL, "error")
    assert blue > red  # 7 grey levels are a low uncertainty


@pytest.mark.system
def test_the_page_states_when_it_is_stale_and_when_it_is_live_again(
    server: tuple[PageServer, str], rig: Any, tab: Page
) -> None:
    page, address = server
    tab.goto(address)
    page.push(run_of(rig, range(1000, 1020)))
    wait_for_text(tab, "title", "Live")
    rig.clock.t_ns += 5_000_000_000
    wait_for_text(tab, "title", "Stale")
    wait_for_text(tab, "sentence", "No reconstruction for 5 s")
    assert "stale" in (tab.get_attribute("body", "class") or "")
    page.push(run_of(rig, range(1020, 1040)))
    wait_for_text(tab, "title", "Live")
    assert "stale" not in (tab.get_attribute("body", "class") or "")


def say(page: PageServer, rig: Any, severity: str, code: str, text: str) -> None:
    page.push([rig.received(Event(severity, "recorder", code, text, {"messages": 2}))])


@pytest.mark.system
def test_an_alarm_stays_in_the_banner_until_it_is_acknowledged_or_over(
    server: tuple[PageServer, str], rig: Any, tab: Page, browser: Browser
) -> None:
    page, address = server
    other = browser.new_page()
    for one in (tab, other):
        one.goto(address)
        wait_for_text(one, "title", "Waiting")
    say(page, rig, "info", "opened", "the log <b>is</b> open")
    say(page, rig, "alarm", "disk_low", "the disk is nearly full")
    say(page, rig, "alarm", "recorder_stalled", "nothing is written")
    wait_for_text(tab, "alarms", "the disk is nearly full (messages: 2)")
    wait_for_text(tab, "alarms", "nothing is written")
    wait_for_text(tab, "events", "the log <b>is</b> open")
    page.push(run_of(rig, range(1000, 1020)))
    wait_for_text(tab, "title", "Alarm")
    assert "stale" not in (tab.get_attribute("body", "class") or "")
    assert "is open" not in tab.inner_text("#alarms")
    tab.click("#alarms p:first-child button")
    for one in (tab, other):
        one.wait_for_function("() => document.querySelectorAll('#alarms p').length === 1")
        assert "nothing is written" in one.inner_text("#alarms")
    say(page, rig, "info", "recorder_resumed", "all is written again")
    tab.wait_for_function("() => document.querySelectorAll('#alarms p').length === 0")
    wait_for_text(tab, "title", "Live")
    assert tab.locator("#events li").count() == 4
    assert tab.locator("#events li[data-severity=alarm]").count() == 2
    other.close()


@pytest.mark.system
def test_the_page_shows_losses_by_layer_and_warnings_in_amber(
    server: tuple[PageServer, str], rig: Any, tab: Page
) -> None:
    page, address = server
    tab.goto(address)
    page.push([*run_of(rig, range(1000, 1010)), *run_of(rig, range(1013, 1020))])
    page.push([rig.received(Gap("bridge/scan", 3, 5, "recorder"))])
    page.push([rig.received(Health("running", "", {"recorder_backlog_mb": 12.34}))])
    say(page, rig, "warning", "odd", "something is odd")
    for element, text in (("lost", "5"), ("not-decoded", "3"), ("backlog", "backlog 12 MB")):
        wait_for_text(tab, element, text)
    assert tab.get_attribute("#lost", "class") == "warning"
    assert tab.get_attribute("#scans-lost", "class") == ""
    assert tab.locator("#events li[data-severity=warning]").count() == 1
    page.push([rig.received(Gap("emit/reconstruction", 3, 7, "evaluate"))])
    wait_for_text(tab, "missed", "7 of emit/reconstruction by evaluate")
    assert tab.locator("#alarms p").count() == 0


@pytest.mark.system
def test_the_page_acknowledges_drawn_frames(
    server: tuple[PageServer, str], rig: Any, tab: Page
) -> None:
    page, address = server
    tab.goto(address)
    wait_for_text(tab, "title", "Waiting")
    page.push(run_of(rig, range(1000, 1020)))
    tab.wait_for_selector('tr[data-stage="page"]', timeout=WAIT_MS)
    assert page._page.status()["latency_ms"]["screen_to_page"]["p50"] == 300


@pytest.mark.system
def test_the_page_reconnects_to_a_restarted_server(rig: Any, tab: Page) -> None:
    first = PageServer(ViewConfig(), frame_rate_hz=30.0, clock=rig.clock)
    address = first.start()
    tab.goto(address)
    wait_for_text(tab, "title", "Waiting")
    first.stop()
    wait_for_text(tab, "title", "Disconnected")
    second = PageServer(
        ViewConfig(port=urlsplit(address).port or 0), frame_rate_hz=30.0, clock=rig.clock
    )
    second.start()
    try:
        wait_for_text(tab, "title", "Waiting")
        second.push(run_of(rig, range(1000, 1020)))
        wait_for_text(tab, "title", "Live")
    finally:
        second.stop()


@pytest.mark.system
def test_reaction_and_content_age_are_beside_the_other_latencies(
    tab: Page, server: tuple[PageServer, str], rig: Any
) -> None:
    page, address = server
    tab.goto(address)
    page.push(run_of(rig, range(1000, 1010)))
    wait_for_text(tab, "frames", "10")
    assert not tab.locator("#loop").is_visible()
    now_ns = rig.clock.now_ns()
    times = (now_ns - 250_000_000, now_ns - 90_000_000, now_ns - 10_000_000, now_ns)
    one = Action(0, "pause", "mine", "sent", "emit/reconstruction", 1000, *times)
    flip = Acknowledgement(0, "applied", "pause", "", now_ns, now_ns + 20_000_000, 1010)
    page.push([rig.received(one), rig.received(replace(one, number=1, outcome="rate_limited"))])
    page.push([rig.received(flip)])
    wait_for_text(tab, "reaction", "110, 110")
    wait_for_text(tab, "content-age", "270, 270")
    wait_for_text(tab, "actions", "1 of 2")
    wait_for_text(tab, "loop-effect", "to the flip")


def of_controller(rig: Any, body: Any) -> Any:
    received = rig.received(body)
    return replace(received, message=replace(received.message, source="controller"))


def sent_by(page: PageServer, tab: Page) -> list[str]:
    """Commands that have come from browsers, once at least one has."""
    found = page.commands()
    while not found:
        tab.wait_for_timeout(10)
        found = page.commands()
    return [command.name for command in found]


@pytest.mark.system
def test_the_controller_is_armed_by_two_clicks_and_disarmed_by_one(
    tab: Page, server: tuple[PageServer, str], rig: Any
) -> None:
    page, address = server
    tab.goto(address)
    wait_for_text(tab, "title", "Waiting")
    assert not tab.is_visible("#control")
    counters = {"armed": 0.0, "actions": 3.0, "withheld": 3.0}
    page.push([of_controller(rig, Health("running", "", counters))])
    wait_for_text(tab, "armed", "Not armed")
    wait_for_text(tab, "control-actions", "0 actions sent, 3 withheld")
    tab.click("#arm")
    wait_for_text(tab, "arm", "Confirm")
    assert page.commands() == []
    if "Confirm" not in (tab.text_content("#arm") or ""):
        tab.click("#arm")  # on a busy machine the five seconds of the page may be over
    tab.click("#arm")
    assert sent_by(page, tab) == ["arm"]
    rig.clock.t_ns += 1
    page.push([of_controller(rig, Event("info", "controller", "armed", "armed by the page"))])
    wait_for_text(tab, "armed", "ARMED")
    wait_for_text(tab, "armed-text", "armed by the page")
    assert tab.is_disabled("#arm")
    tab.click("#disarm")
    assert sent_by(page, tab) == ["disarm"]


@pytest.mark.system
def test_while_it_is_armed_for_a_time_one_click_renews_it(
    tab: Page, server: tuple[PageServer, str], rig: Any
) -> None:
    page, address = server
    tab.goto(address)
    wait_for_text(tab, "title", "Waiting")
    counters = {"armed": 1.0, "actions": 0.0, "withheld": 0.0, "dead_man_left_s": 7.5}
    page.push([of_controller(rig, Health("running", "", counters))])
    wait_for_text(tab, "armed-text", "disarms in 8 s")
    wait_for_text(tab, "arm", "Stay armed")
    tab.click("#arm")
    assert sent_by(page, tab) == ["renew"]
