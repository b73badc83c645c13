"""A report shows what was measured, states what is missing, and loads nothing from elsewhere."""

import html
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread

from rtdecode.evaluate.latency import StageLatency
from rtdecode.evaluate.output_count import EventSum
from rtdecode.report.session_report import _draw_latency, _draw_score, write_session_report
from rtdecode.report.session_summary import SessionSummary
from rtdecode.schema.errors import ShapeError

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
DISPLAYED = np.random.default_rng(0).uniform(0, 255, (40, 36, 64)).astype(np.float32)
DECODED = np.where(np.arange(40)[:, None, None] < 10, np.nan, DISPLAYED * 0.5)


def test_picture_and_page_are_written(tmp_path: Path) -> None:
    picture, page = write_session_report(
        tmp_path / "report",
        summary=SUMMARY,
        displayed=DISPLAYED,
        decoded=DECODED,
        t_s=np.arange(40) / 30,
    )
    pixels = imread(io.BytesIO(picture.read_bytes()))
    assert pixels.shape[1] > 1500
    assert pixels[..., :3].std() > 0.1
    text = page.read_text(encoding="utf-8")
    assert "demo &lt;1&gt;" in text
    assert "<td>reconstruction</td><td>18.2</td><td>27.0</td><td>60.0</td>" in text
    for sentence in SUMMARY.sentences():
        assert f"<p>{html.escape(sentence)}</p>" in text
    assert "1,623 of 2,304 pixels of the screen mask" in text
    assert "all pixels" not in text
    assert "SSIM" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_a_session_without_frames_scores_or_latency_still_has_a_report(tmp_path: Path) -> None:
    nothing = np.full((5, 36, 64), np.nan)
    _, page = write_session_report(
        tmp_path, summary=NOTHING, displayed=nothing, decoded=nothing, t_s=np.arange(5.0)
    )
    text = page.read_text(encoding="utf-8")
    assert "<td>video r</td>" not in text
    assert "Latency in ms" not in text


def test_an_empty_panel_contradicts_no_figure_of_the_summary() -> None:
    """A replay has a score; its panel must not state that nothing was scored."""
    scored = replace(SUMMARY, video_r_over_time=())
    assert "Nothing was scored" not in panel_text(_draw_score, scored)
    assert "Nothing was scored" in panel_text(_draw_score, NOTHING)
    assert "No latency was measured" in panel_text(_draw_latency, NOTHING)
    assert "No latency was measured" not in panel_text(_draw_latency, SUMMARY)


def panel_text(draw: Callable[[Axes, SessionSummary], None], summary: SessionSummary) -> str:
    axes = Figure().subplots()
    draw(axes, summary)
    return " ".join(text.get_text() for text in axes.texts)


def test_videos_of_different_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="decoded must have the shape of the displayed frames"):
        write_session_report(
            tmp_path,
            summary=SUMMARY,
            displayed=DISPLAYED,
            decoded=DECODED[:30],
            t_s=np.arange(40.0),
        )


def test_texts_with_dollar_signs_and_tags_are_drawn_and_written_as_they_are(tmp_path: Path) -> None:
    text = "a <b>text</b> with $\\frac{ $ in it"
    event = EventSum("alarm", "bridge", "code^$_$", text, 1, {"n$": 1.0}, 0, 0)
    told = replace(SUMMARY, session="a$b_^c$", events=[event])
    video = np.zeros((2, 4, 6))
    _, page = write_session_report(
        tmp_path, summary=told, displayed=video, decoded=video, t_s=np.arange(2.0)
    )
    content = page.read_text(encoding="utf-8")
    assert html.escape(text) in content
    assert "<b>" not in content
