"""A result can be read back, and says what it was measured on."""

import json
from pathlib import Path

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
