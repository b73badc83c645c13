"""`rtdecode import-session` states what it wrote, and refuses what cannot be meant."""

from pathlib import Path

import pytest
from suite2p_recording import Recorded
from typer.testing import CliRunner, Result

from rtdecode.cli import app


def told(recorded: Recorded, out: Path, *more: str) -> Result:
    words = ["import-session", str(recorded.plane), "--stimulus", str(recorded.log)]
    words += ["--clips", str(recorded.movies), "--out", str(out)]
    return CliRunner().invoke(app, [*words, "--calibration-s", "8", *more])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("recorded"))


def test_it_states_what_was_written(recorded: Recorded, tmp_path: Path) -> None:
    done = told(
        recorded,
        tmp_path / "imported",
        *("--scan-times", str(recorded.scan_times), "--behaviour", str(recorded.behaviour)),
    )
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "2 neurons, 450 scans in 45 s, 5 presentations of clips" in said
    assert told(recorded, tmp_path / "imported").exit_code == 2  # nothing is overwritten


def test_what_cannot_be_meant_writes_nothing(recorded: Recorded, tmp_path: Path) -> None:
    out = tmp_path / "imported"
    assert told(recorded, out, "--scan-times", str(recorded.log)).exit_code == 2
    assert told(recorded, out, "--behaviour", str(recorded.log)).exit_code == 2
    assert not out.exists()
