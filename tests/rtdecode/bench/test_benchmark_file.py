"""A result can be read again, and states on which machine it was measured."""

import json
import sys
from pathlib import Path

import pytest

from rtdecode.bench.result_file import read_results, write_benchmark
from rtdecode.schema.errors import DamagedResultError, OtherSettingsError


def test_figures_come_with_commit_machine_versions_and_settings(tmp_path: Path) -> None:
    path = tmp_path / "results" / "wire.json"
    write_benchmark(path, name="wire", config={"count": 3}, results=[{"p50_ms": 0.5}])
    content = json.loads(path.read_text())
    assert content["results"] == [{"p50_ms": 0.5}]
    assert content["config"] == {"count": 3}
    assert content["environment"]["git_revision"]
    assert content["environment"]["cores"] >= 1
    assert "numpy" in content["environment"]["versions"]


def test_folders_of_this_machine_are_not_written(
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


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_benchmark(path, name="wire", config={}, results=[1])
    with pytest.raises(TypeError):
        write_benchmark(path, name="wire", config={}, results=[object()])
    assert json.loads(path.read_text())["results"] == [1]
    assert list(tmp_path.iterdir()) == [path]


def test_rows_are_read_back_with_the_settings_they_were_written_with(tmp_path: Path) -> None:
    path, config = tmp_path / "r.json", {"twins": (str(tmp_path / "mouse"),), "trials": None}
    write_benchmark(path, name="quality", config=config, results=[{"r": 0.5}])
    assert read_results(path, name="quality", config=config) == [{"r": 0.5}]


def test_all_that_differs_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_benchmark(path, name="wire", config={"count": 3, "old": 1}, results=[])
    with pytest.raises(OtherSettingsError) as caught:
        read_results(path, name="quality", config={"count": 4, "new": "x"})
    text = str(caught.value)
    for part in ("benchmark (wire there, quality here)", "count (3 there, 4 here)"):
        assert part in text
    assert "new (None there, x here)" in text
    assert "old (1 there, None here)" in text


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", "\xff", '{"benchmark": "w", "config": {}, "results": [1]}']
)
def test_what_is_no_result_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text, encoding="latin-1")
    with pytest.raises(DamagedResultError, match=r"r\.json cannot be continued"):
        read_results(tmp_path / "r.json", name="w", config={})
