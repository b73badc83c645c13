"""The wire benchmark measures real hops between two processes and loses nothing."""

import pytest

from rtdecode.bench.wire import benchmark_wire


@pytest.mark.system
def test_each_transport_and_size_gives_a_row_without_loss() -> None:
    rows = benchmark_wire(sides_px=(16,), count=20)
    assert [(row["transport"], row["side_px"]) for row in rows] == [("ipc", 16), ("tcp", 16)]
    for row in rows:
        assert row["messages"] == 20
        assert row["lost"] == 0
        assert 0 < row["p50_ms"] <= row["p99_ms"]
