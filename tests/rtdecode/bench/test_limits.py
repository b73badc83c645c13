"""Each limit costs what it should, is compared with the right row, and is computed once."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from rtdecode.bench import paired_rows
from rtdecode.bench.limits import DEFAULT, LimitSettings, bench_limits, masked_r
from rtdecode.bench.limits_figure import draw_limits
from rtdecode.bench.subject import SCAN_RATE, Subject, Variant
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.evaluate.metrics import FIRST_SCORED_FRAME
from rtdecode.offline.trial import Trial
from rtdecode.schema.errors import OtherSettingsError

Rows = list[dict[str, Any]]
SMALL = LimitSettings(
    lag_frames=1,
    steps=3,
    offline_iterations=20,
    neuron_parts=(4,),
    weight_errors=(0.5,),
    gaze_sd_px=1.0,
)


def subject_of(linear_mouse: FittedTwin, watch: Callable[..., Trial], frames: int) -> Subject:
    """Three clips of the linear mouse, whose pupil moves, and a slower microscope."""
    rng = np.random.default_rng(0)
    trials = [
        replace(
            watch(frames=frames, pace=5.0, noise_sd=2.0, seed=seed),
            number=seed,
            behaviour=rng.normal(size=(frames, 4)).astype(np.float32),
        )
        for seed in range(3)
    ]
    every = np.arange(frames) % 2 == 0
    slower = [replace(one, valid=one.valid & every[:, None]) for one in trials]
    variants = [
        Variant(SCAN_RATE, 15.0, "15 Hz", lambda: slower, is_default=False),
        Variant(SCAN_RATE, 30.0, "30 Hz", lambda: trials, is_default=True),
    ]
    mask = np.ones((4, 6), np.bool_)
    twins = [linear_mouse, linear_mouse]
    return Subject(twins, mask, trials, variants, {"data": "linear mouse"})


@pytest.fixture
def subject(linear_mouse: FittedTwin, watch: Callable[..., Trial]) -> Subject:
    return subject_of(linear_mouse, watch, 50)


@pytest.fixture
def short_subject(linear_mouse: FittedTwin, watch: Callable[..., Trial]) -> Subject:
    """Clips of which three frames are scored."""
    return subject_of(linear_mouse, watch, FIRST_SCORED_FRAME + SMALL.lag_frames + 3)


QUICK = replace(SMALL, steps=1, offline_iterations=2)


def computed(
    subject: Subject, file: Path, settings: LimitSettings = SMALL
) -> tuple[Rows, list[str]]:
    lines: list[str] = []
    rows = bench_limits(subject, settings, file, report=lambda line, *_: lines.append(line))
    return rows, lines


def row_of(rows: Rows, group: str, name: str) -> dict[str, Any]:
    (row,) = [row for row in rows if (row["group"], row["name"]) == (group, name)]
    return row


@pytest.mark.slow
def test_every_limit_costs_what_it_should(subject: Subject, tmp_path: Path) -> None:
    file = tmp_path / "limits.json"
    rows, lines = computed(subject, file)
    r = {(row["group"], row["name"]): row["video_r"]["mean"] for row in rows}
    assert r["noise", "noise-free"] > r["noise", "simulated from the twin"]
    assert r["neurons missing", "1/4 recorded"] > r["neurons silent", "1/4 recorded"] + 0.02
    assert r["ensemble", "2 twins"] == pytest.approx(r[DEFAULT], abs=1e-6)
    assert r["twin", "weights with errors of 50%"] < r[DEFAULT]
    assert r[SCAN_RATE, "30 Hz"] == pytest.approx(r[DEFAULT], abs=1e-6)
    assert r[SCAN_RATE, "15 Hz"] < r[SCAN_RATE, "30 Hz"]
    corrected = r["eye movements", "twin input corrected"]
    assert corrected > r["eye movements", "not corrected"] + 0.02
    twin_r = [row_of(rows, *DEFAULT)["twin_r"]]
    twin_r.append(row_of(rows, "twin", "weights with errors of 50%")["twin_r"])
    assert twin_r[0] > twin_r[1] > 0
    for row in rows:
        if "difference" in row:
            other = row_of(rows, **row["compared_with"])
            expected = row["video_r"]["mean"] - other["video_r"]["mean"]
            assert row["difference"]["mean"] == pytest.approx(expected, abs=1e-9)
    alone = {(row["group"], row["name"]) for row in rows if "difference" not in row}
    assert alone == {DEFAULT, (SCAN_RATE, "30 Hz")}
    assert json.loads(file.read_text())["benchmark"] == "limits"
    draw_limits(rows, tmp_path / "figures")
    assert imread(tmp_path / "figures" / "limits.png").std() > 0.05
    assert len(lines) == len(rows)


def test_an_interrupted_run_resumes_and_other_trials_are_refused(
    short_subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "limits.json"

    def interrupt(line: str, done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench_limits(short_subject, QUICK, file, report=interrupt)
    begun = json.loads(file.read_text())["results"]
    assert len(begun) == 3
    _, lines = computed(short_subject, file, QUICK)
    assert [line.endswith("(exists already)") for line in lines[:4]] == [True, True, True, False]
    assert json.loads(file.read_text())["results"][:3] == begun

    def refuse(*_: object) -> list[float]:
        raise AssertionError("all rows exist")

    monkeypatch.setattr(paired_rows, "video_r", refuse)
    computed(short_subject, file, QUICK)
    with pytest.raises(OtherSettingsError, match="another mouse"):
        computed(replace(short_subject, identity={"data": "another mouse"}), file, QUICK)


def test_a_mask_that_moves_counts_its_own_pixels_alone() -> None:
    truth = np.random.default_rng(1).uniform(0, 255, (40, 4, 6)).astype(np.float32)
    video = truth.copy()
    mask = np.zeros(truth.shape, bool)
    mask[:, 1, 2] = True
    video[~mask] = 0.0
    video[-3:] = np.nan
    assert masked_r(truth, video, mask) == pytest.approx(1.0)
    assert masked_r(truth, video, np.ones_like(mask)) < 0.5
