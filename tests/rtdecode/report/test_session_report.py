"""A report shows what was measured, states what is missing, and loads nothing from elsewhere."""

import html
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtdecode.evaluate.latency import StageLatency
from rtdecode.evaluate.output_count import EventSum
from rtdecode.report.collected import Collected
from rtdecode.report.loss_table import loss_rows
from rtdecode.report.session_report import MoreParts, write_page
from rtdecode.report.session_summary import SessionSummary
from rtdecode.report.timing_answer import timing_answer
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.stimulus import Presenter
from rtdecode.schema.wall_clock import WallClock
from rtdecode.session.notes import LaterNote

STAGE = StageLatency(p50=18.25, p99=27.0, max=60.0, n=300)
SUMMARY = SessionSummary(
    session="demo <1>",
    complete=True,
    seconds=60.2,
    decoder=True,
    decoder_started=True,
    frames_out=1790,
    fps_out=30.0,
    late_percent=0.3,
    lost_scans=0,
    events=[],
    lost_messages=0,
    lost_by_stream={},
    video_r=0.62,
    frame_r=0.55,
    ssim=None,
    shift_ms=12.0,
    frames_scored=1700,
    scored_pixels=1623,
    screen_pixels=2304,
    leaked_clips=(),
    lag_frames=8,
    frames_left_out=0,
    neurons_left_out=0,
    stages_ms={"decode": STAGE, "screen_to_output": STAGE, "unheard_of": STAGE},
    video_r_over_time=[(1.0, 0.5), (2.0, None), (3.0, 0.6)],
    messages={},
    environment={},
)
NOTHING = replace(
    SUMMARY, frames_out=0, fps_out=0.0, video_r=None, stages_ms={}, video_r_over_time=()
)
CONFIG = RunConfig.model_validate(
    {
        "stimulus": {"rows_px": 6, "cols_px": 8, "clips": "clips"},
        "session": {
            "animal": {"id": "m-204", "born": "2026-11-16"},
            "experimenter": ["Doe, Jane"],
            "protocol": "2026-17",
        },
    }
)
MASK = np.arange(48).reshape(6, 8) < 20


def page_of(folder: Path, summary: SessionSummary, more: MoreParts = MoreParts()) -> str:  # noqa: B008 - frozen
    folder.mkdir(exist_ok=True)
    empty = Collected(frame_rate_hz=30.0)
    page = write_page(folder, summary, empty, CONFIG, mask=MASK, more=more)
    return page.read_text(encoding="utf-8")


def test_the_page_has_sentences_tables_and_names(tmp_path: Path) -> None:
    clock = WallClock(utc_ns=1_795_000_000 * 10**9, t_ns=5)
    text = page_of(tmp_path / "report", replace(SUMMARY, first_ns=5, wall_clock=clock))
    assert "demo &lt;1&gt;" in text
    assert "<td>reconstruction</td><td>18.2</td><td>27.0</td><td>60.0</td>" in text
    for sentence in SUMMARY.sentences()[1:]:
        assert f"<p>{html.escape(sentence)}</p>" in text
    assert "1,623 of 2,304 pixels of the screen mask" in text
    assert "all pixels" not in text
    assert "SSIM" not in text
    assert "http" not in text.replace("http-equiv", "")
    for known in ("m-204", "Doe, Jane", "2026-17", "2026-11-18"):
        assert known in text
    assert "2 days" in text


def test_a_session_without_frames_scores_or_latency_says_what_is_missing(tmp_path: Path) -> None:
    text = page_of(tmp_path, NOTHING)
    assert "<td>video r</td>" not in text
    assert "Latency in ms" not in text
    missing = re.findall(r'<p class="missing">(.*?)</p>', text)
    for part in ("No frames are shown: nothing was decoded", "No latency", "No behaviour"):
        assert any(one.startswith(part) for one in missing), missing


def test_figures_of_decoding_are_absent_without_a_decoder(tmp_path: Path) -> None:
    text = page_of(tmp_path, replace(NOTHING, decoder=False))
    figures = text[text.index('id="figures"') : text.index("</table>", text.index('id="figures"'))]
    assert re.findall(r"<tr><td>(.*?)</td>", figures) == [
        "scans lost by the microscope",
        "messages that the log lacks",
    ]


def test_a_score_without_a_running_score_is_not_called_missing(tmp_path: Path) -> None:
    """A replay has a score; its page must not state that nothing was scored."""
    text = page_of(tmp_path, replace(SUMMARY, video_r_over_time=()))
    assert "too short for a running score" in text
    assert "No latency" not in text


