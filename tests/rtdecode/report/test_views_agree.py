"""Terminal, report, `--json`, `recover` and page state the same numbers for the same log."""

import json
import re
from collections import Counter
from html import unescape
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from written_run import WrittenRun

from rtdecode.commands.sessions import summarise_and_report
from rtdecode.report.summary import SessionSummary, summarise, write_summary
from rtdecode.runtime.config_file import write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.control import Acknowledgement, Action, Delivery
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    Event,
    Fluorescence,
    Gap,
    Reconstruction,
    Scan,
)
from rtdecode.session.layout import SessionLayout, session_at
from rtdecode.session.reader import LogReader
from rtdecode.session.recover import recover
from rtdecode.session.replay import RecordedClock
from rtdecode.view.packets import Flag, Slot
from rtdecode.view.page import Page

GOLDEN = Path(__file__).parents[2] / "golden" / "session_wire1"
GRID, FIRST, FRAMES = FrameGrid(30.0), 1000, 300
SCREEN = {"presenter": "headless", "rows_px": 6, "cols_px": 8, "clips": "clips"}
PIXELS = np.random.default_rng(0).integers(0, 255, (FRAMES, 6, 8)).astype(np.uint8)
KINDS = ("golden", "live", "faulty", "damaged", "truncated")
CONTROL = {"policy": "threshold", "outputs": [{"kind": "lsl", "name": "laser"}]}


def reconstruction(n: int, *, late: bool) -> Reconstruction:
    t_ns = GRID.start_ns(FIRST + n)
    return Reconstruction(
        luminance=PIXELS[n].astype(np.float32),
        uncertainty=np.zeros((6, 8), np.float32),
        frame=FIRST + n - 8,
        t_frame_mid_ns=t_ns - 280_000_000,
        t_scan_ns=t_ns - 90_000_000,
        t_scan_end_ns=t_ns - 60_000_000,
        t_received_ns=t_ns - 55_000_000,
        t_responses_ns=t_ns - 50_000_000,
        t_ready_ns=t_ns - 20_000_000,
        lag_frames=8,
        steps=3,
        objective=0.0,
        warm=True,
        late=late,
    )


def decided(n: int) -> list[tuple[str, Body]]:
    """At each 20th frame a command and a trigger with their effects, of which some fail."""
    if n % 20 != 10:
        return []
    t_ns = GRID.start_ns(FIRST + n)
    times = (t_ns - 280_000_000, t_ns - 90_000_000, t_ns - 20_000_000, t_ns - 10_000_000)
    cause = "emit/reconstruction", FIRST + n - 8
    names = ("show_clip", "clip"), ("trigger", "laser")
    command, trigger = (
        Action(2 * n + k, name, "threshold", "sent", *cause, *times, target=target)
        for k, (name, target) in enumerate(names)
    )
    result = ("applied", t_ns + n * 100_000) if n % 40 == 10 else ("refused", 0)
    flip = Acknowledgement(command.number, result[0], "show_clip", "clip", t_ns, result[1], n)
    error = "the port is gone" if n % 60 == 10 else ""
    delivery = Delivery(trigger.number, "laser", t_ns, 0.3 + n / 1000, error)
    return [
        ("controller", command),
        ("stimulus", flip),
        ("controller", trigger),
        ("controller", delivery),
    ]


