"""A report shows the decoded frames, or ROIs and traces where the config has no decoder."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from rtdecode.calcium.rois import rois_from_lists
from rtdecode.report.build import report_session
from rtdecode.report.collected import Collected
from rtdecode.report.summary import summarise
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.control import Trial
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Behaviour,
    Body,
    DisplayedFrame,
    Fluorescence,
    Received,
    Reconstruction,
    Scan,
    Stamped,
)
from rtdecode.session.layout import SessionLayout, named_session
from rtdecode.session.recorder import Recorder

GRID, FRAMES, FIRST = FrameGrid(30.0), 90, 1000
GREY = np.random.default_rng(0).integers(0, 255, (FRAMES, 6, 8)).astype(np.uint8)


def reconstruction(frame: int) -> Reconstruction:
    start_ns = GRID.start_ns(frame)
    return Reconstruction(
        luminance=GREY[frame - FIRST].astype(np.float32) / 2,
        uncertainty=np.zeros((6, 8), np.float32),
        frame=frame,
        t_frame_mid_ns=start_ns,
        t_scan_ns=start_ns,
        t_scan_end_ns=start_ns,
        t_received_ns=start_ns,
        t_responses_ns=start_ns,
        t_ready_ns=start_ns,
        lag_frames=8,
        steps=3,
        objective=0.0,
        warm=frame >= FIRST + 30,
        late=False,
    )


def shown_and_decoded() -> list[tuple[str, Body]]:
    stream: list[tuple[str, Body]] = []
    for n in range(FRAMES):
        shown = DisplayedFrame("clip", n, GREY[n], GRID.start_ns(FIRST + n), 1)
        stream += [("stimulus", shown), ("emit", reconstruction(FIRST + n))]
    return stream


def read_by_the_chain() -> list[tuple[str, Body]]:
    pixels = np.random.default_rng(1).poisson(50, (24, 20)).astype(np.uint16)
    counts, still = np.full(1, 50, np.float32), np.zeros(2, np.float32)
    stream: list[tuple[str, Body]] = []
    for n in range(8):
        stream.append(("bridge", Scan(pixels, n, 0, n, n + 1)))
        stream.append(("decoder", Fluorescence(counts + n, counts, n, n, still)))
    return stream


def session_of(folder: Path, bodies: list[tuple[str, Body]], **sections: object) -> SessionLayout:
    session = named_session(folder)
    screen = {"rows_px": 6, "cols_px": 8, "clips": folder}
    write_config(
        RunConfig.model_validate({"stimulus": screen, "evaluate": {"warm_up_s": 0.5}} | sections),
        session.config,
    )
    tape = Recorder(session.folder, flush_s=1.0, clock=HostClock())
    sent = Counter[str]()
    for number, (source, body) in enumerate(bodies):
        t_ns = GRID.start_ns(FIRST) + number * 10_000_000
        message = Stamped(source, sent[source], t_ns, "host", body)
        sent[source] += 1
        tape.write(pack(message), message, t_ns)
    tape.close()
    return session


def files(session: SessionLayout) -> set[str]:
    report_session(session, summarise(session))
    return {str(path.relative_to(session.report)) for path in session.report.rglob("*.*")}


def figures(*names: str) -> set[str]:
    return {f"figures/{name}.{ending}" for name in names for ending in ("png", "pdf")}


def test_a_decoded_session_gets_its_page_its_text_and_each_figure_twice(tmp_path: Path) -> None:
    session = session_of(tmp_path / "s", shown_and_decoded())
    assert files(session) == {"index.html", "summary.txt"} | figures(
        "reconstruction", "score_by_clip", "score_over_time"
    )
    words = (session.report / "summary.txt").read_text()
    assert words == summarise(session).text() + "\n"
    page = (session.report / "index.html").read_text(encoding="utf-8")
    assert page.count("<img") == page.count("<figcaption>") == 3
    pdf = (session.report / "figures" / "score_over_time.pdf").read_bytes()
    assert b"/Type0" in pdf or b"/TrueType" in pdf
    assert b"/Type3" not in pdf


def test_only_warm_frames_that_were_displayed_are_collected(tmp_path: Path) -> None:
    session = session_of(tmp_path / "s", shown_and_decoded()[: 2 * 80])
    collected = Collected(frame_rate_hz=30.0)
    summary = summarise(session, collected=collected)
    pairs = collected.even.kept
    assert sorted(pairs) == list(range(FIRST + 30, FIRST + 79))
    assert summary.frames_scored == len(pairs) - 15
    for frame, pair in pairs.items():
        np.testing.assert_array_equal(pair.displayed.luminance, GREY[frame - FIRST])
        decoded = GREY[frame - FIRST].astype(np.float32) / 2
        np.testing.assert_array_equal(pair.reconstruction.luminance, decoded)
    (row,) = collected.clips.rows()
    assert (row.clip, row.presentations, row.frames) == ("clip", 1, summary.frames_scored)
    assert row.video_r == pytest.approx(1)


def test_trials_beyond_those_that_are_kept_are_stated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtdecode.report.collected.MOST_TRIALS", 3)
    made = [("stimulus", Trial(n, "b", "grating", {}, n * 10, n * 10 + 5, 1)) for n in range(5)]
    session = session_of(tmp_path / "s", [*shown_and_decoded(), *made])
    collected = Collected(frame_rate_hz=30.0)
    page = report_session(session, summarise(session, collected=collected), collected=collected)
    assert (len(collected.trials), collected.trials_left_out) == (3, 2)
    text = page.read_text(encoding="utf-8")
    assert "The trials of the protocol (3) are in" in text
    assert "The 2 trials after these are not in the tables" in text


def test_a_session_without_a_decoder_gets_its_rois_and_traces(tmp_path: Path) -> None:
    session = session_of(tmp_path / "s", read_by_the_chain(), decode=None)
    rois_from_lists((24, 20), [(np.arange(45, 55), np.ones(10))]).save(session.folder / "masks.npz")
    assert files(session) == {"index.html", "summary.txt"} | figures("cells")
    picture = imread(session.report / "figures" / "cells.png")
    orange = (picture[..., 0] > 0.8) & (picture[..., 2] < 0.3)
    assert orange.sum() > 500
    page = (session.report / "index.html").read_text(encoding="utf-8")
    assert "<td>0</td><td>1</td><td>8</td>" in page


def test_a_session_without_rois_shows_traces_and_says_so(tmp_path: Path) -> None:
    session = session_of(tmp_path / "s", read_by_the_chain()[1:], decode=None)
    assert files(session) == {"index.html", "summary.txt"} | figures("cells")


@pytest.mark.parametrize("decode", [None, {}])
def test_an_empty_session_still_gets_a_report_that_says_what_is_missing(
    tmp_path: Path, decode: Any
) -> None:
    session = session_of(tmp_path / "s", [], **({} if decode is not None else {"decode": None}))
    assert files(session) == {"index.html", "summary.txt"}
    page = (session.report / "index.html").read_text(encoding="utf-8")
    assert page.count('class="missing"') >= 5


def test_a_report_is_written_elsewhere_and_leaves_the_session_alone(tmp_path: Path) -> None:
    session = session_of(tmp_path / "s", shown_and_decoded())
    before = sorted(session.folder.rglob("*"))
    page = report_session(session, summarise(session), folder=tmp_path / "out" / "here")
    assert page == tmp_path / "out" / "here" / "index.html"
    assert page.is_file()
    assert sorted(session.folder.rglob("*")) == before


def test_a_damaged_log_gets_a_report(tmp_path: Path) -> None:
    session = session_of(tmp_path / "s", [*shown_and_decoded(), *read_by_the_chain()])
    content = bytearray(session.log.read_bytes())
    for part in (0.3, 0.5, 0.7):
        content[round(part * len(content))] ^= 0xFF
    session.log.write_bytes(bytes(content[: round(0.9 * len(content))]))
    assert {"index.html", "summary.txt"} <= files(session)


def test_behaviour_is_binned_and_movement_thinned() -> None:
    collected = Collected(frame_rate_hz=30.0)
    counts, centre = np.ones(1, np.float32), np.zeros(2, np.float32)
    for n in range(9_000):
        sample = Behaviour(n * 100_000_000, float(n), math.nan, centre)
        scan = Fluorescence(counts, counts, n, n * 1_000, np.array([n, 0], np.float32))
        for seq, body in enumerate((sample, scan)):
            collected.add(Received(Stamped("x", seq, 0, "host", body), 0))
    t_s, means = collected.behaviour.means(zero_ns=0)
    assert len(t_s) <= 2_000
    assert collected.behaviour.samples == 9_000
    np.testing.assert_allclose(np.nanmean(means[:, 0]), np.mean(np.arange(9_000)), rtol=0.01)
    assert np.isnan(means[:, 1]).all()
    shifts = collected.shifts(0)
    assert shifts.seen == 9_000
    assert len(shifts.px) <= 4_000
    assert set(np.diff(shifts.px[:, 0])) == {float(shifts.every)}
