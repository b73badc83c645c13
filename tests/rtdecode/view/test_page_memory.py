"""A browser that shows the Microscope tab draws all that comes, and its memory does not grow."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import CDPSession, Page

from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.messages import Behaviour, Fluorescence, Responses
from rtdecode.schema.microscope import FieldOfView
from rtdecode.view.server import PageServer

pytestmark = pytest.mark.system
NEURONS, SIDE, KEPT = 300, 64, 600


@pytest.fixture
def server(rig: Any) -> Iterator[tuple[PageServer, str]]:
    server = PageServer(ViewConfig(), frame_rate_hz=30.0, clock=rig.clock)
    try:
        yield server, server.start()
    finally:
        server.stop()


def frames_of(rig: Any, frames: range) -> Iterator[list[Any]]:
    rng, still = np.random.default_rng(0), np.zeros(2, np.float32)
    for frame in frames:
        t_ns = round(frame * 1e9 / 30)
        activity = rng.gamma(1, 1, NEURONS).astype(np.float32)
        grey = rng.integers(0, 256, (SIDE, SIDE)).astype(np.uint8)
        yield [
            rig.received(FieldOfView(grey, 0, frame, t_ns, 1, 0.0, 255.0)),
            rig.received(Fluorescence(activity, activity, frame, t_ns, still)),
            rig.received(Responses(activity, activity > 0, frame, t_ns, t_ns, t_ns, t_ns, t_ns)),
            rig.received(Behaviour(t_ns, 1.0, 2.0, still)),
            rig.decoded(frame - 8, 100.0),
        ]


def drawn(page: PageServer, rig: Any, tab: Page, frames: range) -> None:
    """Push `frames`, and wait until the newest one is drawn, at least once in 20 frames."""
    for frame, items in zip(frames, frames_of(rig, frames), strict=True):
        page.push(items)
        if frame % 20 == 0 or frame == frames[-1]:
            tab.wait_for_function(
                "(f) => document.getElementById('raster').dataset.frame === `${f}`", arg=frame
            )


def memory(protocol: CDPSession) -> dict[str, float]:
    protocol.send("HeapProfiler.collectGarbage")
    nodes: dict[str, float] = protocol.send("Memory.getDOMCounters")
    heap: dict[str, float] = protocol.send("Runtime.getHeapUsage")
    return nodes | heap


def test_all_frames_are_drawn_or_replaced_and_memory_stays(
    server: tuple[PageServer, str], rig: Any, tab: Page
) -> None:
    page, address = server
    tab.goto(f"{address}#microscope")
    protocol = tab.context.new_cdp_session(tab)
    first = 30_000
    drawn(page, rig, tab, range(first, first + KEPT + 60))
    before = memory(protocol)
    drawn(page, rig, tab, range(first + KEPT + 60, first + 2 * KEPT + 60))
    after = memory(protocol)
    assert after["nodes"] <= before["nodes"] + 20
    assert after["usedSize"] - before["usedSize"] < 1e6
    # the memory of typed arrays
    assert after["backingStorageSize"] - before["backingStorageSize"] < 1e6
    assert tab.locator("#chosen button").count() == 8
