"""`benchmarks/compare.py` measures two worktrees and leaves none, whatever ends it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="worktrees need a git repository"),
]


def command(*words: str) -> list[str]:
    return [sys.executable, "benchmarks/compare.py", "HEAD", "HEAD", "--same", "--smoke", *words]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}


def worktrees() -> str:
    listed = ["git", "-C", str(ROOT), "worktree", "list", "--porcelain"]
    return subprocess.run(listed, check=True, capture_output=True, text=True).stdout


def test_the_smoke_form_measures_and_leaves_no_worktree(tmp_path: Path) -> None:
    written = tmp_path / "compare.json"
    words = command("--turns", "1", "--only", "start", "--only", "wire", "--json", str(written))
    done = subprocess.run(
        words, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(written.read_text(encoding="utf-8"))
    assert found["config"]["a"] == found["config"]["b"]
    rows = {row["figure"]: row for row in found["results"]["rows"] if "figure" in row}
    assert {row["workload"] for row in rows.values()} == {"start", "wire"}
    for name in ("help_cpu_s", "ipc_p50_ms"):
        row = rows[name]
        assert row["ratio"]["median"] == row["b"]["runs"][0] / row["a"]["runs"][0] > 0
        assert name in done.stdout
    assert "noise floor" in done.stdout
    assert str(tmp_path) not in worktrees()
    assert [path.name for path in tmp_path.iterdir()] == ["compare.json"]


def test_ctrl_c_removes_both_worktrees(tmp_path: Path) -> None:
    running = subprocess.Popen(
        command("--only", "wire"), cwd=ROOT, env=environment(tmp_path), stderr=subprocess.PIPE
    )
    # the time limit of the test ends the wait
    while len(list(tmp_path.glob("rtd-compare-*/[ab]/pyproject.toml"))) < 2:
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate()
    assert running.returncode == 130
    assert b"interrupted" in said
    assert str(tmp_path) not in worktrees()
    assert list(tmp_path.iterdir()) == []
