"""The live score equals the metrics of the recorded arrays, however messages are cut and late."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from rtdecode.evaluate import metrics
from rtdecode.evaluate.leakage import clip_hash
from rtdecode.evaluate.online import OnlineScore
from rtdecode.schema.config.session import EvaluateConfig
from rtdecode.schema.errors import ShapeError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    Gap,
    Received,
    Reconstruction,
    Score,
    Stamped,
)

RATE = 30.0
GRID = FrameGrid(RATE)
FIRST, FRAMES, LAG = 1000, 200, 8
MASK = np.hypot(*np.mgrid[-18:18, -32:32]) < 14
NOISE = gaussian_filter(np.random.default_rng(0).normal(size=(2, FRAMES, 36, 64)), (1, 2, 3, 3))
TRUTH = np.clip(128 + 1500 * NOISE[0], 0, 255).astype(np.uint8)
DECODED = (0.7 * TRUTH + 0.3 * (128 + 1500 * NOISE[1])).astype(np.float32)
CONFIG = EvaluateConfig(window_s=2.0, period_s=1.0, warm_up_s=1.0)


def shown(k: int, *, clip: str = "walk") -> Body:
    t_ns = GRID.start_ns(FIRST + k)
    return DisplayedFrame(clip, k, TRUTH[k], t_flip_ns=t_ns, flips=2)


def decoded(k: int, *, warm: bool = True, late: bool = False) -> Body:
    t_ns = GRID.start_ns(FIRST + k + LAG)
    return Reconstruction(
        luminance=DECODED[k],
        uncertainty=DECODED[k],
        frame=FIRST + k,
        t_frame_mid_ns=GRID.middle_ns(FIRST + k),
        t_scan_ns=t_ns,
        t_scan_end_ns=t_ns + 30_000_000,
        t_received_ns=t_ns + 31_000_000,
        t_responses_ns=t_ns + 35_000_000,
        t_ready_ns=t_ns + 50_000_000,
        lag_frames=LAG,
        steps=3,
        objective=0.0,
        warm=warm,
        late=late,
    )


def received(bodies: Sequence[Body]) -> list[Received]:
    numbers: dict[str, int] = {}
    items = []
    for body in bodies:
        seq = numbers[body.kind] = numbers.get(body.kind, -1) + 1
        t_ns = body.t_ready_ns if isinstance(body, Reconstruction) else 0
        items.append(Received(Stamped("test", seq, t_ns, "host", body), 0))
    return items


def run_of(frames: int = FRAMES, *, cold: int = 20) -> list[Received]:
    """`frames` as a live run brings them: truth at once, the reconstruction LAG frames later."""
    bodies = []
    for k in range(frames):
        bodies.append(shown(k))
        if k >= LAG:
            bodies.append(decoded(k - LAG, warm=k - LAG >= cold, late=k % 50 == 0))
    return received(bodies)


def stage(config: EvaluateConfig = CONFIG, *, trained: Sequence[str] = ()) -> OnlineScore:
    return OnlineScore(config, MASK, frame_rate_hz=RATE, trained=trained)


def figures(scores: Sequence[Score]) -> list[tuple[float, ...]]:
    return [(s.video_r, s.frame_r, s.ssim, s.shift_ms, s.n_frames) for s in scores]


RUN = run_of()
WHOLE = figures(stage().step(RUN))


def test_the_running_score_is_the_metrics_of_the_last_seconds() -> None:
    first_scored = 20 + 30  # cold frames, then warm-up
    last = slice(first_scored + 4 * 30 - 60, first_scored + 4 * 30)
    expected = metrics.clip_scores(
        TRUTH[last], DECODED[last], MASK, first_frame=0, frame_rate_hz=30
    )
    assert len(WHOLE) == 4
    assert WHOLE[3] == pytest.approx(
        (expected.video_r, expected.frame_r, expected.ssim, expected.shift_ms, 60), abs=0.5
    )
    assert WHOLE[3][:3] == pytest.approx(
        (expected.video_r, expected.frame_r, expected.ssim), abs=1e-5
    )


@given(cuts=st.lists(st.integers(0, len(RUN)), max_size=6).map(sorted))
@settings(max_examples=5)
def test_any_way_of_cutting_the_stream_gives_the_same_scores(cuts: list[int]) -> None:
    online = stage()
    edges = [0, *cuts, len(RUN)]
    scores = [s for a, b in pairwise(edges) for s in online.step(RUN[a:b])]
    assert figures(scores) == WHOLE


def test_the_final_score_covers_the_whole_run_after_warm_up() -> None:
    online = stage()
    online.step(RUN)
    (final,), scored = online.finish(), slice(50, FRAMES - LAG)
    assert final.final
    assert final.n_frames == FRAMES - LAG - 50
    assert final.window_s == pytest.approx(final.n_frames / RATE)
    assert final.video_r == pytest.approx(
        metrics.video_r(TRUTH[scored], DECODED[scored], MASK), abs=1e-5
    )
    assert list(online.per_presentation) == [final.video_r]


def test_truth_that_comes_late_scores_the_same() -> None:
    late = [i for i in RUN if isinstance(i.message.body, Reconstruction)]
    truth = [i for i in RUN if isinstance(i.message.body, DisplayedFrame)]
    config = EvaluateConfig(window_s=10.0, period_s=1.0, warm_up_s=1.0)  # holds all that waits
    orders = []
    for order in (late + truth, RUN):
        online = stage(config)
        orders.append(figures([*online.step(order), *online.finish()]))
    assert orders[0] == orders[1]


def test_counters_say_what_came_late_and_what_was_lost() -> None:
    online = stage()
    gaps = received(
        [
            Gap("bridge/scan", 10, 3, "decoder"),
            Gap("bridge/scan", 10, 3, "recorder"),
            Gap("stimulus/displayed_frame", 5, 2, "recorder"),
        ]
    )
    online.step([*RUN, *gaps])
    counters = online.counters()
    assert counters["frames"] == FRAMES - LAG
    assert counters["fps_out"] == pytest.approx(30.0, abs=0.01)
    assert counters["late"] == 3
    assert counters["late_percent"] == pytest.approx(100 * 3 / (FRAMES - LAG))
    assert counters["lost_messages"] == 5
    assert counters["decode_p50_ms"] == pytest.approx(15, rel=0.011)
    assert all(math.isfinite(value) for value in counters.values())


def test_a_clip_that_the_twin_was_trained_on_is_flagged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    online = stage(trained=[clip_hash(TRUTH)])
    online.step(RUN)
    assert online.leaked_clips == ["walk"]
    assert online.counters()["leaked_clips"] == 1
    assert len(caplog.records) == 1
    unlike = stage(trained=[clip_hash(TRUTH[:, ::-1, ::-1])])
    unlike.step(RUN)
    assert not unlike.leaked_clips


def test_memory_stays_flat_over_a_long_run() -> None:
    online = stage(EvaluateConfig(window_s=1.0, period_s=1.0, warm_up_s=0.0))
    online.step(RUN)
    assert len(online._window._scores) == 30
    assert len(online._pairing._displayed) <= 30


def test_a_run_without_a_frame_ends_with_no_score() -> None:
    online = stage()
    assert online.finish() == []
    assert online.counters()["fps_out"] == 0


def test_masks_and_pictures_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="at least one pixel set"):
        OnlineScore(CONFIG, np.zeros_like(MASK), frame_rate_hz=RATE)
    other = OnlineScore(CONFIG, MASK.T, frame_rate_hz=RATE)
    with pytest.raises(
        ShapeError, match=r"displayed_frame must have the shape of the mask, \(64, 36\)"
    ):
        other.step(RUN[:1])
