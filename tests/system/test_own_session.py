"""An own session from recording to fit to the score of held-out trials."""

import json
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from notebook_page import block_of_page, run_block

import rtdecode
from rtdecode.datasets.own_session import OwnSession
from rtdecode.report.summary import summarise
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.training import TrainingConfig
from rtdecode.session.layout import session_at
from rtdecode.train.distributed import Machines
from rtdecode.train.training import Training
from rtdecode.train.validation import single_trial_correlation
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.folder import load_twin

pytestmark = [pytest.mark.system, pytest.mark.slow]

DEMO_MOUSE = Path(rtdecode.__file__).parent / "demo_mouse"


def done(*words: object) -> None:
    command = [sys.executable, "-m", "rtdecode", *map(str, words)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo long enough for two whole clips and a part of a third."""
    folder = tmp_path_factory.mktemp("own") / "session"
    done("demo", "--headless", "--seconds", "27", "--out", folder)
    return folder


def test_the_twin_of_the_mouse_predicts_what_was_recorded_of_it(session: Path) -> None:
    """Only if truth, activity and neurons lie where they should: it was trained elsewhere."""
    twin, data = load_twin(DEMO_MOUSE), OwnSession(session)
    for tier in ("train", "test"):
        r = single_trial_correlation(twin, data, tier=tier, device=torch.device("cpu"))
        assert np.nanmedian(r) > 0.3


def test_a_notebook_shows_it_and_scores_it_as_the_commands_do(
    session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "2026-11-30_09-00-00").symlink_to(session)
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    made = run_block(block_of_page(0))
    made["figure"].savefig(tmp_path / "figure.png")
    plt.close("all")
    opened, summary = made["session"], summarise(session_at(session))
    assert opened.complete
    assert opened.check() == ()
    scores = rtdecode.score(opened.displayed, opened.decoded)
    assert scores.video_r == pytest.approx(summary.video_r, abs=1e-6)
    assert scores.n_frames == summary.frames_scored
    assert len(opened.rois[0]) == opened.activity.shape[1]
    assert {one.clip for one in opened.presentations} == set(opened.displayed.coords["clip"][1])
    for name in opened.streams:
        assert np.isfinite(opened.stream(name)[:3].t_s).all()


def test_a_twin_is_trained_on_it(session: Path, tmp_path: Path) -> None:
    twin = load_twin(DEMO_MOUSE)
    assert isinstance(twin, Compact)
    outcome = Training(
        twin.requires_grad_(requires_grad=True),
        OwnSession(session),
        TrainingConfig(steps=3, batch=2, warm_up_steps=1, learning_rate=1e-4),
        checkpoint=tmp_path / "training.safetensors",
        clock=HostClock(),
        machines=Machines(),
    ).run(lambda _: None)
    assert outcome.standing.step == 3
    assert np.isfinite(outcome.standing.loss)


def test_a_linear_decoder_is_fitted_and_scored_beside_the_twin(
    session: Path, tmp_path: Path
) -> None:
    mask = DEMO_MOUSE / "mask.npy"
    done("fit", "ridge", "--data", session, "--out", tmp_path, "--threads", "1")
    for method, fitted in (
        ("ridge", ("--ridge", tmp_path)),
        ("online", ("--twin", DEMO_MOUSE, "--steps", "1")),
    ):
        out = tmp_path / method
        on = ("reconstruct", "--data", session, "--mask", mask, "--out", out, "--threads", "1")
        done(*on, "--method", method, *fitted)
        summary = json.loads((out / "summary.json").read_text())
        assert (summary["causality"], summary["neurons"]) == ("causal", 1200)
        if method == "online":
            assert summary["video_r"]["mean"] > 0.3
