"""The twin check in the summary: recorded and computed results, their sentence and their curve."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from own_run import COLS, NEURONS, ROWS, Run

from rtdecode.decode.noise import even_noise, save_noise
from rtdecode.report.figures import new_figure, twin_check_over_time
from rtdecode.report.summary import summarise, write_summary
from rtdecode.report.twin_check import (
    RecordedTwinCheck,
    computed_twin_check,
    twin_check_figures,
)
from rtdecode.runtime.config_file import write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.evaluation import ResponsePrediction, Verdict
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Event, Start
from rtdecode.session.layout import SessionLayout, session_at
from rtdecode.session.reader import LogReader
from rtdecode.twins.folder import save_twin
from rtdecode.twins.linear import Linear
from rtdecode.twins.record import twin_hash
from rtdecode.twins.twin import TwinSpec

GRID = FrameGrid(30.0)
FRAMES = 16 * 30


def result(second: int, r: float, verdict: Verdict, *, training: float = 0.4) -> ResponsePrediction:
    frame = 30 * (second + 1) - 1
    return ResponsePrediction(r, training, 0.5, verdict.value, 9, 600, 20.0, frame, 1)


RESULTS = [
    result(0, math.nan, Verdict.TOO_FEW_FRAMES),
    result(1, 0.3, Verdict.MATCH),
    result(2, 0.1, Verdict.MISMATCH),
    result(3, 0.2, Verdict.CONSTANT_SCREEN),
]


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    """A linear twin of the screen and the neurons of `own_run`."""
    folder = tmp_path / "twin"
    spec = TwinSpec("linear", NEURONS, ROWS, COLS, history_frames=1, sizes={"taps": 1})
    made = Linear(spec)
    made.temporal.data = torch.ones(1, 1)
    made.spatial.data = torch.from_numpy(
        np.random.default_rng(3).normal(0, 0.3, (NEURONS, ROWS, COLS))
    ).float()
    save_twin(made, folder)
    save_noise(even_noise(NEURONS), folder)
    return folder


def recorded(
    folder: Path, twin: Path, *, hashed: str, results: Sequence[ResponsePrediction] = ()
) -> SessionLayout:
    """A session whose neurons are those of the twin, with noise."""
    rng = np.random.default_rng(0)
    video = rng.integers(60, 200, (FRAMES, ROWS, COLS)).astype(np.uint8)
    luminance = torch.from_numpy(video.astype(np.float32))
    weights = torch.from_numpy(np.random.default_rng(3).normal(0, 0.3, (NEURONS, ROWS, COLS)))
    drive = ((luminance - 111.3) / 60.9).flatten(1) @ weights.float().flatten(1).T
    activity = drive.numpy() + rng.normal(0, 1, (FRAMES, NEURONS))
    folder.mkdir()
    run = Run(folder)
    run.say("decoder", Start("s", config_yaml="", git_revision="", twin_hash=hashed))
    for one in results:
        run.say("evaluate", one)
    run.clip("noise", video, activity=activity)
    run.end()
    config = RunConfig.model_validate(
        {"decode": {"twin": twin}, "stimulus": {"rows_px": ROWS, "cols_px": COLS, "clips": folder}}
    )
    write_config(config, SessionLayout(folder).config)
    return session_at(folder)


def test_figures_are_means_over_the_windows_with_a_verdict() -> None:
    found = twin_check_figures(RESULTS, GRID, first_ns=GRID.middle_ns(29))
    assert found is not None
    assert (found.r, found.reference_r) == pytest.approx((0.2, 0.4))
    assert (found.mismatch_s, found.n_neurons, found.at_training) == (1.0, 9, True)
    t_s, r = zip(*found.r_over_time, strict=True)
    assert t_s == pytest.approx((0, 1, 2, 3))
    assert r == (None, 0.3, 0.1, None)


def test_without_a_verdict_there_are_no_figures() -> None:
    assert twin_check_figures([], GRID, first_ns=0) is None
    assert twin_check_figures(RESULTS[:1], GRID, first_ns=0) is None


def test_the_sentence_states_reference_and_mismatch() -> None:
    figures = twin_check_figures(RESULTS, GRID, first_ns=0)
    assert figures is not None
    assert "single-trial r of 0.20 (0.40 at training), mean over 9 neurons" in figures.sentence()
    assert figures.sentence().endswith("r was below half of that for 1 s.")
    unknown = [result(n, 0.3, Verdict.MATCH, training=math.nan) for n in range(3)]
    figures = twin_check_figures(unknown, GRID, first_ns=0)
    assert figures is not None
    assert "0.30 (0.50 expected by its noise model)" in figures.sentence()
    assert "below" not in figures.sentence()


def test_the_summary_has_the_recorded_results(tmp_path: Path, twin: Path) -> None:
    session = recorded(tmp_path / "s", twin, hashed=twin_hash(twin), results=RESULTS)
    summary = summarise(session)
    assert summary.twin_check is not None
    assert summary.twin_check.r == pytest.approx(0.2)
    assert summary.twin_check.mismatch_s == 1.0
    write_summary(summary, tmp_path / "s.json")
    assert json.loads((tmp_path / "s.json").read_text())["twin_check"]["n_neurons"] == 9


def test_computed_results_are_those_of_the_responses(tmp_path: Path, twin: Path) -> None:
    session = recorded(tmp_path / "s", twin, hashed=twin_hash(twin), results=RESULTS)
    summary = summarise(session, twin_check=computed_twin_check(session))
    assert summary.twin_check is not None
    assert 0.8 < summary.twin_check.r < 1
    assert not summary.twin_check.at_training
    assert len(summary.twin_check.r_over_time) == FRAMES // 30 - 1
    assert summary.twin_check.n_neurons == NEURONS


def test_a_computed_check_repeats_what_was_recorded_live(tmp_path: Path, twin: Path) -> None:
    first = recorded(tmp_path / "first", twin, hashed=twin_hash(twin))
    check = computed_twin_check(first)
    live = [made for item in LogReader(first.log).messages() for made in check.step([item])]
    results = [made for made in live if isinstance(made, ResponsePrediction)]
    assert not any(isinstance(made, Event) for made in live)
    second = recorded(tmp_path / "second", twin, hashed=twin_hash(twin), results=results)
    computed = summarise(second, twin_check=computed_twin_check(second))
    assert summarise(second).twin_check == computed.twin_check


def test_a_twin_that_was_fitted_again_is_not_used(tmp_path: Path, twin: Path) -> None:
    session = recorded(tmp_path / "s", twin, hashed="another", results=RESULTS)
    assert isinstance(computed_twin_check(session), RecordedTwinCheck)
    summary = summarise(session, twin_check=computed_twin_check(session))
    assert summary.twin_check is not None
    assert summary.twin_check.r == pytest.approx(0.2)


@pytest.mark.parametrize("damage", ["twin.json", "noise.safetensors"])
def test_a_damaged_twin_leaves_the_recorded_results(
    tmp_path: Path, twin: Path, damage: str
) -> None:
    session = recorded(tmp_path / "s", twin, hashed="", results=RESULTS)
    (twin / damage).write_text("damaged")
    assert isinstance(computed_twin_check(session), RecordedTwinCheck)


def test_the_curve_is_drawn_with_its_reference_and_the_limit() -> None:
    axes = new_figure(inches=(4, 3)).subplots()
    twin_check_over_time(axes, t_s=[0, 1, 2], r=[0.3, math.nan, 0.2], reference_r=0.4)
    curves = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert set(curves) == {"twin check (single-trial r)", "its reference", "alarm below"}
    np.testing.assert_array_equal(curves["twin check (single-trial r)"], [0.3, math.nan, 0.2])
    assert set(curves["alarm below"]) == {0.2}
