"""Rows are written at once, and are read again unchanged."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.bench.result_file import KeptRows


def rows_in(path: Path) -> KeptRows:
    return KeptRows(path, name="quality", config={"trials": 2})


def row(method: str, **others: Any) -> dict[str, Any]:
    metric = {"mean": float("nan"), "per_clip": [0.25, float("nan")]}
    return {"method": method, "lag_frames": None, "shift_ms": metric} | others


def test_each_row_is_in_the_file_as_soon_as_it_is_added(tmp_path: Path) -> None:
    path = tmp_path / "out" / "quality.json"
    rows = rows_in(path)
    assert not path.exists()
    for count, method in enumerate(("mean", "ridge"), start=1):
        rows.add(row(method))
        assert len(json.loads(path.read_text())["results"]) == count


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    """A figure that cannot be had is null in the file and NaN here; a lag of None stays None."""
    first = rows_in(tmp_path / "quality.json")
    first.add(row("offline"))
    again = rows_in(tmp_path / "quality.json")
    np.testing.assert_equal(again.rows, first.rows)
    again.add(row("reference"))
    assert [r["method"] for r in rows_in(tmp_path / "quality.json").rows] == [
        "offline",
        "reference",
    ]


def test_a_row_is_found_by_all_that_makes_it_one(tmp_path: Path) -> None:
    rows = rows_in(tmp_path / "quality.json")
    rows.add(row("reference", steps=10, twins=1))
    rows.add(row("reference", steps=10, twins=2))
    assert rows.find(method="reference", steps=10, twins=2) is rows.rows[1]
    assert rows.find(method="reference", lag_frames=None) is rows.rows[0]
    assert rows.find(method="reference", steps=20, twins=1) is None
    assert rows.find(method="online") is None
