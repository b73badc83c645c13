"""`rtdecode batch`: its table of outcomes, its exit code, and its errors."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rtdecode.cli import app


def told(file: Path, out: Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["batch", str(file), "--out", str(out)])
    return done.exit_code, done.output


def test_a_failed_command_is_named_and_the_others_run(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.txt"
    jobs.write_text("rtdecode export\nrtdecode fit --help\n")
    code, output = told(jobs, tmp_path / "out")
    assert code == 1
    assert "rtdecode export: exit code 2" in output
    assert "1 of 2 commands ended well" in output
    kept = json.loads((tmp_path / "out" / "batch.json").read_text())
    assert [row["exit_code"] for row in kept] == [2, 0]


@pytest.mark.parametrize(
    ("text", "named"), [("rtdecode run x", "line 1"), (None, "does not exist")]
)
def test_bad_batches_are_named(tmp_path: Path, text: str | None, named: str) -> None:
    jobs = tmp_path / "jobs.txt"
    if text is not None:
        jobs.write_text(text)
    code, output = told(jobs, tmp_path / "out")
    assert code == 2
    assert named in output
