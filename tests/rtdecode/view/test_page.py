"""Pictures of one frame are sent together, and the status follows from the messages."""

import json
import math
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rtdecode.schema.evaluation import ResponsePrediction
from rtdecode.schema.messages import DisplayedFrame, End, Gap, Score
from rtdecode.view.packets import Flag, Packet, Slot
from rtdecode.view.page import Page

PIXELS = 36 * 64
GRID_NS = 1_000_000_000 // 30


@pytest.fixture
def page(rig: Any) -> Page:
    return Page(frame_rate_hz=30.0, clock=rig.clock)


def pictures(packets: list[Packet]) -> list[tuple[int, Flag, int, int, int]]:
    """Frame, flags and the first pixel of each plane."""
    found = []
    for packet in packets:
        if packet.slot is Slot.PICTURE:
            planes = [packet.data[24 + k * PIXELS] for k in range(3)]
            found.append((packet.frame, Flag(packet.data[1]), planes[0], planes[1], planes[2]))
    return found


def test_displayed_and_decoded_frame_of_one_grid_frame_are_sent_together(
    page: Page, rig: Any
) -> None:
    items = [rig.decoded(99, 1.0)]
    for frame in range(100, 120):
        items.append(rig.displayed(frame, level=frame))
        items.append(rig.decoded(frame - 8, level=frame - 8 + 50))
    both = Flag.DISPLAYED | Flag.DECODED | Flag.WARM | Flag.UNCERTAINTY
    aligned = [
        picture for picture in pictures(page.packets_of(items)) if Flag.DISPLAYED in picture[1]
    ]
    assert aligned == [(k, both, k, k + 50, 7) for k in range(100, 112)]


def test_displayed_frames_are_sent_alone_until_the_first_reconstruction(
    page: Page, rig: Any
) -> None:
    packets = page.packets_of([rig.displayed(frame, level=5) for frame in range(100, 104)])
    assert [(p[0], p[1]) for p in pictures(packets)] == [
        (k, Flag.DISPLAYED) for k in (100, 101, 102)
    ]
    page.packets_of([rig.decoded(100, 1.0)])
    assert pictures(page.packets_of([rig.displayed(104, level=5)])) == []


def test_a_displayed_frame_of_another_size_is_not_paired_with_a_reconstruction(
    page: Page, rig: Any
) -> None:
    small = DisplayedFrame("c", 0, np.zeros((18, 32), np.uint8), GRID_NS * 100, flips=2)
    page.packets_of([rig.received(small), rig.received(replace(small, t_flip_ns=GRID_NS * 103))])
    ((_, flags, *_),) = pictures(page.packets_of([rig.decoded(101, 1.0)]))
    assert Flag.DISPLAYED not in flags


def test_latency_to_the_page_ends_when_a_browser_has_drawn(page: Page, rig: Any) -> None:
    page.packets_of([rig.decoded(100, 1.0)])
    rig.clock.t_ns += 12_000_000
    page.acknowledge(100)
    rig.clock.t_ns += 500_000_000
    page.acknowledge(100)  # a second browser, later
    page.acknowledge(77)  # a frame that was never sent
    latency = page.status()["latency_ms"]
    assert latency["page"] == {"p50": 12, "p99": 12}
    assert latency["screen_to_page"] == {"p50": 312, "p99": 312}
    spans = {name: latency[name]["p50"] for name in ("scan", "transport", "calcium", "decode")}
    assert spans == {"scan": 30, "transport": 1, "calcium": 9, "decode": 20}
    assert latency["pacing"]["p50"] == 40


def test_counters_and_status_follow_the_messages(page: Page, rig: Any) -> None:
    assert page.status()["title"] == "Waiting"
    for frame in range(100, 160):
        rig.clock.t_ns += 33_333_333
        page.packets_of([rig.responses(frame), rig.decoded(frame, 1.0, warm=frame > 130)])
        assert page.status()["title"] == ("Live" if frame > 130 else "Warming up")
    status = page.status()
    assert status["fps"] == pytest.approx(30, abs=0.1)
    assert (status["neurons"], status["counters"]["frames"]) == (120, 60)
    page.packets_of([rig.received(Gap("bridge/scan", 4, 2, "recorder"))])
    assert page.status()["title"] == "Lost data"
    assert page.status()["losses"]["lost_by_stream"] == {"bridge/scan": 2}
    rig.clock.t_ns += 3_000_000_000
    assert page.status()["title"] == "Stale"
    assert page.status()["fps"] == 0
    page.packets_of([rig.received(End("s", "stopped"))])
    assert page.status()["title"] == "Ended"


def test_reconstructions_that_arrive_at_once_are_not_thousands_a_second(
    page: Page, rig: Any
) -> None:
    rig.clock.t_ns += 60 * 1_000_000_000
    page.packets_of([rig.decoded(frame, 100.0) for frame in range(1000, 1002)])
    rig.clock.t_ns += 10 * 1_000_000_000
    page.packets_of([rig.decoded(frame, 100.0) for frame in range(1002, 1032)])
    assert 0 < page.status()["fps"] < 60


def test_scores_are_kept_for_browsers_that_connect_later(page: Page, rig: Any) -> None:
    for r in (0.5, float("nan")):
        page.packets_of([rig.received(Score(r, 0.4, 0.3, 10.0, 10.0, 300, final=False))])
    history = json.loads(json.dumps(page.history(), allow_nan=False))
    assert [score["video_r"] for score in history] == [0.5, None]
    assert page.status()["score"]["frame_r"] == 0.4


def test_the_newest_twin_check_is_in_the_status(page: Page, rig: Any) -> None:
    assert page.status()["twin_check"] is None
    figures = {"n_neurons": 9, "n_frames": 600, "window_s": 20.0, "frame": 700, "every": 1}
    for r, verdict in ((math.nan, "too few frames"), (0.31, "match")):
        body = ResponsePrediction(r=r, r_training=0.33, r_expected=0.35, verdict=verdict, **figures)
        page.packets_of([rig.received(body)])
        found = page.status()["twin_check"]
        assert found["r"] == (None if math.isnan(r) else r)
        assert (found["r_training"], found["verdict"]) == (0.33, verdict)


def test_activity_becomes_one_column_a_frame(page: Page, rig: Any) -> None:
    (packet,) = page.packets_of([rig.responses(100)])
    assert packet.slot is Slot.ACTIVITY
    assert struct.unpack("<BBHId", packet.data[:16]) == (2, 0, 96, 120, 100.0)


def test_memory_stays_flat(page: Page, rig: Any) -> None:
    for frame in range(1500):
        page.packets_of([rig.displayed(frame, level=1)])
        page.packets_of([rig.decoded(frame - 800, 1.0)])
    assert len(page._displayed) <= 300
    assert len(page._sent_ns) <= 450
