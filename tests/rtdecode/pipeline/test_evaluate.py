"""Displayed frames and reconstructions give scores, and gaps in either are reported."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtdecode.evaluate.online import OnlineScore
from rtdecode.pipeline.evaluate import ScoringStage, main
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.config.session import EvaluateConfig
from rtdecode.schema.evaluation import ResponsePrediction, Verdict
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Behaviour,
    Body,
    DisplayedFrame,
    End,
    Event,
    Gap,
    Received,
    Reconstruction,
    Responses,
    Score,
    Stamped,
    Start,
)
from rtdecode.streams.gaps import GapWatch

GRID = FrameGrid(30.0)
FRAMES, FIRST = 120, 9000
EVALUATE = EvaluateConfig(window_s=2.0, period_s=0.5, warm_up_s=0.5)


def shown_and_decoded() -> Iterator[tuple[DisplayedFrame, Reconstruction]]:
    """A wandering pattern, and the same in half its contrast."""
    steps = np.cumsum(np.random.default_rng(0).normal(0, 12, (FRAMES, 36, 64)), axis=0)
    video = np.clip(128 + steps, 0, 255).astype(np.uint8)
    for n, picture in enumerate(video):
        t_ns = GRID.start_ns(FIRST + n)
        decoded = (64 + 0.5 * picture).astype(np.float32)
        spread = np.zeros((36, 64), np.float32)
        times = (t_ns, t_ns, t_ns, t_ns, t_ns, t_ns)
        back = Reconstruction(decoded, spread, FIRST + n, *times, 8, 3, 0.0, True, False)
        yield DisplayedFrame("clip", n, picture, t_ns, 1), back


def received(body: Body, source: str, seq: int) -> Received:
    t_ns = GRID.start_ns(FIRST + seq)
    return Received(Stamped(source, seq, t_ns, "host", body), t_ns)


def stage() -> ScoringStage:
    mask = np.ones((36, 64), np.bool_)
    return ScoringStage(
        GapWatch(detected_by="evaluate"), OnlineScore(EVALUATE, mask, frame_rate_hz=30.0)
    )


STREAM = [
    item
    for n, (shown, back) in enumerate(shown_and_decoded())
    for item in (received(shown, "stimulus", n), received(back, "emit", n))
]


def test_contrast_and_brightness_do_not_matter_to_the_score() -> None:
    scores = [out for out in stage().step(STREAM) if isinstance(out, Score)]
    assert len(scores) > 3
    assert all(score.video_r == pytest.approx(1, abs=1e-3) for score in scores)


def test_a_hole_is_handed_on_and_counted() -> None:
    scoring = stage()
    found = list(scoring.step(STREAM[:20] + STREAM[26:]))
    gaps = {(out.stream, out.n_missing) for out in found if isinstance(out, Gap)}
    # three pairs are left out
    assert gaps == {("stimulus/displayed_frame", 3), ("emit/reconstruction", 3)}
    assert scoring.counters()["lost"] == 6


def test_the_counters_are_those_of_gaps_and_score() -> None:
    scoring = stage()
    list(scoring.step(STREAM))
    assert scoring.counters()["lost"] == 0
    assert scoring.counters()["scored_frames"] > 80


@pytest.mark.system
def test_the_final_score_is_that_of_the_whole_run(tmp_path: Path, conducted: Any) -> None:
    with conducted(main, RunConfig(evaluate=EVALUATE), tmp_path) as scene:
        outlets = [scene.publisher("stimulus"), scene.publisher("emit")]
        for source in ("bridge", "decoder"):
            scene.publisher(source)
        scene.go()
        for outlet in outlets:
            outlet.start(Start("session", config_yaml="", git_revision="", twin_hash=""))
        for pair in shown_and_decoded():
            for outlet, body in zip(outlets, pair, strict=True):
                outlet.push(body)
        health = scene.until(lambda health: health.counters.get("frames") == FRAMES)
        assert scene.end() == 0
    told = scene.bodies("evaluate")
    assert isinstance(told[0], Start)
    assert isinstance(told[-1], End)
    scores = [body for body in told if isinstance(body, Score)]
    assert [score.final for score in scores] == [False] * (len(scores) - 1) + [True]
    # the warm-up of half a second is 15 frames; displayed ones may come after the heartbeat
    assert health.counters["scored_frames"] <= scores[-1].n_frames <= FRAMES - 15
    assert scores[-1].n_frames > 0
    assert scores[-1].video_r == pytest.approx(1, abs=1e-3)


def twin_of_the_screen(folder: Path) -> Path:
    """The folder of a linear twin of three neurons, without a record of its training."""
    # torch takes seconds to import, and the other tests of this file do without
    from rtdecode.decode.noise import even_noise, save_noise
    from rtdecode.twins.folder import save_twin
    from rtdecode.twins.linear import Linear
    from rtdecode.twins.twin import TwinSpec

    twin = Linear(TwinSpec("linear", 3, history_frames=1, sizes={"taps": 1}))
    twin.spatial.data[:, 0, 0] = 1.0
    twin.temporal.data += 1.0
    save_twin(twin, folder)
    save_noise(even_noise(3), folder)
    return folder


@pytest.mark.system
def test_the_twin_is_checked_with_the_responses_of_the_decoder(
    tmp_path: Path, conducted: Any
) -> None:
    decode = DecodeConfig(twin=twin_of_the_screen(tmp_path / "twin"))
    with conducted(main, RunConfig(evaluate=EVALUATE, decode=decode), tmp_path) as scene:
        names = ("stimulus", "bridge", "decoder", "emit")
        outlets = {source: scene.publisher(source) for source in names}
        scene.go()
        for outlet in outlets.values():
            outlet.start(Start("session", config_yaml="", git_revision="", twin_hash=""))
        for n, (shown, back) in enumerate(shown_and_decoded()):
            t_ns = GRID.start_ns(FIRST + n)
            activity, valid = np.full(3, n, np.float32), np.ones(3, np.bool_)
            outlets["stimulus"].push(shown)
            outlets["bridge"].push(Behaviour(t_ns, 0.0, 30.0, np.zeros(2, np.float32)))
            outlets["decoder"].push(Responses(activity, valid, FIRST + n, *[t_ns] * 5))
            outlets["emit"].push(back)
        scene.until(lambda health: health.counters.get("frames") == FRAMES)
        assert scene.end() == 0
    told = scene.bodies("evaluate")
    checks = [body for body in told if isinstance(body, ResponsePrediction)]
    # the frames of two seconds have a second of frames after them
    assert [one.n_frames for one in checks] == [30 - 1, 60 - 1]
    assert [one.frame for one in checks] == [FIRST + 29, FIRST + 59]
    assert {one.verdict for one in checks} == {Verdict.TOO_FEW_FRAMES}
    events = [(body.severity, body.code) for body in told if isinstance(body, Event)]
    assert events == [("info", "twin_check_without_training_r")]


@pytest.mark.system
def test_a_run_that_showed_nothing_has_no_score(tmp_path: Path, conducted: Any) -> None:
    with conducted(main, RunConfig(evaluate=EVALUATE), tmp_path) as scene:
        for source in ("stimulus", "bridge", "decoder", "emit"):
            scene.publisher(source)
        scene.go()
        assert scene.end() == 0
    finite = [b for b in scene.bodies("evaluate") if isinstance(b, Score) and math.isfinite(b.ssim)]
    assert finite == []