def live(folder: Path, *, faulty: bool) -> SessionLayout:
    """Ten seconds; where `faulty`, with losses of known number in each layer."""
    config = RunConfig.model_validate({"stimulus": SCREEN, "control": CONTROL})
    run, counts = WrittenRun(folder, config), np.ones(3, np.float32)
    run.start("bridge", "stimulus", "decoder", "emit", "controller", frame=FIRST)
    for n in range(FRAMES):
        frame = FIRST + n
        down, lost = faulty and 100 <= n < 140, faulty and n % 50 == 7
        if n == 140 and faulty:
            restart = Event("warning", "decoder", "process_restarted", "it failed", {"restarts": 1})
            run.send("supervisor", restart, frame)
            run.start("decoder", "emit", frame=frame)
        run.send("stimulus", DisplayedFrame("clip", n, PIXELS[n], GRID.start_ns(frame), 1), frame)
        if n % 2 == 0:
            scan = Scan(np.zeros((6, 8), np.uint16), n // 2, 0, n, n + 1)
            run.send("bridge", scan, frame, arrives=n % 60 != 30 or not faulty)
            light = Fluorescence(counts, counts, n // 2, n, np.zeros(2, np.float32))
            if not down:
                run.send("decoder", light, frame)
        if n >= 8 and not down:
            late = faulty and 50 <= n < 80
            run.send("emit", reconstruction(n, late=late), frame, arrives=not lost)
        for source, body in decided(n):
            run.send(source, body, frame)
        if n % 100 == 99 and faulty:
            lost_scans = Event("warning", "bridge", "scans_lost", "scans were lost", {"scans": 4})
            run.send("bridge", lost_scans, frame)
            run.send("decoder", Gap("bridge/scan", n, 2, "decoder"), frame)
    return run.end()


def session_of_kind(kind: str, folder: Path) -> SessionLayout:
    if kind == "golden":
        session = session_at(Path(copytree(GOLDEN, folder / "s")))
        write_config(RunConfig.model_validate({"stimulus": SCREEN}), session.config)
        return session
    session = live(folder / "s", faulty=kind != "live")
    content = bytearray(session.log.read_bytes())
    if kind == "damaged":
        for part in (0.3, 0.6):
            content[round(part * len(content))] ^= 1
    if kind == "truncated":
        del content[round(0.7 * len(content)) :]
    session.log.write_bytes(content)
    return session


def page_status(session: SessionLayout) -> tuple[dict[str, Any], int]:
    """Status of a page that received the messages of the log, and its pictures with a frame."""
    clock = RecordedClock()
    page, pictures = Page(frame_rate_hz=30.0, clock=clock), 0
    for item in LogReader(session.log).messages():
        clock.sleep_until(item.t_received_ns)
        for packet in page.packets_of([item]):
            pictures += packet.slot is Slot.PICTURE and bool(packet.data[1] & Flag.DECODED)
    return page.status(), pictures


@pytest.fixture(params=KINDS)
def session(request: pytest.FixtureRequest, tmp_path: Path) -> SessionLayout:
    return session_of_kind(request.param, tmp_path)


def test_terminal_report_and_json_state_the_summary(session: SessionLayout, tmp_path: Path) -> None:
    with (tmp_path / "terminal").open("w", encoding="utf-8") as file:
        summary = summarise_and_report(session, Console(file=file))
    printed = (tmp_path / "terminal").read_text(encoding="utf-8").splitlines()
    assert [line for line in printed if line in summary.sentences()] == summary.sentences()
    html = (session.report / "index.html").read_text(encoding="utf-8")
    paragraphs = [unescape(text) for text in re.findall(r"<p>(.*?)</p>", html)]
    assert paragraphs[: len(summary.sentences())] == summary.sentences()
    write_summary(summary, tmp_path / "summary.json")
    figures = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert figures["messages"] == dict(summary.messages)
    assert figures["lost_by_stream"] == dict(summary.lost_by_stream)
    for name in ("frames_out", "late_frames", "frames_not_decoded", "scans_not_decoded"):
        assert figures[name] == getattr(summary, name)


def test_recover_counts_the_messages_of_the_summary(session: SessionLayout) -> None:
    before = summarise(session)
    report = recover(session.folder)
    assert report.counts == before.messages
    after = summarise(session)
    assert after.messages == before.messages
    assert [part.sentence(zero_ns=report.first_ns) for part in report.damage] == before.damage
    assert after.damage == before.damage
    assert losses_of(after) == losses_of(before)
    assert f"{sum(report.counts.values()):,} messages can be read" in after.sentences()[0]


def losses_of(summary: SessionSummary) -> tuple[object, ...]:
    return (
        summary.lost_scans,
        summary.lost_by_stream,
        summary.missed,
        summary.scans_not_decoded,
        summary.frames_not_decoded,
        summary.late_frames,
    )


def test_the_page_counts_as_the_summary_does(session: SessionLayout) -> None:
    summary, (status, pictures) = summarise(session), page_status(session)
    counters, losses = status["counters"], status["losses"]
    assert (counters["frames"], pictures) == (summary.frames_out, summary.frames_out)
    assert counters["late"] == summary.late_frames
    assert counters["fps_out"] == summary.fps_out
    assert counters["late_percent"] == summary.late_percent
    assert counters["frames_not_decoded"] == summary.frames_not_decoded
    assert losses["scans_lost"] == summary.lost_scans
    assert losses["missed"] == summary.missed
    unreadable = Counter[str]()
    for part in LogReader(session.log).summary().damage:
        unreadable.update(part.counts)
    lost = Counter(losses["lost_by_stream"])
    assert lost + unreadable == Counter(summary.lost_by_stream)
    listed: Counter[str] = Counter()
    for event in status["events"]:
        listed[event["code"]] += event["times"]
    assert listed == {event.code: event.times for event in summary.events}


def test_the_page_states_the_figures_of_the_closed_loop(session: SessionLayout) -> None:
    summary, (status, _) = summarise(session), page_status(session)
    written = json.loads(json.dumps(summary.as_json()))
    shown = json.loads(json.dumps(status["loop"]))
    assert shown == {name: written[name] for name in shown}


def test_the_figures_of_the_closed_loop_are_those_of_its_messages(tmp_path: Path) -> None:
    loop = summarise(session_of_kind("live", tmp_path)).loop
    assert loop.actions == {"show_clip": {"sent": 15}, "trigger": {"sent": 15}}
    assert loop.command_results == {"applied": 8, "refused": 7}
    assert (loop.deliveries, loop.failed_deliveries) == ({"laser": 10}, {"laser": 5})
    assert loop.reaction_ms is not None
    assert loop.content_age_ms is not None
    assert (loop.reaction_ms.n, loop.content_age_ms.n) == (8, 8)
    # the last flip is 29 ms after its message, whose newest scan was 90 ms before
    assert loop.reaction_ms.max == pytest.approx(90 + 29)
    assert loop.content_age_ms.max == pytest.approx(280 + 29)


def test_each_layer_has_the_number_that_was_injected(tmp_path: Path) -> None:
    summary = summarise(session_of_kind("faulty", tmp_path))
    assert summary.lost_scans == 12
    assert summary.lost_by_stream == {"bridge/scan": 5, "emit/reconstruction": 4}
    assert summary.missed == {"bridge/scan by decoder": 6}
    assert (summary.scans_not_decoded, summary.frames_not_decoded) == (20, 40)
    # frame 57 is among the thirty late ones, and its message is lost
    assert (summary.late_frames, summary.worst_late_frames) == (29, 29)
    sentences = summary.text()
    for part in ("20 of 145 scans", "40 frames between", "29 of", "12 scans, by its own numbers"):
        assert part in sentences


def test_frames_whose_messages_are_damaged_are_not_called_undecoded(tmp_path: Path) -> None:
    intact, damaged = (summarise(session_of_kind(k, tmp_path / k)) for k in ("faulty", "damaged"))
    assert damaged.lost_messages > intact.lost_messages
    assert damaged.frames_not_decoded == intact.frames_not_decoded
    assert damaged.scans_not_decoded == intact.scans_not_decoded
    assert not damaged.complete
