"""Fits to a session folder write their files; a wrong folder is refused in one sentence."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from rtdecode.commands.fit import app
from rtdecode.datasets.sensorium import SensoriumFolder, SessionWriter
from rtdecode.datasets.video_session import Segment
from rtdecode.offline.direct import DirectDecoder
from rtdecode.offline.linear_features import Transform
from rtdecode.offline.ridge import Ridge
from rtdecode.twins.folder import load_twin

MASK = "mask.npy"


def told(verb: str, **options: object) -> Result:
    arguments = [
        word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)
    ]
    return CliRunner().invoke(app, [verb, *map(str, arguments), "--threads", "1"])


def test_a_twin_is_trained_and_its_prediction_is_reported(
    blob_session: SensoriumFolder, tmp_path: Path
) -> None:
    done = told("twin", data=blob_session.folder, out=tmp_path / "t", steps=50, seed=2)
    assert done.exit_code == 0, done.output
    assert load_twin(tmp_path / "t").spec.neurons == 12
    assert done.stdout.splitlines()[:2] == ["reading the session", "training"]
    assert "measuring uncertainty" in done.stdout
    assert f"are in {tmp_path / 't'}" in done.stdout
    assert "fewer than 30 are seldom enough" in done.stderr
    assert "single-trial r" in done.stdout
    assert (tmp_path / "t" / "training.json").read_text().count('"seed": 2') == 1


def several(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["twin", *map(str, arguments), "--threads", "1"])


def test_sessions_with_other_neurons_are_bad_input_until_they_are_matched(
    blob_session: SensoriumFolder, tmp_path: Path
) -> None:
    writer = SessionWriter(tmp_path / "few")
    cut = blob_session.segment(0)
    writer.add(Segment(cut.video, cut.responses[:, :3], cut.behaviour), tier="train")
    both = ("--data", blob_session.folder, "--data", tmp_path / "few", "--out", tmp_path / "t")
    done = several(*both)
    assert done.exit_code == 2
    assert "12 and 3 neurons: give --match" in done.stderr
    (tmp_path / "table.csv").write_text("a,b\n0,7\n")
    done = several(*both, "--match", tmp_path / "table.csv")
    assert done.exit_code == 2
    assert "expected places from 0 to 2 in the column b, got '7' in line 2" in done.stderr
    assert not (tmp_path / "t").exists()


def test_options_that_exclude_each_other_are_bad_input(tmp_path: Path) -> None:
    one = ("--data", tmp_path, "--out", tmp_path / "t")
    assert "--population needs two --data" in several(*one, "--population").stderr
    assert "--match needs two --data" in several(*one, "--match", tmp_path / "m.csv").stderr


def test_threads_that_wait_sleep_unless_the_user_has_them_spin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for before, after in (("", "passive"), ("active", "active")):
        monkeypatch.setenv("OMP_WAIT_POLICY", before)
        if not before:
            monkeypatch.delenv("OMP_WAIT_POLICY")
        several("--data", tmp_path / "nothing", "--out", tmp_path / "t")
        assert os.environ["OMP_WAIT_POLICY"] == after


def test_a_readout_takes_fewer_steps_than_a_full_twin(
    blob_session: SensoriumFolder, blob_twin: Path, tmp_path: Path
) -> None:
    asked: list[dict[str, object]] = [{}, {"core": blob_twin}]
    steps = []
    for place, core in enumerate(asked):
        out = tmp_path / str(place)
        done = told("twin", data=blob_session.folder, out=out, max_minutes=0.05, **core)
        assert done.exit_code == 0, done.output
        steps.append(json.loads((out / "training.json").read_text())["config"]["steps"])
    assert steps == [1500, 400]


def test_a_linear_decoder_is_fitted_and_its_penalty_is_marked(
    blob_session: SensoriumFolder, tmp_path: Path
) -> None:
    done = told("ridge", data=blob_session.folder, out=tmp_path / "r", lag_frames=3)
    assert done.exit_code == 0, done.output
    ridge = Ridge.load(tmp_path / "r")
    assert ridge.lag_frames == 3
    assert f"{ridge.penalty:g} *" in done.stdout
    assert f"is in {tmp_path / 'r'}" in done.stdout


def test_a_direct_decoder_is_fitted_and_its_best_step_is_marked(
    blob_session: SensoriumFolder, tmp_path: Path
) -> None:
    out = tmp_path / "d"
    done = told("direct", data=blob_session.folder, out=out, lag_frames=3, steps=25, seed=4)
    assert done.exit_code == 0, done.output
    assert DirectDecoder.load(out).lag_frames == 3
    assert (out / "direct.json").read_text().count('"seed": 4') == 1
    assert "linear estimate" in done.stdout
    assert done.stdout.count(" *") == 1
    assert "fewer than 30 are seldom enough" in done.stderr
    assert f"is in {out}" in done.stdout


def test_a_linear_decoder_can_start_from_square_roots(
    blob_session: SensoriumFolder, tmp_path: Path
) -> None:
    done = told("ridge", data=blob_session.folder, out=tmp_path / "r", transform="sqrt")
    assert done.exit_code == 0, done.output
    assert Ridge.load(tmp_path / "r").features.transform is Transform.SQRT


def test_a_mask_that_would_be_empty_is_the_whole_screen_with_a_warning(
    blob_session: SensoriumFolder, blob_twin: Path, tmp_path: Path
) -> None:
    out = tmp_path / MASK
    asked = {"data": blob_session.folder, "twin": blob_twin, "out": out}
    done = told("mask", **asked, method="published", steps=1)
    assert done.exit_code == 0, done.output
    assert "give more --steps" in done.stderr
    assert "192 of 192 pixels" in " ".join(done.stdout.split())
    assert np.load(out).all()


def test_a_mask_is_written_with_its_transparency(
    blob_session: SensoriumFolder, blob_twin: Path, tmp_path: Path
) -> None:
    out = tmp_path / MASK
    asked = {"data": blob_session.folder, "twin": blob_twin, "out": out}
    done = told("mask", **asked, method="published", steps=450)
    assert done.exit_code == 0, done.output
    mask = np.load(out)
    assert f"{mask.sum()} of {mask.size} pixels" in " ".join(done.stdout.split())
    np.testing.assert_array_equal(np.load(tmp_path / "mask_transparency.npy") >= 1, mask)


def test_a_mask_is_made_from_the_posterior_unless_another_method_is_asked_for(
    blob_session: SensoriumFolder, blob_twin: Path, tmp_path: Path
) -> None:
    out = tmp_path / MASK
    done = told("mask", data=blob_session.folder, twin=blob_twin, out=out, fraction=0.01)
    assert done.exit_code == 0, done.output
    assert "(method posterior)" in done.stdout
    np.testing.assert_array_equal(np.load(tmp_path / "mask_transparency.npy") >= 1, np.load(out))


@pytest.mark.parametrize("verb", ["twin", "ridge", "direct", "mask"])
def test_a_wrong_folder_is_bad_input_with_a_named_reason(
    verb: str, blob_twin: Path, tmp_path: Path
) -> None:
    options: dict[str, object] = {"data": tmp_path / "nothing", "out": tmp_path / "out"}
    done = told(verb, **options, **({"twin": blob_twin} if verb == "mask" else {}))
    assert done.exit_code == 2
    assert done.stderr.startswith("rtdecode: session file")
    assert ": give a folder in the Sensorium 2023 layout" in done.stderr
    assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists()


def test_an_architecture_that_cannot_be_trained_is_bad_input(
    blob_session: SensoriumFolder, tmp_path: Path
) -> None:
    done = told("twin", data=blob_session.folder, out=tmp_path / "t", model="huge")
    assert done.exit_code == 2
    assert "no training for model 'huge': choose compact" in done.stderr


def test_a_twin_that_is_none_is_bad_input(blob_session: SensoriumFolder, tmp_path: Path) -> None:
    done = told("mask", data=blob_session.folder, twin=tmp_path, out=tmp_path / MASK)
    assert done.exit_code == 2
    assert "twin.json does not exist" in done.stderr


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("twin", {"steps": 3}),
        ("ridge", {"lag_frames": -1}),
        ("direct", {"steps": 1}),
        ("mask", {}),
    ],
)
def test_options_that_cannot_be_are_bad_input(
    verb: str, options: dict[str, object], tmp_path: Path
) -> None:
    done = told(verb, data=tmp_path, out=tmp_path / "out", **options)
    assert done.exit_code == 2
    assert "--" in done.stderr
