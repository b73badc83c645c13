"""Tools of the pictures: pause and scrub, contrast, mask, degrees, and frames as they happen."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from chromium import wait_for_text
from playwright.sync_api import Page

from rtdecode.schema.config.session import ViewConfig
from rtdecode.view.screen_facts import ScreenFacts
from rtdecode.view.server import PageServer

pytestmark = pytest.mark.system
LAG = 8
MASK = np.zeros((36, 64), np.bool_)
MASK[10:20, 20:50] = True
SCREEN = ScreenFacts(MASK, np.linspace(-60.0, 60.0, 64), np.linspace(35.0, -35.0, 36))


@pytest.fixture
def page(rig: Any, tab: Page) -> Iterator[PageServer]:
    """A page with mask and degrees, which `tab` shows."""
    yield from opened(rig, tab, screen=SCREEN)


def opened(rig: Any, tab: Page, *, screen: ScreenFacts | None) -> Iterator[PageServer]:
    server = PageServer(ViewConfig(), frame_rate_hz=30.0, clock=rig.clock, screen=screen)
    try:
        tab.goto(server.start())
        wait_for_text(tab, "title", "Waiting")
        yield server
    finally:
        server.stop()


def send(page: PageServer, rig: Any, frames: range, tab: Page) -> None:
    """Frames of which frame k has the grey level k - 1000, and is decoded 10 levels brighter."""
    for frame in frames:
        page.push([rig.displayed(frame, frame - 1000), rig.decoded(frame - LAG, frame - 998.0)])
        wait_for_text(tab, "frame", str(frame - LAG))


def painted(tab: Page, canvas: str, *, row: int = 0, col: int = 0) -> list[int]:
    return list(
        tab.evaluate(
            "([id, row, col]) => [...document.getElementById(id).getContext('2d')"
            ".getImageData(col, row, 1, 1).data]",
            [canvas, row, col],
        )
    )


def drawn_pixels(tab: Page, canvas: str) -> int:
    """Number of pixels of an overlay that are not transparent."""
    return int(
        tab.evaluate(
            "(id) => { const c = document.getElementById(id), { width, height } = c;"
            "return c.getContext('2d').getImageData(0, 0, width, height).data"
            ".filter((v, i) => i % 4 === 3 && v).length }",
            canvas,
        )
    )


def test_a_paused_picture_stays_and_the_last_minute_is_stepped_through(
    page: PageServer, rig: Any, tab: Page
) -> None:
    send(page, rig, range(1040, 1060), tab)
    tab.keyboard.press(" ")
    assert tab.get_attribute("#pause", "aria-pressed") == "true"
    for kept, frame in enumerate(range(1060, 1064), start=20):
        page.push([rig.displayed(frame, frame - 1000), rig.decoded(frame - LAG, 99.0)])
        tab.wait_for_function(
            "(last) => document.getElementById('scrub').max === last", arg=str(kept)
        )
    assert tab.text_content("#frame") == "1051"
    tab.keyboard.press(",")
    assert tab.text_content("#frame") == "1050"
    assert painted(tab, "displayed")[:3] == [50, 50, 50]
    assert "paused, frame 1050" in (tab.text_content("#scrubbed") or "")
    tab.keyboard.press(".")
    tab.keyboard.press(".")
    assert tab.text_content("#frame") == "1052"
    tab.locator("#scrub").fill("0")
    assert tab.text_content("#frame") == "1032"
    tab.keyboard.press("Escape")
    tab.click("#pause")
    assert tab.text_content("#frame") == "1055"
    assert tab.text_content("#scrubbed") == ""


def test_frames_as_they_happen_are_displayed_beside_the_decoded_moment(
    page: PageServer, rig: Any, tab: Page
) -> None:
    send(page, rig, range(1040, 1050), tab)
    assert painted(tab, "displayed")[0] == 41
    tab.keyboard.press("j")
    assert tab.input_value("#moment") == "now"
    while painted(tab, "displayed")[0] != 149:
        page.push([rig.displayed(1149, 149), rig.decoded(1042, 1042 - 998.0)])
        tab.wait_for_timeout(20)
    wait_for_text(tab, "moment-of", "Displayed: as it happens. Decoded and error belong to frame")
    tab.keyboard.press("j")
    wait_for_text(tab, "moment-of", "All three pictures belong to frame")


def test_mask_and_degrees_are_drawn_over_all_pictures_and_can_be_hidden(
    page: PageServer, rig: Any, tab: Page
) -> None:
    send(page, rig, range(1040, 1043), tab)
    outline = [drawn_pixels(tab, f"{name}-overlay") for name in ("displayed", "decoded", "error")]
    assert min(outline) > 0
    tab.keyboard.press("d")
    assert drawn_pixels(tab, "displayed-overlay") > outline[0]
    for key in ("d", "m"):
        tab.keyboard.press(key)
    assert drawn_pixels(tab, "displayed-overlay") == 0


def test_a_run_without_mask_and_monitor_says_why_there_is_neither(rig: Any, tab: Page) -> None:
    for page in opened(rig, tab, screen=None):
        send(page, rig, range(1040, 1042), tab)
        assert tab.is_disabled("#mask-button")
        assert tab.is_disabled("#degrees-button")
        assert "no screen mask" in (tab.get_attribute("#mask-button", "title") or "")


def test_contrast_changes_what_is_painted_and_nothing_else(
    page: PageServer, rig: Any, tab: Page
) -> None:
    send(page, rig, range(1040, 1050), tab)
    assert painted(tab, "decoded")[0] == 51
    error = painted(tab, "error")
    tab.keyboard.press("c")
    assert tab.input_value("#contrast") == "1"
    assert painted(tab, "decoded")[0] == painted(tab, "displayed")[0] == 41
    assert painted(tab, "error") == error
    assert tab.text_content("#contrast-note") == "display only"


def test_the_values_under_the_pointer_are_stated_with_their_place(
    page: PageServer, rig: Any, tab: Page
) -> None:
    send(page, rig, range(1040, 1050), tab)
    tab.hover("#decoded-overlay", position={"x": 30, "y": 30})
    said = tab.text_content("#pixel") or ""
    assert said.startswith("row 4, column 4 · azimuth -52°, altitude 27° · displayed 41")
    assert "decoded 51 · error 10" in said
