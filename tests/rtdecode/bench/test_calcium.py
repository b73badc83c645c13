"""The benchmark of the chain measures every step, and what it reports adds up."""

import numpy as np
import pytest

from rtdecode.bench.calcium import benchmark_calcium, growth


def test_every_step_is_measured_and_the_shares_add_up() -> None:
    report = benchmark_calcium(64, 20, scans=30)
    assert report["cells"] == 20
    assert sum(report["share"].values()) == pytest.approx(1)
    assert set(report["share"]) == set(report["steps_cpu_ms"]) >= {"register", "deconvolve"}
    assert all(times["p50"] > 0 for times in report["blocks_cpu_ms"].values())
    for clock in ("ms", "cpu_ms"):
        assert 0 < report[clock]["p50"] <= report[clock]["p99"] <= report[clock]["max"]
    assert report["scans_per_s"] == pytest.approx(1e3 / report["ms"]["p50"])


def test_growth_is_a_linear_fit_to_its_rows() -> None:
    report = growth(64, (5, 10, 20), scans=10)
    cells = np.array([row["cells"] for row in report["rows"]])
    medians = np.array([row["cpu_ms"]["p50"] for row in report["rows"]])
    line = report["ms"] + report["ms_per_1000_cells"] * cells / 1000
    assert cells.tolist() == [5, 10, 20]
    assert (medians - line).sum() == pytest.approx(0, abs=1e-9)
    assert report["off_line"] == pytest.approx(np.abs(medians / line - 1).max())