def test_texts_with_dollar_signs_and_tags_are_drawn_and_written_as_they_are(tmp_path: Path) -> None:
    text = "a <b>text</b> with $\\frac{ $ in it"
    event = EventSum("alarm", "bridge", "code^$_$", text, 1, {"n$": 1.0}, 0, 0)
    note = LaterNote(datetime(2026, 11, 30, 12, tzinfo=UTC), "it was $ <i>night</i>")
    told = replace(SUMMARY, session="a$b_^c$", events=[event], later_notes=[note])
    content = page_of(tmp_path, told)
    assert html.escape(text) in content
    assert html.escape(note.text) in content
    assert "<b>" not in content


def test_a_table_that_is_all_of_its_section_is_named_once(tmp_path: Path) -> None:
    text = page_of(tmp_path, SUMMARY)
    headings = re.findall(r"<h2.*?>(.*?)</h2>", text)
    assert not set(headings) & set(re.findall("<caption>(.*?)</caption>", text))
    assert 'aria-label="Who and when"' in text


@pytest.mark.parametrize(("shed", "part"), [(10, ", all of them"), (4, ", 4 of them"), (0, "")])
def test_frames_that_an_overload_left_out_are_part_of_those_not_decoded(
    shed: int, part: str
) -> None:
    stated = replace(SUMMARY, frames_not_decoded=10, frames_shed=shed).sentences()
    (sentence,) = [one for one in stated if one.startswith("10 frames between")]
    assert sentence.removesuffix(".").endswith(
        f"were not decoded{part} because the decoder was overloaded" if part else "not decoded"
    )


def test_losses_have_four_layers_with_their_meaning() -> None:
    lossy = replace(
        SUMMARY, lost_scans=2, scans=98, lost_messages=3, lost_by_stream={"bridge/scan": 3},
        frames_not_decoded=10, frames_shed=4, late_frames=179, messages={"bridge/scan": 97},
    )  # fmt: skip
    rows = {row[0]: row[1:] for row in loss_rows(lossy)}
    assert rows["scans lost by the microscope"][:2] == ["2 (2.00 %)", "100"]
    assert "3 of bridge/scan" in rows["messages that the log lacks"][2]
    assert "4 of them left out in overload" in rows["frames not decoded"][2]
    assert rows["frames late"][0] == "179 (10 %)"
    without = {row[0] for row in loss_rows(replace(lossy, decoder=False))}
    assert len(without) == 2


def test_the_twin_is_named_with_its_score_and_another_one_in_the_log_is_stated(
    tmp_path: Path,
) -> None:
    facts = {"twin": {"name": "mouse7", "hash": "0a1b", "training_r": 0.31, "clips": 40}}
    text = page_of(tmp_path, SUMMARY, MoreParts(facts=facts, twin_hash="ffff"))
    for known in ("mouse7", "0a1b", "single-trial r 0.31", "40 clips", "hash ffff"):
        assert known in text


@pytest.mark.parametrize(
    ("changed", "verdict", "says"),
    [
        ({}, "part", "not measured: the delay from flip to light"),
        ({"late_percent": 4.0}, "no", "4.0 % of the frames were late"),
        ({"frames_not_decoded": 5}, "no", "5 frames were not decoded"),
        ({"late_percent": None}, "part", "a replay does not time it"),
    ],
)
def test_the_question_of_timing_gets_one_sentence(
    changed: dict[str, Any], verdict: str, says: str
) -> None:
    answer = timing_answer(replace(SUMMARY, **changed), CONFIG)
    assert answer.verdict == verdict
    assert answer.sentence.startswith("Was timing right?")
    assert says in answer.sentence


def test_timing_is_right_where_everything_was_measured() -> None:
    stimulus = CONFIG.stimulus.model_copy(update={"light_delay_ms": 12.5})
    answer = timing_answer(SUMMARY, CONFIG.model_copy(update={"stimulus": stimulus}))
    assert answer.verdict == "yes"
    assert "light 12.5 ms after the flip" in answer.sentence
    headless = stimulus.model_copy(update={"presenter": Presenter.HEADLESS, "light_delay_ms": 0.0})
    unknown = timing_answer(NOTHING, CONFIG.model_copy(update={"stimulus": headless}))
    assert unknown.verdict == "part"
    assert "Not known" in unknown.sentence
