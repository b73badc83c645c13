"""A report shows what was measured, says what is missing, and needs nothing from elsewhere."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from rtdecode.report.session_report import in_words, write_session_report
from rtdecode.schema.errors import ShapeError

STAGE = {"p50": 18.25, "p99": 27.0, "max": 60.0, "n": 300}
SUMMARY: Mapping[str, Any] = {
    "session": "demo <1>",
    "seconds": 60.2,
    "fps_out": 30.0,
    "late_percent": 0.3,
    "lost_messages": 0,
    "video_r": 0.62,
    "frame_r": 0.55,
    "ssim": None,
    "shift_ms": 12.0,
    "lag_frames": 8,
    "frames_scored": 1700,
    "stages_ms": {"decode": STAGE, "screen_to_output": STAGE, "unheard_of": STAGE},
}
TRUTH = np.random.default_rng(0).uniform(0, 255, (40, 36, 64)).astype(np.float32)
DECODED = np.where(np.arange(40)[:, None, None] < 10, np.nan, TRUTH * 0.5)


def test_picture_and_page_are_written(tmp_path: Path) -> None:
    picture, page = write_session_report(
        tmp_path / "report",
        summary=SUMMARY,
        truth=TRUTH,
        reconstruction=DECODED,
        scores=[(1.0, 0.5), (2.0, float("nan")), (3.0, 0.6)],
    )
    pixels = imread(io.BytesIO(picture.read_bytes()))
    assert pixels.shape[1] > 1500
    assert pixels[..., :3].std() > 0.1
    text = page.read_text(encoding="utf-8")
    assert "demo &lt;1&gt;" in text
    assert "<td>reconstruction</td><td>18.2</td><td>27.0</td><td>60.0</td>" in text
    assert "correlation of 0.62" in text
    assert "SSIM" not in text
    assert "http" not in text.replace("data:image/png;base64", "")


def test_a_session_without_truth_scores_or_latency_still_has_a_report(tmp_path: Path) -> None:
    nothing = np.full((5, 36, 64), np.nan)
    _, page = write_session_report(
        tmp_path, summary={"session": "x"}, truth=nothing, reconstruction=nothing
    )
    assert "<table>" not in page.read_text(encoding="utf-8")


def test_words_say_only_what_is_known() -> None:
    assert in_words({}) == []
    assert in_words({"seconds": 9.0, "lost_messages": 3, "video_r": None}) == [
        "9 s were recorded; 3 messages were lost."
    ]
    assert len(in_words(SUMMARY)) == 4


def test_videos_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="reconstruction must have the truth's shape"):
        write_session_report(tmp_path, summary={}, truth=TRUTH, reconstruction=DECODED[:30])
