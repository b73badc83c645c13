"""A result can be read back, and says what it was measured on."""

import json
import sys
from pathlib import Path

import pytest

from rtdecode.report.benchmark_file import write_benchmark


def test_figures_come_with_commit_machine_versions_and_settings(tmp_path: Path) -> None:
    path = tmp_path / "results" / "wire.json"
    write_benchmark(path, name="wire", config={"count": 3}, results=[{"p50_ms": 0.5}])
    content = json.loads(path.read_text())
    assert content["results"] == [{"p50_ms": 0.5}]
    assert content["config"] == {"count": 3}
    assert content["environment"]["git_revision"]
    assert content["environment"]["cores"] >= 1
    assert "numpy" in content["environment"]["versions"]


def test_where_files_lie_on_this_machine_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mouse = tmp_path / "mouse"
    words = ["--twin", str(mouse), f"one={mouse}:{mouse}", "tcp://127.0.0.1:5710"]
    monkeypatch.setattr(sys, "argv", ["/bin/rtdecode", "bench", *words])
    twins = [str(tmp_path / "mouse"), "configs/demo.yaml"]
    write_benchmark(tmp_path / "r.json", name="decoder", config={"twins": twins}, results={})
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["command"] == [
        *("rtdecode", "bench", "--twin", "mouse", "one=mouse:mouse", "tcp://127.0.0.1:5710")
    ]
    assert content["config"] == {"twins": ["mouse", "configs/demo.yaml"]}
