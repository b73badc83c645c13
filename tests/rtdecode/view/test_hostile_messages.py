"""Whatever a process of the run states, the page sends valid JSON and whole packets, in bounds."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtdecode.schema.control import Action, Delivery
from rtdecode.schema.evaluation import ResponsePrediction
from rtdecode.schema.messages import (
    Body,
    End,
    Event,
    Health,
    Received,
    Reconstruction,
    Score,
    Start,
)
from rtdecode.view.page import Page

FLOATS = st.sampled_from([math.nan, math.inf, -math.inf, 1e308, -1e308, 0.0])
TEXTS = st.sampled_from(["", "armed", "\x1b[2J", "x" * 20_000])
COUNTERS = st.dictionaries(
    st.sampled_from(
        "armed actions withheld dead_man_left_s recorder_backlog_mb log_mb disk_free_mb "
        "disk_minutes_left scans frames_shown".split()
    ),
    FLOATS,
)
INTS = st.sampled_from([0, -1, 2**53, -(2**53)])
BODIES = (
    st.builds(Health, TEXTS, TEXTS, COUNTERS)
    | st.builds(Event, TEXTS, TEXTS, TEXTS, TEXTS, COUNTERS)
    | st.builds(End, TEXTS, TEXTS)
    | st.builds(Start, TEXTS, TEXTS, TEXTS, TEXTS)
    | st.builds(Score, FLOATS, FLOATS, FLOATS, FLOATS, FLOATS, INTS, st.booleans())
    | st.builds(ResponsePrediction, FLOATS, FLOATS, FLOATS, TEXTS, INTS, INTS, FLOATS, INTS, INTS)
    | st.builds(Delivery, INTS, TEXTS, INTS, FLOATS, TEXTS)
    | st.builds(
        Action, INTS, TEXTS, TEXTS, TEXTS, TEXTS, INTS, INTS, INTS, INTS, INTS, TEXTS, FLOATS
    )
)


@pytest.fixture
def page(rig: Any) -> Page:
    return Page(frame_rate_hz=30.0, clock=rig.clock)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(
    bodies=st.lists(BODIES, max_size=5),
    sources=st.sampled_from(["controller", "events", "bridge", "x"]),
)
def test_the_status_is_valid_json_after_any_messages(
    rig: Any, bodies: list[Body], sources: str
) -> None:
    page = Page(frame_rate_hz=30.0, clock=rig.clock)
    items = [rig.received(body) for body in bodies]
    page.packets_of([_from(item, sources) for item in items])
    json.dumps([page.status(), page.history()], allow_nan=False)


def _from(item: Received, source: str) -> Received:
    return replace(item, message=replace(item.message, source=source))


@pytest.mark.parametrize("lag", [2**53, -(2**53)])
def test_a_packet_has_three_planes_of_one_size_whatever_the_reconstruction_states(
    page: Page, rig: Any, lag: int
) -> None:
    item = rig.decoded(100, 1.0)
    body = item.message.body
    assert isinstance(body, Reconstruction)
    odd = replace(body, uncertainty=np.ones((2, 5), np.float32), lag_frames=lag)
    [packet] = page.packets_of([rig.received(odd)])
    assert len(packet.data) == 24 + 3 * 36 * 64


def test_thousands_of_alarms_and_processes_leave_a_short_status(page: Page, rig: Any) -> None:
    for n in range(5_000):
        event = rig.received(Event("alarm", f"process {n}", f"code {n}", "text"))
        health = _from(rig.received(Health("running", "", {"a": 1.0})), f"source {n}")
        page.packets_of([event, health])
    status = page.status()
    assert len(status["alarms"]) <= 50
    assert len(json.dumps(status)) < 100_000
