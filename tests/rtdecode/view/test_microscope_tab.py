"""The Microscope tab in a real browser: it gets packets while it is open, and draws all of them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from chromium import wait_for_text
from playwright.sync_api import Page

from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.messages import Behaviour, Event, Fluorescence, Responses
from rtdecode.schema.microscope import FieldOfView, PlaneNeurons
from rtdecode.view.server import PageServer

pytestmark = pytest.mark.system
FIRST, NEURONS, SIDE = 30_000, 20, 40
BRIGHT = """([row, col]) => {
    const canvas = document.getElementById("rois");
    const fine = canvas.width / 40;
    const data = canvas.getContext("2d").getImageData(col * fine, row * fine, 1, 1).data;
    return [...data];
}"""


@pytest.fixture
def server(rig: Any) -> Iterator[tuple[PageServer, str]]:
    server = PageServer(ViewConfig(), frame_rate_hz=30.0, clock=rig.clock)
    try:
        yield server, server.start()
    finally:
        server.stop()


def neurons(plane: int = 0, *, rows: int = SIDE, places: bool = False) -> PlaneNeurons:
    """One ROI of 3 x 3 pixels in every second place of a grid; without rows ROI values."""
    centres = [(4 + 8 * (k // 5), 4 + 8 * (k % 5)) for k in range(NEURONS)] if rows else []
    pixels = [(r + i) * SIDE + c + j for r, c in centres for i in range(3) for j in range(3)]
    indptr = np.arange(NEURONS + 1, dtype=np.int32) * (9 if rows else 0)
    x = np.linspace(-1, 1, NEURONS if places else 0, dtype=np.float32)
    first = plane * NEURONS
    return PlaneNeurons(
        plane, first, rows, rows, indptr, np.array(pixels, np.int32), x, x, f"{plane}"
    )


def frame_of(rig: Any, frame: int, *, count: int = NEURONS) -> list[Any]:
    t_ns = round(frame * 1e9 / 30)
    activity = np.full(count, 0.01, np.float32)
    activity[[7, 12]] = 4 * (frame % 2)
    still = np.zeros(2, np.float32)
    valid = np.ones(count, bool)
    return [
        rig.received(Fluorescence(activity * 50 + 5, activity * 0, frame, t_ns, still)),
        rig.received(Responses(activity, valid, frame, t_ns, t_ns, t_ns, t_ns, t_ns)),
        rig.received(Behaviour(t_ns, 3.5, 41.0, still)),
    ]


def picture(frame: int, plane: int = 0) -> FieldOfView:
    grey = np.full((SIDE, SIDE), 90, np.uint8)
    return FieldOfView(grey, plane, frame, frame, 1, 12.0, 840.0)


def wait_for_frame(tab: Page, frame: int) -> None:
    tab.wait_for_function(
        "(frame) => document.getElementById('raster').dataset.frame === `${frame}`", arg=frame
    )


def test_the_tab_shows_cells_by_activity_and_the_traces_of_clicked_ones(
    server: tuple[PageServer, str], rig: Any, tab: Page
) -> None:
    page, address = server
    tab.goto(f"{address}#microscope")
    wait_for_text(tab, "title", "Waiting")
    page.push([rig.received(neurons()), rig.received(picture(FIRST))])
    for frame in range(FIRST, FIRST + 100):
        page.push(frame_of(rig, frame))
    wait_for_frame(tab, FIRST + 99)
    wait_for_text(tab, "field-scan", "scan 30,000, 12 to 840 counts")
    wait_for_text(tab, "order", "20 neurons, sorted by the row of their ROI")
    chips = tab.locator("#chosen button")
    assert chips.count() == 8
    assert {"Remove neuron 7", "Remove neuron 12"} <= {
        one.get_attribute("aria-label") for one in chips.all()
    }
    page.push(frame_of(rig, FIRST + 101))
    tab.wait_for_function(f"([at]) => ({BRIGHT})(at)[0] > 200", arg=[[12, 20]])
    quiet = tab.evaluate(BRIGHT, [4, 4])
    assert max(quiet[:3]) < 140
    assert tab.evaluate(BRIGHT, [0, 0])[3] == 0
    box = tab.locator("#field-view").bounding_box()
    assert box is not None
    at = {"x": box["width"] * 5.5 / SIDE, "y": box["height"] * 5.5 / SIDE}
    tab.hover("#field-view", position=at)
    wait_for_text(tab, "hovered", "Neuron 0: activity")
    tab.click("#field-view", position=at)
    wait_for_text(tab, "chosen", "8: 0 ×")
    tab.click("#chosen button >> nth=0")
    tab.wait_for_function("() => document.getElementById('chosen').children.length === 7")
    tab.fill("#add-neuron", "3")
    tab.keyboard.press("Enter")
    wait_for_text(tab, "chosen", "8: 3 ×")


def test_a_lost_field_of_view_is_stated_in_words_until_it_is_found(
    server: tuple[PageServer, str], rig: Any, tab: Page
) -> None:
    page, address = server
    tab.goto(f"{address}#microscope")
    page.push([rig.received(Event("alarm", "decoder", "field_lost", "field of view lost at 7"))])
    wait_for_text(tab, "field-lost", "Field of view lost at 7.")
    page.push([rig.received(Event("info", "decoder", "field_found", "found again at 9"))])
    tab.wait_for_function("() => document.getElementById('field-lost').hidden")


def test_planes_are_chosen_by_buttons(server: tuple[PageServer, str], rig: Any, tab: Page) -> None:
    page, address = server
    tab.goto(f"{address}#microscope")
    for plane in (0, 1):
        page.push([rig.received(neurons(plane)), rig.received(picture(plane, plane))])
    page.push(frame_of(rig, FIRST, count=2 * NEURONS))
    tab.click("#planes button >> nth=1")
    wait_for_text(tab, "field-scan", "scan 1,")
    pressed = [one.get_attribute("aria-pressed") for one in tab.locator("#planes button").all()]
    assert pressed == ["false", "true"]


@pytest.mark.parametrize(("places", "note"), [(True, "Dots are the places"), (False, "not known")])
def test_a_source_of_roi_values_is_said_to_have_no_picture(
    server: tuple[PageServer, str], rig: Any, tab: Page, places: bool, note: str
) -> None:
    page, address = server
    tab.goto(f"{address}#microscope")
    page.push([rig.received(neurons(rows=0, places=places)), *frame_of(rig, FIRST)])
    wait_for_text(tab, "field-note", note)
    wait_for_text(tab, "fluorescence-unit", "a.u.")
    assert tab.locator("#field-view").is_visible() is places
    assert not tab.locator("#shift-chart").is_visible()


def test_packets_come_while_the_tab_is_open_and_after_a_reconnection(rig: Any, tab: Page) -> None:
    first = PageServer(ViewConfig(), frame_rate_hz=30.0, clock=rig.clock)
    address = first.start()
    port = int(address.rsplit(":", 1)[1].strip("/"))
    try:
        tab.goto(address)
        wait_for_text(tab, "title", "Waiting")
        first.push(frame_of(rig, FIRST))
        tab.keyboard.press("2")
        wait_for_frame(tab, FIRST)  # what came before is sent when the tab opens
        tab.keyboard.press("1")
        first.push(frame_of(rig, FIRST + 1))
        wait_for_text(tab, "neurons", f"{NEURONS}")
        assert tab.evaluate("document.getElementById('raster').dataset.frame") == f"{FIRST}"
        tab.keyboard.press("2")
        wait_for_frame(tab, FIRST + 1)
    finally:
        first.stop()
    wait_for_text(tab, "title", "Disconnected")
    again = PageServer(ViewConfig(port=port), frame_rate_hz=30.0, clock=rig.clock)
    try:
        again.start()
        wait_for_text(tab, "title", "Waiting")
        again.push(frame_of(rig, FIRST + 500))
        wait_for_frame(tab, FIRST + 500)
    finally:
        again.stop()
