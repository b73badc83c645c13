"""Published weights become a twin folder by one command."""

import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
import torch
from typer.testing import CliRunner, Result

from rtdecode.cli import app
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.schema.errors import TwinReplacedError
from rtdecode.twins.dwiseneuro.network import DwiseNeuro
from rtdecode.twins.folder import load_twin
from rtdecode.twins.record import DESCRIPTION, NOISE, WEIGHTS
from rtdecode.twins.staged_folder import staged
from rtdecode.twins.twin import TwinSpec

SIZES = {
    "expansion": 2,
    "squeeze": 4,
    "space_px": 3,
    "taps": 3,
    "groups": 2,
    "hop_frames": 8,
    "core_0": 4,
    "cortex_0": 6,
}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A checkpoint in the published layout whose readout is padded by a neuron."""
    state = DwiseNeuro(TwinSpec("dwiseneuro", 5, sizes=SIZES)).state_dict()
    theirs = {
        name.replace("_conv_dw", "_covn_dw").replace("readout.", "readouts.0."): value
        for name, value in state.items()
    }
    torch.save({"nn_state_dict": theirs}, tmp_path / "theirs.pth")
    return tmp_path / "theirs.pth"


def invoked(weights: Path, out: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["import-twin", str(weights), "--out", str(out), *words])


def test_a_checkpoint_becomes_a_twin_folder_and_is_described(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "twin"
    done = invoked(weights, out, "--format", "dwiseneuro", "--neurons", "5")
    assert done.exit_code == 0, done.output
    assert "dwiseneuro twin of 5 neurons (not causal)" in done.stdout
    assert load_twin(out).spec.neurons == 5


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--format", "onnx"], "--format onnx is not known: give one of sensorium2022, dwiseneuro"),
        (["--format", "sensorium2022"], "no readout position"),
        (["--format", "dwiseneuro", "--mouse", "3"], "choose one of them with --mouse"),
        (["--format", "dwiseneuro", "--neurons", "9"], "a readout of 6 neurons for mouse 0, not 9"),
    ],
)
def test_what_does_not_fit_is_bad_input(
    weights: Path, tmp_path: Path, words: list[str], reason: str
) -> None:
    done = invoked(weights, tmp_path / "twin", *words)
    assert done.exit_code == 2
    assert reason in done.stderr
    assert not (tmp_path / "twin").exists()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_is_no_folder_for_a_twin(weights: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for out in (file, file / "below"):
        done = invoked(weights, out, "--format", "dwiseneuro", "--neurons", "5")
        assert done.exit_code == 2, done.output
        assert "choose another path" in done.stderr
    assert file.read_text() == "mine"


def test_the_working_folder_can_have_the_twin(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    done = invoked(weights, Path(), "--format", "dwiseneuro", "--neurons", "5")
    assert done.exit_code == 0, done.output
    assert load_twin(here).spec.neurons == 5


def test_a_failed_measurement_leaves_nothing_and_the_earlier_twin(
    weights: Path, tmp_path: Path
) -> None:
    words = ("--format", "dwiseneuro", "--neurons", "5")
    out, absent = tmp_path / "twin", str(tmp_path / "absent")
    assert invoked(weights, out, *words, "--data", absent).exit_code == 2
    assert not out.exists()
    assert invoked(weights, out, *words).exit_code == 0
    before = files(out)
    assert invoked(weights, out, *words, "--data", absent).exit_code == 2
    assert files(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["theirs.pth", "twin"]


def test_a_session_of_other_neurons_is_refused_in_words_of_the_command(
    weights: Path, tmp_path: Path, blob_session: SensoriumFolder
) -> None:
    out = tmp_path / "twin"
    words = ("--format", "dwiseneuro", "--neurons", "5", "--data", str(blob_session.folder))
    done = invoked(weights, out, *words)
    assert done.exit_code == 2
    says = f"twin {out} has 5 neurons, but session {blob_session.folder} has 12: "
    assert f"{says}give the session of the neurons that it was trained on as --data" in done.stderr
    assert "--mouse" in done.stderr
    assert "calcium" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["theirs.pth"]


def test_a_folder_with_files_of_another_twin_is_refused_and_stays(
    weights: Path, tmp_path: Path
) -> None:
    """A noise model of other weights would be used with the imported ones."""
    words = ("--format", "dwiseneuro", "--neurons", "5")
    out = tmp_path / "twin"
    out.mkdir()
    (out / NOISE).write_bytes(b"fitted")
    done = invoked(weights, out, *words)
    assert done.exit_code == 2
    assert "noise.safetensors of another twin" in done.stderr
    assert "choose another --out" in done.stderr
    assert files(out) == {NOISE: b"fitted"}
    (out / NOISE).rename(out / "mask.npy")
    assert invoked(weights, out, *words).exit_code == 0
    (out / NOISE).write_bytes(b"measured")
    assert invoked(weights, out, *words).exit_code == 0
    assert files(out).keys() == {DESCRIPTION, WEIGHTS, NOISE, "mask.npy"}
    (out / WEIGHTS).write_bytes(b"of another twin")
    before = files(out)
    assert invoked(weights, out, *words).exit_code == 2
    assert files(out) == before


def test_a_twin_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "twin"

    def fitted_meanwhile() -> None:
        out.mkdir()
        (out / WEIGHTS).write_bytes(b"fitted meanwhile")

    with pytest.raises(TwinReplacedError, match="another twin"), staged(out):
        fitted_meanwhile()
    assert files(out) == {WEIGHTS: b"fitted meanwhile"}
    assert list(tmp_path.iterdir()) == [out]


KILLED = """
import os, sys
from pathlib import Path
from rtdecode.twins.staged_folder import staged

with staged(Path(sys.argv[1])) as folder:
    (folder / "twin.json").write_text("half")
    print(folder.name, flush=True)
    sys.stdin.readline()
    os._exit(3)
"""


def test_what_a_killed_import_has_left_is_removed_by_the_next_of_the_same_name(
    weights: Path, tmp_path: Path
) -> None:
    words = ("--format", "dwiseneuro", "--neurons", "5")
    out, other = tmp_path / "twin", tmp_path / "other"
    argv = [sys.executable, "-c", KILLED, str(out)]
    with subprocess.Popen(argv, stdin=PIPE, stdout=PIPE, text=True) as running:
        assert running.stdout is not None
        left = running.stdout.readline().strip()
        busy = invoked(weights, out, *words)
        running.communicate("end\n")
    assert busy.exit_code == 2
    assert f"{out} is being written by process {running.pid}" in busy.stderr
    assert "choose another --out" in busy.stderr
    assert left.startswith("twin.rtdecode-unfinished-")
    assert invoked(weights, other, *words).exit_code == 0
    assert (tmp_path / left).is_dir()
    assert invoked(weights, out, *words).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "theirs.pth", "twin"]
    assert load_twin(out).spec.neurons == 5


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    done = invoked(tmp_path / "none.pth", tmp_path / "twin", "--format", "dwiseneuro")
    assert done.exit_code == 2
    assert "none.pth does not exist: give the file that the authors published" in done.stderr
