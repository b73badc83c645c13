"""An own session from recording to fit to the score of held-out trials.

One run of the demo serves all tests of this file.
"""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from live_run import live_page
from notebook_page import block_of_page, run_block

import rtdecode
from rtdecode.datasets.own_session import OwnSession
from rtdecode.report.summary import summarise
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.training import TrainingConfig
from rtdecode.schema.evaluation import ResponsePrediction, Verdict
from rtdecode.session.layout import session_at
from rtdecode.session.reader import LogReader
from rtdecode.train.distributed import Machines
from rtdecode.train.training import Training
from rtdecode.train.validation import single_trial_correlation
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.folder import load_twin

pytestmark = [pytest.mark.system, pytest.mark.slow]

STAGES = {"scan", "transport", "calcium", "decode", "pacing", "screen_to_output"}
DEMO_MOUSE = Path(rtdecode.__file__).parent / "demo_mouse"


def argv(*words: object) -> list[str]:
    return [sys.executable, "-m", "rtdecode", *map(str, words)]


def done(*words: object) -> None:
    told = subprocess.run(argv(*words), capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


class Demo(NamedTuple):
    """A demo that has ended by itself."""

    session: Path
    page: bytes
    """What its page was."""
    figures: dict[str, Any]
    """Its summary."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo long enough for two whole clips and a part of a third, with a browser at its page."""
    folder = tmp_path_factory.mktemp("own")
    session, summary = folder / "session", folder / "summary.json"
    words = ("demo", "--headless", "--seconds", "27", "--out", session, "--json", summary)
    with subprocess.Popen(
        argv(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        try:
            assert running.stdout is not None
            seen = ""
            while not (address := re.search(r"http://127\.0\.0\.1:\d+", seen)):
                seen += running.stdout.readline()
                assert running.poll() is None, seen
            with urllib.request.urlopen(address.group()) as page:
                content = page.read()
            watch_microscope(address.group())
            told = running.communicate()[0]
        finally:
            running.kill()
    assert running.returncode == 0, told
    return Demo(session, content, json.loads(summary.read_text()))


def watch_microscope(address: str) -> None:
    """Wait until the Microscope tab has had pictures, cells, behaviour and ROIs of the run."""
    kinds = set[int]()
    with live_page(address) as page:
        page.send("watch 1")
        while not {3, 4, 5, 6} <= kinds:
            data = page.recv(timeout=100)
            kinds |= {data[0]} if isinstance(data, bytes) else set()


@pytest.fixture(scope="module")
def session(demo: Demo) -> Path:
    """The session of the demo."""
    return demo.session


def test_the_demo_serves_a_page_ends_by_itself_and_has_its_summary(demo: Demo) -> None:
    assert b"<canvas" in demo.page
    assert demo.figures["lost_messages"] == 0
    assert demo.figures["complete"]
    assert demo.figures["video_r"] > 0.2
    # how many depends on the machine
    assert demo.figures["frames_scored"] > 0
    assert set(demo.figures["stages_ms"]) >= STAGES
    assert all(stage["p50"] <= stage["p99"] for stage in demo.figures["stages_ms"].values())
    log = LogReader(session_at(demo.session).log)
    bodies = [one.message.body for one in log.messages(lambda name: name.startswith("evaluate/"))]
    checked = [body for body in bodies if isinstance(body, ResponsePrediction)]
    assert {one.verdict for one in checked[-3:]} == {Verdict.MATCH}
    assert checked[-1].r > 0.7 * checked[-1].r_training
    for name in ("log.mcap", "config.yaml", "environment.json", "report/index.html"):
        assert (demo.session / name).stat().st_size > 0
    assert list((demo.session / "report").rglob("*.png"))


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
