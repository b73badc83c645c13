"""Reconstruction by method name, its table, and its errors."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from rtdecode.cli import app
from rtdecode.commands.reconstruct import quality_table, summary_table
from rtdecode.datasets.sensorium import SensoriumFolder


def told(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words), "--threads", "1"])


def shown(table: Any) -> str:
    console = Console(width=160, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def summary(**changes: Any) -> dict[str, Any]:
    metric = {"mean": 0.5123, "ci95": [0.4, 0.6], "per_clip": [0.4, 0.6]}
    metrics = dict.fromkeys(("video_r", "frame_r", "ssim", "shift_ms"), metric)
    cost = {"twin_passes_per_frame": 3.0, "seconds_per_frame": 0.0123}
    which = {"method": "online", "lag_frames": 8, "steps": 3, "neurons": 2000}
    return {**metrics, **cost, **which, **changes}


def test_online_reconstruction_writes_videos_and_scores(
    blob_session: SensoriumFolder, blob_twin: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = told(
        "reconstruct", "--data", blob_session.folder, "--twin", blob_twin, "--out", out,
        "--lag-frames", 4, "--steps", 1,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    [trial] = blob_session.trials("test")
    assert np.isnan(np.load(out / f"{trial}.npy")[-4:]).all()
    content = json.loads((out / "summary.json").read_text())
    assert (content["method"], content["lag_frames"], content["steps"]) == ("online", 4, 1)
    assert f"{content['video_r']['mean']:.3f}" in done.stdout


def test_the_mean_frame_needs_no_twin(blob_session: SensoriumFolder, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = told(
        "reconstruct", "--data", blob_session.folder, "--method", "mean", "--tier", "oracle",
        "--out", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert len(json.loads((out / "summary.json").read_text())["video_r"]["per_clip"]) == 2
    assert "there is no screen mask, so the whole screen is scored" in done.stderr


def test_clips_that_the_twin_was_trained_on_are_refused(
    blob_session: SensoriumFolder, blob_twin: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = told(
        "reconstruct", "--data", blob_session.folder, "--twin", blob_twin, "--tier", "train",
        "--out", out,
    )  # fmt: skip
    assert done.exit_code == 2
    assert "trial 0 shows training clip 0" in done.stderr
    assert not (out / "summary.json").exists()


@pytest.mark.parametrize("verb", [["reconstruct"], ["bench", "quality"]])
def test_a_wrong_folder_is_bad_input_with_a_named_reason(
    verb: list[str], blob_twin: Path, tmp_path: Path
) -> None:
    done = told(*verb, "--data", tmp_path / "nothing", "--twin", blob_twin, "--out", tmp_path / "o")
    assert done.exit_code == 2
    assert ": give a folder in the Sensorium" in done.stderr
    assert "Traceback" not in done.output
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--method", "online"], "--twin is needed for --method online: add it to the command"),
        (["--method", "ridge"], "--ridge is needed for --method ridge: add it to the command"),
        (["--tier", "final", "--method", "mean"], "no trial of tier 'final'"),
        (["--input", "traces", "--method", "mean"], "use --input responses for this session"),
        (["--mask", "none.npy", "--method", "mean"], "make one with `rtdecode fit mask`"),
        (["--method", "magic"], "magic"),
        (["--lag-frames", "-2"], "--lag-frames"),
    ],
)
def test_what_cannot_be_done_is_bad_input(
    blob_session: SensoriumFolder, tmp_path: Path, words: list[str], reason: str
) -> None:
    done = told("reconstruct", "--data", blob_session.folder, "--out", tmp_path / "o", *words)
    assert done.exit_code == 2
    assert reason in done.stderr
    assert "Traceback" not in done.output


def test_a_table_without_a_twin_is_bad_input(blob_session: SensoriumFolder, tmp_path: Path) -> None:
    done = told("bench", "quality", "--data", blob_session.folder, "--out", tmp_path / "o")
    assert done.exit_code == 2
    assert "--twin is needed for bench quality" in done.stderr


def test_a_summary_is_printed_with_intervals_and_cost() -> None:
    text = shown(summary_table(summary()))
    for part in ("video_r", "0.512", "0.400 to 0.600", "twin passes per frame", "12.30"):
        assert part in text


def test_a_table_has_a_line_for_each_row_and_names_whole_clips() -> None:
    rows = [summary(), summary(method="offline", lag_frames=None, steps=60)]
    lines = [line.split() for line in shown(quality_table(rows)).splitlines()]
    assert any({"online", "8", "2000"} <= set(line) for line in lines)
    assert any({"offline", "clip", "60"} <= set(line) for line in lines)


@pytest.mark.system
def test_two_workers_write_what_one_process_writes(
    blob_session: SensoriumFolder, blob_twin: Path, tmp_path: Path
) -> None:
    data = ("--data", str(blob_session.folder), "--twin", str(blob_twin), "--tier", "oracle")
    ways = {"alone": (), "shared": ("--cluster", "local", "--workers", "2")}
    for out, way in ways.items():
        command = (sys.executable, "-m", "rtdecode", "reconstruct", *data, "--steps", "1", *way)
        subprocess.run((*command, "--threads", "1", "--out", str(tmp_path / out)), check=True)
    for trial in blob_session.trials("oracle"):
        alone, shared = (np.load(tmp_path / out / f"{trial}.npy") for out in ways)
        np.testing.assert_array_equal(alone, shared)
    alone, shared = (json.loads((tmp_path / out / "summary.json").read_text()) for out in ways)
    measured = {"seconds_per_frame": 0, "commit": ""}
    assert alone | measured == shared | measured
