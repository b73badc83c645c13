"""The studies of limits run from the command line, on a recorded session and on the demo mouse."""

import json
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from rtdecode.bench import demo_subject, errors, limits, resolution
from rtdecode.bench.demo_subject import DemoSettings
from rtdecode.bench.errors import ErrorSettings
from rtdecode.bench.limits import LimitSettings
from rtdecode.bench.resolution import ResolutionSettings
from rtdecode.cli import app
from rtdecode.datasets.sensorium import SensoriumFolder

FEW = {"lag_frames": 2, "steps": 1}


def told(*words: object) -> Result:
    return CliRunner().invoke(app, ["bench", *map(str, words)])


@pytest.mark.slow
def test_each_study_writes_its_rows_and_its_figure(
    blob_session: SensoriumFolder,
    blob_twin: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = {"spaces_px": (4.0,), "times_frames": (2.0,), "cycles_px": (), "frames": 40}
    monkeypatch.setattr(
        resolution,
        "ResolutionSettings",
        partial(ResolutionSettings, **FEW, **small, offline_iterations=3),
    )
    monkeypatch.setattr(
        limits,
        "LimitSettings",
        partial(
            LimitSettings, **FEW, neuron_parts=(2,), weight_errors=(0.2,), offline_iterations=3
        ),
    )
    monkeypatch.setattr(errors, "ErrorSettings", partial(ErrorSettings, **FEW))
    mouse = ("--data", blob_session.folder, "--twin", blob_twin)
    for study, options, figure in (
        ("resolution", ("--clips", 1), "resolution_noise.png"),
        ("limits", ("--trials", 1), "limits.png"),
        ("errors", ("--trials", 1, "--draws", 4), "errors.png"),
    ):
        file = tmp_path / f"{study}.json"
        done = told(study, *mouse, "--json", file, "--out", tmp_path / "figures", *options)
        assert done.exit_code == 0, done.output
        content = json.loads(file.read_text())
        assert content["benchmark"] == study
        assert content["config"]["data"] == "blobs"
        count = len(content["results"])
        assert f"{count} of {count}: " in done.stdout
        assert (tmp_path / "figures" / figure).stat().st_size > 1000


@pytest.mark.slow
def test_without_data_the_demo_mouse_is_simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_subject, "DemoSettings", partial(DemoSettings, clip_s=2.0))
    monkeypatch.setattr(errors, "ErrorSettings", partial(ErrorSettings, **FEW))
    file = tmp_path / "errors.json"
    done = told("errors", "--json", file, "--trials", 1, "--draws", 4)
    assert done.exit_code == 0, done.output
    content = json.loads(file.read_text())
    assert content["config"]["data"] == "demo mouse"
    assert content["config"]["neurons"] == 1200
    # the clip is decoded: chance would be 0
    assert content["results"][0]["video_r"] > 0.4


def test_a_recorded_session_needs_a_twin(blob_session: SensoriumFolder, tmp_path: Path) -> None:
    done = told("limits", "--data", blob_session.folder, "--json", tmp_path / "limits.json")
    assert done.exit_code == 2
    assert "--twin is needed for --data" in " ".join(done.stderr.split())
