"""Scores of trials are those of whole clips, whatever frames have no reconstruction."""

import numpy as np
import pytest

from rtdecode.evaluate.alignment import Pair
from rtdecode.evaluate.metrics import FIRST_SCORED_FRAME, clip_scores
from rtdecode.evaluate.trial_scores import TrialScores
from rtdecode.schema.messages import DisplayedFrame, Reconstruction

RATE, MASK = 30.0, np.ones((6, 8), bool)


def frame(number: int, luminance: np.ndarray) -> Reconstruction:
    zeros, at = np.zeros_like(luminance), dict.fromkeys(
        ("t_frame_mid_ns", "t_scan_ns", "t_scan_end_ns", "t_received_ns", "t_responses_ns"), 0
    )  # fmt: skip
    return Reconstruction(
        luminance=luminance, uncertainty=zeros, frame=number, t_ready_ns=0, lag_frames=8, steps=1,
        objective=0.0, warm=False, late=False, **at,
    )  # fmt: skip


def trial(rng: np.random.Generator, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Displayed and decoded video; the last frames and one in the middle were not decoded."""
    shown = rng.integers(0, 255, (frames, 6, 8)).astype(np.uint8)
    decoded = (0.5 * shown + rng.normal(0, 30, shown.shape) + 60).astype(np.float32)
    decoded[-8:] = decoded[FIRST_SCORED_FRAME + 2] = np.nan
    return shown, decoded


def test_each_trial_is_scored_as_its_whole_clip_is() -> None:
    rng, scores, number = np.random.default_rng(2), TrialScores(MASK, frame_rate_hz=RATE), 0
    trials = {name: trial(rng, frames) for name, frames in (("trial 3", 60), ("trial 1", 45))}
    for name, (shown, decoded) in trials.items():
        for index, (truth, given) in enumerate(zip(shown, decoded, strict=True)):
            displayed = DisplayedFrame(name, index, truth, 0, 1)
            scores.add_displayed(displayed)
            if np.isfinite(given).all():
                scores.add(Pair(number, displayed, frame(number, given)))
            number += 1
    expected = {
        name: clip_scores(shown.astype(np.float32), decoded, MASK, frame_rate_hz=RATE)
        for name, (shown, decoded) in trials.items()
    }
    assert dict(scores.scores()) == expected
    video_r = np.mean([one.video_r for one in expected.values()])
    assert scores.mean().video_r == pytest.approx(video_r)
    assert scores.mean().n_frames == 60 - 30 - 9 + 45 - 30 - 9


def test_without_a_decoded_frame_nothing_is_scored() -> None:
    scores = TrialScores(MASK, frame_rate_hz=RATE)
    scores.add_displayed(DisplayedFrame("trial 1", 0, np.zeros((6, 8), np.uint8), 0, 1))
    assert (scores.scores(), scores.mean().n_frames) == ([], 0)
