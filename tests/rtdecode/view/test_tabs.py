"""The tabs of the page: chosen by mouse and keys, kept over a reconnection, drawn while visible."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from chromium import wait_for_text
from playwright.sync_api import Page

from rtdecode.schema.config.session import ViewConfig
from rtdecode.view.server import PageServer

pytestmark = pytest.mark.system
CHOSEN = '[role=tab][aria-selected="true"]'


@pytest.fixture
def server(rig: Any) -> Iterator[tuple[PageServer, str]]:
    server = PageServer(ViewConfig(), frame_rate_hz=30.0, clock=rig.clock)
    try:
        yield server, server.start()
    finally:
        server.stop()


def visible_panels(tab: Page) -> list[str | None]:
    panels = tab.locator("[role=tabpanel]").all()
    return [panel.get_attribute("id") for panel in panels if panel.is_visible()]


def test_tabs_are_chosen_by_number_arrows_and_mouse(
    server: tuple[PageServer, str], tab: Page
) -> None:
    tab.goto(server[1])
    wait_for_text(tab, "title", "Waiting")
    assert visible_panels(tab) == ["panel-live"]
    for key, name in (("4", "events"), ("3", "loop"), ("2", "microscope"), ("1", "live")):
        tab.keyboard.press(key)
        assert visible_panels(tab) == [f"panel-{name}"]
    tab.focus("#tab-live")
    for key, name in (
        ("ArrowRight", "microscope"),
        ("ArrowLeft", "live"),
        ("ArrowLeft", "events"),
        ("Home", "live"),
        ("End", "events"),
    ):
        tab.keyboard.press(key)
        assert tab.locator(CHOSEN).get_attribute("id") == f"tab-{name}"
        assert tab.evaluate("document.activeElement.id") == f"tab-{name}"
    tab.click("#tab-loop")
    assert visible_panels(tab) == ["panel-loop"]
    assert [one.get_attribute("tabindex") for one in tab.locator("[role=tab]").all()].count(
        "0"
    ) == 1


def test_the_chosen_tab_is_kept_over_a_reconnection_and_a_reload(rig: Any, tab: Page) -> None:
    first = PageServer(ViewConfig(), frame_rate_hz=30.0, clock=rig.clock)
    address = first.start()
    tab.goto(address)
    wait_for_text(tab, "title", "Waiting")
    tab.keyboard.press("4")
    first.stop()
    wait_for_text(tab, "title", "Disconnected")
    port = urlsplit(address).port or 0
    second = PageServer(ViewConfig(port=port), frame_rate_hz=30.0, clock=rig.clock)
    second.start()
    try:
        wait_for_text(tab, "title", "Waiting")
        assert visible_panels(tab) == ["panel-events"]
        tab.reload()
        wait_for_text(tab, "title", "Waiting")
        assert visible_panels(tab) == ["panel-events"]
    finally:
        second.stop()


def test_pictures_are_received_in_every_tab_and_drawn_once_theirs_is_visible(
    server: tuple[PageServer, str], rig: Any, tab: Page
) -> None:
    page, address = server
    tab.goto(f"{address}#events")
    wait_for_text(tab, "title", "Waiting")
    for frame in range(1000, 1040):
        page.push([rig.displayed(frame, 60), rig.decoded(frame - 8, 200.4)])
    wait_for_text(tab, "title", "Live")
    while "page" not in page._page.status()["latency_ms"]:
        tab.wait_for_timeout(10)
    assert tab.text_content("#frame") == "–"
    tab.keyboard.press("1")
    wait_for_text(tab, "frame", "1031")
