"""`rtdecode report` builds the page again; what an offline estimate lacks is said in it."""

from pathlib import Path

import numpy as np
import pytest
from chromium import browser, serious_violations, tab
from playwright.sync_api import Page
from typer.testing import CliRunner
from written_run import WrittenRun

from rtdecode.commands.report import app
from rtdecode.evaluate.metrics import video_r
from rtdecode.report.figure_files import ReportFigure, new_figure, styled, written
from rtdecode.report.identity import twin_rows
from rtdecode.report.offline_section import comparison_figure
from rtdecode.report.online_offline import ComparedClip
from rtdecode.schema.config import RunConfig
from rtdecode.schema.messages import DisplayedFrame, Event
from rtdecode.schema.notes import note_event
from rtdecode.session.layout import SessionLayout

SCREEN = {"presenter": "headless", "rows_px": 6, "cols_px": 8, "clips": "clips"}
ANIMAL = {"animal": {"id": "m-1"}, "experimenter": ["Doe, Jane"]}
CONFIG = RunConfig.model_validate({"decode": None, "stimulus": SCREEN, "session": ANIMAL})
MASK = np.ones((6, 8), bool)
RNG = np.random.default_rng(4)
__all__ = ["browser", "tab"]


@pytest.fixture
def session(tmp_path: Path) -> SessionLayout:
    run = WrittenRun(tmp_path / "s", CONFIG)
    run.start("supervisor", "stimulus", frame=100)
    for n in range(40):
        grey = RNG.integers(0, 255, (6, 8)).astype(np.uint8)
        run.send(
            "stimulus", DisplayedFrame("clip", n, grey, run.grid.start_ns(101 + n), 1), 101 + n
        )
    run.send("supervisor", note_event("eye closed\nand open", process="supervisor"), 120)
    run.send("stimulus", Event("warning", "stimulus", "flip_missed", "late", {"refreshes": 2}), 130)
    return run.end()


def test_a_report_is_written_where_it_is_asked_for(session: SessionLayout, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(app, [str(session.folder), "--out", str(out), "--offline"])
    assert result.exit_code == 0, result.output
    assert f"report: {out / 'index.html'}" in result.output
    assert "no offline estimate: set decode.twin" in result.output
    page = (out / "index.html").read_text(encoding="utf-8")
    for part in ("m-1", "Doe, Jane", "eye closed\nand open", "missed refreshes of the screen: 2"):
        assert part in page
    assert "The offline estimate was not computed: set decode.twin" in page


def test_the_page_has_no_serious_fault_for_those_who_cannot_see_it(
    session: SessionLayout, tmp_path: Path, tab: Page
) -> None:
    result = CliRunner().invoke(app, [str(session.folder), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    tab.goto((tmp_path / "out" / "index.html").as_uri())
    assert serious_violations(tab) == []


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_folder_without_a_session_and_a_file_as_folder_are_refused(
    session: SessionLayout, tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").write_text("x")
    arguments = [str(tmp_path / "missing")]
    if name == "file":
        arguments = [str(session.folder), "--out", str(tmp_path / "file")]
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_a_figure_is_written_for_the_page_and_for_print(tmp_path: Path) -> None:
    with styled():
        figure = new_figure(height=1.0)
        figure.subplots().set_xlabel("time (s)")
        page = written(ReportFigure("name", figure, "a <b>", "c & d"), tmp_path)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"name.png", "name.pdf"}
    pdf = (tmp_path / "figures" / "name.pdf").read_bytes()
    assert b"/Type3" not in pdf
    assert "a &lt;b&gt;" in page
    assert "c &amp; d" in page


def test_online_and_offline_are_compared_on_frames_that_were_decoded_live() -> None:
    shown = RNG.uniform(0, 255, (20, 6, 8)).astype(np.float32)
    online = np.where(np.arange(20)[:, None, None] < 5, np.nan, 0.5 * shown).astype(np.float32)
    offline = (shown + RNG.normal(0, 30, shown.shape)).astype(np.float32)
    one = ComparedClip("clip", 1.0, shown, online, offline, np.arange(20) / 30, 0)
    live, after, both = one.scores(MASK)
    assert live == pytest.approx(1)
    assert after == both == pytest.approx(video_r(shown[5:], offline[5:], MASK))
    assert one.compared == 15
    figure = comparison_figure([one], MASK)
    assert [line.get_label() for line in figure.axes[-1].lines] == ["online", "offline"]


def test_a_config_without_a_decoder_names_no_twin() -> None:
    assert twin_rows({}, "", CONFIG) == []
