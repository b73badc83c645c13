"""A report shows the decoded frames, or ROIs and traces where the config has no decoder."""

from collections import Counter
from pathlib import Path

import numpy as np

from rtdecode.calcium.rois import rois_from_lists
from rtdecode.report import build as session_report
from rtdecode.report.build import report_session
from rtdecode.report.summary import summarise
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    Fluorescence,
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
    write_config(RunConfig.model_validate({"stimulus": screen} | sections), session.config)
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
    return {path.name for path in session.report.iterdir()}


def test_a_decoded_session_gets_picture_page_and_text(tmp_path: Path) -> None:
    session = session_of(tmp_path / "s", shown_and_decoded())
    assert files(session) == {"report.png", "index.html", "summary.txt"}
    words = (session.report / "summary.txt").read_text()
    assert words == summarise(session).text() + "\n"


def test_only_warm_frames_that_were_displayed_are_drawn(tmp_path: Path) -> None:
    session = session_of(tmp_path / "s", shown_and_decoded()[: 2 * 80])
    even = session_report._even_pairs(session, 30.0)
    # every 15th frame of the grid, from the first warm one on
    frames = [k - FIRST for k in range(FIRST + 30, FIRST + 80) if k % 15 == 0]
    assert even.every == 15
    np.testing.assert_array_equal(
        [p.displayed.luminance for p in even.pairs.values()], GREY[frames]
    )
    decoded = [pair.reconstruction.luminance for pair in even.pairs.values()]
    np.testing.assert_array_equal(decoded, GREY[frames].astype(np.float32) / 2)


def test_a_session_without_a_decoder_gets_its_rois_and_traces(tmp_path: Path) -> None:
    session = session_of(tmp_path / "s", read_by_the_chain(), decode=None)
    rois_from_lists((24, 20), [(np.arange(45, 55), np.ones(10))]).save(session.folder / "masks.npz")
    assert files(session) == {"calcium.png", "index.html", "summary.txt"}


def test_an_empty_session_still_gets_a_report(tmp_path: Path) -> None:
    session = session_of(tmp_path / "s", [], decode=None)
    assert files(session) == {"report.png", "index.html", "summary.txt"}
