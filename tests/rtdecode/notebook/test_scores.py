"""A notebook scores as the commands do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shown_run import FRAMES, write_shown_run

from rtdecode.evaluate.metrics import clip_scores
from rtdecode.notebook.scores import score
from rtdecode.report.summary import summarise
from rtdecode.schema.errors import (
    ArgumentValueError,
    MissingFileError,
    NoFrameScoredError,
    ShapeError,
)
from rtdecode.session.recorded import RecordedSession
from rtdecode.session.series import Series


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> RecordedSession:
    folder = tmp_path_factory.mktemp("scored")
    mask = np.zeros((36, 64), bool)
    mask[5:30, 8:50] = True
    np.save(folder / "mask.npy", mask)
    evaluate = {"warm_up_s": 0.5, "screen_mask": folder / "mask.npy"}
    return RecordedSession(write_shown_run(folder / "run", evaluate=evaluate, textured=True).folder)


def test_streams_and_series_have_the_scores_of_the_summary(session: RecordedSession) -> None:
    summary = summarise(session.layout)
    found = score(session.displayed, session.decoded)
    assert found.video_r == summary.video_r
    assert found.frame_r == summary.frame_r
    assert found.ssim == summary.ssim
    assert found.n_frames == summary.frames_scored > FRAMES / 2
    assert score(session.displayed.load(), session.decoded.load()) == found
    assert 0.5 < found.video_r < 1


def test_a_part_is_scored_from_its_first_frame_where_that_is_asked_for(
    session: RecordedSession,
) -> None:
    parts = session.displayed.of_clip("grains"), session.decoded.of_clip("grains")
    found = score(*parts, warm_up_s=0)
    # the last frame of a clip ends at a flip that is not in the part
    assert found.n_frames == 34
    assert score(*parts, warm_up_s=1).n_frames == 4


def test_arrays_have_the_scores_of_a_trial() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 255, (60, 8, 9))
    decoded, mask = 0.5 * truth + rng.normal(60, 20, truth.shape), np.ones((8, 9), bool)
    found = score(truth, decoded)
    expected = clip_scores(truth, decoded, mask, frame_rate_hz=30.0)
    assert (found.video_r, found.ssim) == (expected.video_r, expected.ssim)
    assert found.n_frames == 30
    assert score(truth, decoded, mask, first_frame=0).n_frames == 60


def test_series_without_a_session_are_aligned_by_their_times() -> None:
    rng = np.random.default_rng(1)
    video = rng.integers(0, 255, (90, 8, 9)).astype(np.uint8)
    flips = 10**12 + np.arange(90) * 33_333_333
    made = {"zero_ns": 10**12, "unit": "", "dims": ("time", "row", "col"), "coords": {}}
    displayed = Series(name="displayed", values=video, t_ns=flips, **made)
    decoded = Series(name="decoded", values=video[3:50] * 1.0, t_ns=flips[3:50] + 10**7, **made)
    found = score(displayed, decoded, frame_rate_hz=30.0, warm_up_s=0)
    assert found.n_frames == 47
    assert found.video_r == pytest.approx(1)
    assert score(displayed, decoded, warm_up_s=0).video_r == pytest.approx(1)


def test_videos_without_anything_to_score_are_named() -> None:
    rng = np.random.default_rng(2)
    video, nothing = rng.uniform(0, 255, (60, 8, 9)), np.full((60, 8, 9), np.nan)
    for displayed, decoded in ((nothing, video), (video, nothing)):
        with pytest.raises(NoFrameScoredError, match="all have NaN"):
            score(displayed, decoded)
    with pytest.raises(NoFrameScoredError, match="do not differ inside the mask"):
        score(np.full_like(video, 7), video)
    # a constant reconstruction is a bad one, and has its score
    assert score(video, np.full_like(video, 7)).video_r == 0


@pytest.mark.parametrize(
    "given",
    [
        {"frame_rate_hz": 0},
        {"frame_rate_hz": -30.0},
        {"frame_rate_hz": float("nan")},
        {"frame_rate_hz": float("inf")},
        {"warm_up_s": -1.0},
        {"warm_up_s": float("nan")},
        {"first_frame": -1},
    ],
)
def test_a_number_without_meaning_is_named(given: dict[str, Any]) -> None:
    video = np.zeros((60, 4, 4))
    ((name, value),) = given.items()
    with pytest.raises(ArgumentValueError, match=f"{name} is {value}: give"):
        score(video, video, **given)


def test_what_cannot_be_scored_is_named(session: RecordedSession, tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="two streams, or two arrays"):
        score(session.displayed, session.decoded.values)
    with pytest.raises(ShapeError, match="mask must have bool"):
        score(session.displayed, session.decoded, np.ones((3, 3), bool))
    with pytest.raises(MissingFileError, match=r"mask\.npy"):
        score(session.displayed, session.decoded, str(tmp_path / "mask.npy"))
    with pytest.raises(ShapeError, match=r"displayed must have \(frame, row, col\)"):
        score(1, 2)
    with pytest.raises(NoFrameScoredError, match="20 frames are no more than the 30"):
        score(np.zeros((20, 4, 4)), np.zeros((20, 4, 4)))
    with pytest.raises(NoFrameScoredError, match="in both"):
        score(session.displayed.between(0, 1), session.decoded.between(2, 3))
