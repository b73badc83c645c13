"""Everybody can use the page: axe finds nothing serious, keys do all, and it is read from afar."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from chromium import serious_violations, wait_for_text
from playwright.sync_api import Page

from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.control import Acknowledgement, Action
from rtdecode.schema.messages import Body, End, Event, Health, Score, Start
from rtdecode.view.run_facts import RunFacts
from rtdecode.view.server import PageServer

pytestmark = pytest.mark.system
MS = 1_000_000
FACTS = RunFacts(session="2026-11-30_09-00-00", report="/data/session/report/index.html")
SMALL_TEXTS = """(least) => [...document.body.querySelectorAll("*")]
  .filter((one) => [...one.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
  .filter((one) => one.checkVisibility() && one.getClientRects().length)
  .filter((one) => parseFloat(getComputedStyle(one).fontSize) < least)
  .map((one) => `${one.id || one.className || one.tagName}: ${one.textContent.trim()}`)"""


@pytest.fixture
def server(rig: Any) -> Iterator[tuple[PageServer, str]]:
    server = PageServer(ViewConfig(), frame_rate_hz=30.0, clock=rig.clock, facts=FACTS)
    try:
        yield server, server.start()
    finally:
        server.stop()


def sent_by(rig: Any, source: str, body: Body) -> Any:
    item = rig.received(body)
    return replace(item, message=replace(item.message, source=source))


def a_whole_run(rig: Any) -> list[Any]:
    """Messages after which every part of the page has content."""
    now_ns = rig.clock.now_ns()
    times = (now_ns - 250 * MS, now_ns - 90 * MS, now_ns - 10 * MS, now_ns)
    action = Action(0, "pause", "mine", "sent", "emit/reconstruction", 1000, *times)
    recorder = {"log_mb": 12.0, "disk_free_mb": 5e4, "disk_minutes_left": 600.0}
    items = [
        sent_by(rig, "supervisor", Start("s", "", "", "")),
        sent_by(rig, "events", Health("running", "", recorder | {"recorder_backlog_mb": 0.0})),
        sent_by(rig, "controller", Health("running", "", {"armed": 1.0, "actions": 3.0})),
        rig.received(action),
        rig.received(Acknowledgement(0, "applied", "pause", "", now_ns, now_ns + 20 * MS, 1010)),
        rig.received(Event("warning", "bridge", "scans_lost", "scans were lost", {"scans": 2})),
        rig.received(Score(0.85, 0.8, 0.5, 10.0, 10.0, 300, final=False)),
    ]
    for frame in range(1000, 1040):
        items += [rig.displayed(frame, 60), rig.responses(frame), rig.decoded(frame - 8, 200.4)]
    return items


def test_axe_finds_nothing_serious_in_any_tab_in_dark_and_light_and_after_the_end(
    server: tuple[PageServer, str], rig: Any, tab: Page
) -> None:
    page, address = server
    tab.goto(address)
    wait_for_text(tab, "title", "Waiting")
    page.push(a_whole_run(rig))
    wait_for_text(tab, "frame", "1031")
    found = []
    for theme in ("dark", "light"):
        for key in "1234":
            tab.keyboard.press(key)
            found += [f"{theme} {key} {one}" for one in serious_violations(tab)]
        tab.keyboard.press("t")
    for key in ("f", "f", "?"):
        tab.keyboard.press(key)
        found += [f"{key} {one}" for one in serious_violations(tab)]
    tab.keyboard.press("Escape")
    page.push([rig.received(Event("alarm", "recorder", "disk_low", "the disk is nearly full"))])
    wait_for_text(tab, "alarms", "nearly full")
    found += serious_violations(tab)
    page.push([sent_by(rig, "bridge", End("s", "stopped"))])
    wait_for_text(tab, "title", "Ended")
    wait_for_text(tab, "end-alarms", "One alarm was neither over nor acknowledged")
    found += serious_violations(tab)
    assert found == []


def test_in_the_full_screen_view_every_text_is_read_from_three_metres(
    server: tuple[PageServer, str], rig: Any, tab: Page
) -> None:
    page, address = server
    tab.set_viewport_size({"width": 1920, "height": 1080})
    tab.goto(address)
    wait_for_text(tab, "title", "Waiting")
    page.push(a_whole_run(rig))
    wait_for_text(tab, "video-r", "0.85")
    tab.keyboard.press("f")
    assert tab.evaluate(SMALL_TEXTS, 38) == []
    for name in ("displayed", "decoded", "video-r", "title"):
        box = tab.locator(f"#{name}").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 1080
        assert box["x"] + box["width"] <= 1920
    assert not tab.is_visible("#error")
    tab.keyboard.press("Escape")
    assert tab.is_visible("#error")


@pytest.mark.parametrize("width", [390, 900])
def test_on_a_narrow_screen_both_pictures_come_first_and_nothing_is_cut(
    server: tuple[PageServer, str], rig: Any, tab: Page, width: int
) -> None:
    page, address = server
    tab.set_viewport_size({"width": width, "height": 844})
    tab.goto(address)
    wait_for_text(tab, "title", "Waiting")
    page.push(a_whole_run(rig))
    wait_for_text(tab, "video-r", "0.85")
    tops = [tab.locator(f"#{name}").bounding_box() for name in ("displayed", "decoded", "video-r")]
    assert [box["y"] for box in tops if box] == sorted(box["y"] for box in tops if box)
    for key in "1234":
        tab.keyboard.press(key)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keys_are_listed_and_a_note_is_written_by_keys_alone(
    server: tuple[PageServer, str], rig: Any, tab: Page
) -> None:
    page, address = server
    tab.goto(address)
    wait_for_text(tab, "title", "Waiting")
    tab.wait_for_selector("#note-button")
    tab.keyboard.press("?")
    wait_for_text(tab, "keys", "full-screen view")
    tab.keyboard.press("?")
    tab.keyboard.press("n")
    tab.keyboard.type("eye closed at 12 o'clock? fine")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#note", state="hidden")
    sent: list[Event] = []
    page.notes.send(lambda event: bool(sent.append(event)) or True)
    assert [(one.code, one.process) for one in sent] == [("note", "view")]
    assert sent[0].text == "eye closed at 12 o'clock? fine"
    assert tab.get_attribute("#tab-live", "aria-selected") == "true"


def test_after_the_end_the_page_states_it_and_connects_to_nothing(
    server: tuple[PageServer, str], rig: Any, tab: Page
) -> None:
    page, address = server
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("websocket", lambda socket: requests.append(socket.url))
    tab.goto(address)
    wait_for_text(tab, "title", "Waiting")
    page.push(a_whole_run(rig))
    wait_for_text(tab, "frame", "1031")
    rig.clock.t_ns += 65_000_000_000
    final = Score(0.91, 0.8, 0.5, 10.0, 60.0, 1800, final=True)
    page.push([sent_by(rig, "bridge", End("s", "stopped")), rig.received(final)])
    page.stop()
    wait_for_text(tab, "end-length", "after 1:05")
    wait_for_text(tab, "end-score", "video r 0.91 and frame r 0.80 over the whole run")
    wait_for_text(tab, "end-losses", "Lost: 2 scans that the microscope lost.")
    wait_for_text(tab, "end-report", "/data/session/report/index.html")
    before = list(requests)
    tab.wait_for_function("() => document.body.classList.contains('over')")
    tab.evaluate("new Promise((done) => { setTimeout(done, 2500); })")
    assert requests == before
    assert tab.text_content("#title") == "Ended"
