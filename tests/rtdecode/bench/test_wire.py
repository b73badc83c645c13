"""The wire benchmark measures real hops between two processes and loses nothing."""

import pytest
from lab_keys import own_address

from rtdecode.bench.wire import benchmark_wire


@pytest.mark.system
def test_each_transport_and_size_gives_a_row_without_loss() -> None:
    own_address()  # where this machine is in no network, there is no row with a key
    rows = benchmark_wire(sides_px=(16,), count=20)
    assert [row["transport"] for row in rows] == ["ipc", "tcp", "tcp with key"]
    for row in rows:
        assert row["messages"] == 20
        assert row["lost"] == 0
        assert 0 < row["p50_ms"] <= row["p99_ms"]
