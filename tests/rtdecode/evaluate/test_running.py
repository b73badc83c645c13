"""Running sums give what the metrics give on whole arrays."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from rtdecode.evaluate import metrics
from rtdecode.evaluate.alignment import Pair
from rtdecode.evaluate.running import (
    DecodedSegments,
    FrameScorer,
    Mean,
    Presentations,
    SlidingWindow,
)
from rtdecode.schema.messages import DisplayedFrame, Reconstruction

MASK = np.hypot(*np.mgrid[-18:18, -32:32]) < 14
NOISE = gaussian_filter(np.random.default_rng(0).normal(size=(2, 90, 36, 64)), (0, 2, 3, 3))
TRUTH = np.clip(128 + 900 * NOISE[0], 0, 255).astype(np.uint8)
DECODED = (0.7 * TRUTH + 0.3 * (128 + 900 * NOISE[1])).astype(np.float32)


def pair(k: int, *, clip: str = "a", index: int | None = None) -> Pair:
    shown = DisplayedFrame(clip, k if index is None else index, TRUTH[k], t_flip_ns=0, flips=2)
    times = dict.fromkeys(
        ("t_frame_mid_ns", "t_scan_ns", "t_scan_end_ns", "t_received_ns", "t_responses_ns"), 0
    )
    decoded = Reconstruction(
        luminance=DECODED[k],
        uncertainty=DECODED[k],
        frame=k,
        t_ready_ns=0,
        lag_frames=8,
        steps=3,
        objective=0.0,
        warm=True,
        late=False,
        **times,
    )
    return Pair(k, shown, decoded)


def test_sums_over_all_frames_are_the_metrics_of_the_whole_video() -> None:
    scorer = FrameScorer(MASK, reach_frames=10)
    sums = scorer.empty_sums
    for k in range(90):
        sums.add(scorer.score(pair(k)))
    whole = metrics.clip_scores(TRUTH, DECODED, MASK, first_frame=0, frame_rate_hz=30)
    assert sums.n_frames == 90
    assert sums.video_r == pytest.approx(whole.video_r, abs=1e-5)
    assert sums.frame_r.value == pytest.approx(whole.frame_r)
    assert sums.ssim.value == pytest.approx(whole.ssim)
    assert scorer.shift_frames(sums) * 1000 / 30 == pytest.approx(whole.shift_ms, abs=1e-3)


def test_the_window_holds_the_last_frames_and_no_other() -> None:
    scorer, window = FrameScorer(MASK, reach_frames=0), SlidingWindow(30)
    for k in [*range(40), *range(50, 80)]:  # ten frames are missing
        window.add(scorer.score(pair(k)))
    sums = window.added_to(scorer.empty_sums)
    assert sums.n_frames == 30
    assert sums.video_r == pytest.approx(
        metrics.video_r(TRUTH[50:80], DECODED[50:80], MASK), abs=1e-5
    )


def test_each_showing_of_a_clip_has_its_own_score() -> None:
    scorer = FrameScorer(MASK, reach_frames=0)
    presentations = Presentations(shortest_frames=10, longest_frames=40)
    plan = [("a", k, k) for k in range(30)]  # a, then a again from its start, then b, cut in two
    plan += [("a", k, k - 30) for k in range(30, 35)]
    plan += [("b", k, k) for k in range(35, 90)]
    for clip, k, index in plan:
        one = pair(k, clip=clip, index=index)
        presentations.add(one, scorer.score(one), empty=scorer.empty_sums)
    parts = [slice(0, 30), slice(35, 75), slice(75, 90)]  # the second showing of a is too short
    expected = [metrics.video_r(TRUTH[part], DECODED[part], MASK) for part in parts]
    assert presentations.video_r() == pytest.approx(expected, abs=1e-5)


def test_a_mean_leaves_out_what_could_not_be_scored() -> None:
    mean = Mean()
    assert np.isnan(mean.value)
    for value in (1.0, np.nan, 3.0):
        mean.add(value)
    assert mean.value == 2


@given(st.sets(st.integers(0, 200), min_size=1).map(sorted), st.sampled_from([4.0, 30.0]))
def test_decoded_segments_hold_every_frame_and_no_break(frames: list[int], rate_hz: float) -> None:
    segments, period_s = DecodedSegments(frame_rate_hz=rate_hz), 1 / rate_hz
    mids_ns = [round(k * period_s * 1e9) + 5_000_000_000 for k in frames]
    for t_ns in [*mids_ns, *mids_ns[-3:]]:  # a restarted decoder repeats the last ones
        segments.add(t_ns)
    spans = segments.spans_s(zero_ns=5_000_000_000)
    longest = max(0.2, 2.5 * period_s)
    edges = [a for a, b in pairwise(frames) if (b - a) * period_s > longest + 1e-6]
    assert len(spans) == len(edges) + 1
    inside = [k for k in frames if any(a - 1e-6 <= k * period_s <= b + 1e-6 for a, b in spans)]
    assert inside == frames
    for (_, before_s), (after_s, _) in pairwise(spans):
        assert after_s - before_s > longest
