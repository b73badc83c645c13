"""The score of a clip is that of its frames, and its interval is over blocks of a second."""

import numpy as np
import pytest
from report_pairs import pair_of, scored

from rtdecode.evaluate.metrics import video_r
from rtdecode.report.clip_table import MOST_CLIPS, ClipTable, cells_of

RNG = np.random.default_rng(3)


def test_the_score_of_a_clip_is_video_r_over_all_its_presentations() -> None:
    table = ClipTable(frame_rate_hz=30.0)
    truth = RNG.integers(0, 255, (240, 6, 8)).astype(np.uint8)
    decoded = (truth / 2 + RNG.normal(0, 40, truth.shape)).astype(np.float32)
    clips = ["a"] * 120 + ["b"] * 60 + ["a"] * 60
    for n, clip in enumerate(clips):
        pair = pair_of(n, clip, n % 60, truth[n], decoded[n])
        table.add(pair, scored(pair))
    first, second = table.rows()
    of_a = np.array([clip == "a" for clip in clips])
    assert (first.clip, first.presentations, first.frames) == ("a", 3, 180)
    assert (second.clip, second.presentations, second.frames) == ("b", 1, 60)
    expected = video_r(truth[of_a], decoded[of_a], np.ones((6, 8), bool))
    assert first.video_r == pytest.approx(expected, abs=1e-6)
    assert first.low < first.video_r < first.high
    assert np.isnan(second.low), "two seconds have no interval"
    assert cells_of([second])[0][4] == "–"


def test_further_clips_are_counted_and_not_listed() -> None:
    table, grey = ClipTable(frame_rate_hz=30.0), RNG.integers(0, 255, (6, 8)).astype(np.uint8)
    for n in range(MOST_CLIPS + 5):
        pair = pair_of(n, f"clip {n}", 0, grey, grey.astype(np.float32))
        table.add(pair, scored(pair))
    assert len(table.rows()) == MOST_CLIPS
    assert table.left_out == 5
