"""The process of the page reports its address, serves the page, and ends with the run."""

import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest
from websockets.sync.client import connect

from rtdecode.pipeline.view import PageStage, RefusalEvents, main, started_page
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    Event,
    Gap,
    Received,
    Responses,
    Stamped,
    Start,
)

GREY = np.full((36, 64), 128, np.uint8)
START = Start("session", config_yaml="", git_revision="", twin_hash="")


class Page:
    def __init__(self) -> None:
        self.shown: list[Received] = []

    def push(self, items: list[Received]) -> None:
        self.shown += items


def responses(frame: int, *, neurons: int) -> Responses:
    ones = np.ones(neurons, np.float32)
    return Responses(ones, ones > 0, frame, 0, 0, 0, 0, 0)


def test_all_is_handed_to_the_page_and_nothing_is_given_on() -> None:
    page = Page()
    shown: Body = DisplayedFrame("clip", 0, GREY, 0, 1)
    items = [Received(Stamped("stimulus", n, 0, "host", shown), n) for n in range(3)]
    assert list(PageStage(page).step(items)) == []  # type: ignore[arg-type]
    assert page.shown == items


def shown_of(*messages: Stamped) -> list[tuple[str, int]]:
    """What the page gets: (stream, number) of a message, (gap, missing messages) of a gap."""
    page = Page()
    PageStage(page).step([Received(message, message.t_ns) for message in messages])  # type: ignore[arg-type]
    found = (shown.message for shown in page.shown)
    return [
        ("gap", message.body.n_missing)
        if isinstance(message.body, Gap)
        else (message.body.kind, message.seq)
        for message in found
    ]


def displayed(seq: int) -> Stamped:
    return Stamped("stimulus", seq, 0, "host", DisplayedFrame("clip", seq, GREY, 0, 1))


def test_the_page_gets_each_frame_once_and_what_is_missing() -> None:
    shown = shown_of(displayed(0), displayed(1), displayed(1), displayed(4))
    kind = DisplayedFrame.kind
    assert shown == [(kind, 0), (kind, 1), ("gap", 2), (kind, 4)]


def test_a_page_that_began_later_states_what_was_sent_before() -> None:
    assert shown_of(displayed(7)) == [("gap", 7), (DisplayedFrame.kind, 7)]


def test_starts_that_the_recorder_publishes_again_count_nothing_twice() -> None:
    first, second = (Stamped("stimulus", 0, t_ns, "host", START) for t_ns in (1, 2))
    shown = shown_of(second, displayed(5), first, second, displayed(6))
    assert [n for name, n in shown if name == "gap"] == [5]


@pytest.mark.system
def test_the_page_is_served_before_the_run_starts_and_until_it_ends(
    tmp_path: Path, conducted: Any
) -> None:
    config = RunConfig(processes=(Role.RECORDER, Role.DECODER, Role.VIEW))
    with conducted(main, config, tmp_path) as scene:
        decoder, emit = scene.publisher("decoder"), scene.publisher("emit")
        scene.publisher("events")
        address = scene.go().detail
        with urlopen(address) as page:
            assert b"<canvas" in page.read()
        with connect(address.replace("http", "ws") + "live") as browser:
            assert json.loads(browser.recv(timeout=60))["history"] == []
            for outlet in (decoder, emit):
                outlet.start(START)
            decoder.push(responses(3, neurons=77))
            told = ({}, b"")
            while not (told[0].get("neurons") == 77 and told[1]):
                said = browser.recv(timeout=60)
                told = (told[0], said) if isinstance(said, bytes) else (json.loads(said), told[1])
            # an activity packet says: kind 2
            assert told[1][0] == 2
        assert scene.end() == 0
    with pytest.raises(URLError):
        urlopen(address)


def address_after_restart(before: str) -> str:
    process: Any = SimpleNamespace(
        config=RunConfig(),
        run_info=SimpleNamespace(
            session="", before_restart=before, token="of the run", page_secret="of the page"
        ),
        clock=HostClock(),
    )
    page, address = started_page(process)
    page.stop()
    return address


def test_after_a_restart_the_page_has_its_address_again_unless_that_is_taken() -> None:
    before = address_after_restart("")
    assert address_after_restart(before) == before
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"http://127.0.0.1:{other.getsockname()[1]}/"
        assert address_after_restart(taken) != taken


def test_refusals_are_an_event_a_minute_and_none_is_lost() -> None:
    sent: list[dict[str, float]] = []
    takes = False

    def offer(event: Event) -> bool:
        if takes:
            assert (event.severity, event.process, event.code) == (
                "warning",
                "view",
                "page_refused",
            )
            sent.append(event.counts)
        return takes

    refusals, minute_ns = RefusalEvents(offer), 60_000_000_000
    refusals.report({"refused": 0.0, "closed": 0.0, "browsers": 3.0}, t_ns=0)
    refusals.report({"refused": 2.0, "closed": 0.0}, t_ns=1)
    takes = True
    refusals.report({"refused": 3.0, "closed": 0.0}, t_ns=2)
    refusals.report({"refused": 9.0, "closed": 1.0}, t_ns=3)
    refusals.report({"refused": 9.0, "closed": 1.0}, t_ns=minute_ns + 2)
    refusals.report({"refused": 9.0, "closed": 1.0}, t_ns=3 * minute_ns)
    assert sent == [{"requests": 3}, {"requests": 6, "browsers": 1}]


@pytest.mark.system
def test_it_waits_only_for_those_who_take_part(tmp_path: Path, conducted: Any) -> None:
    config = RunConfig(processes=(Role.RECORDER, Role.BRIDGE, Role.VIEW))
    with conducted(main, config, tmp_path) as scene:
        for source in ("bridge", "events"):
            scene.publisher(source)
        assert scene.go().detail.startswith("http://127.0.0.1:")
        assert scene.end() == 0
