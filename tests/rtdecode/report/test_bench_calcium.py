"""The benchmark of the chain measures every step, and what it reports adds up."""

import pytest

from rtdecode.report.bench_calcium import benchmark_calcium


def test_every_step_is_measured_and_the_shares_add_up() -> None:
    report = benchmark_calcium(64, 20, scans=30)
    assert report["cells"] == 20
    assert sum(report["share"].values()) == pytest.approx(1)
    assert set(report["share"]) == set(report["steps_ms"]) >= {"register", "deconvolve"}
    assert 0 < report["ms"]["p50"] <= report["ms"]["p99"] <= report["ms"]["max"]
    assert report["cpu_ms"]["p50"] > 0
