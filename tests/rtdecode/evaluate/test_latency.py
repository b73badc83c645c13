"""Latencies are differences of message fields; their quantiles are right within a percent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.evaluate.latency import Latencies, stage_latencies_ms
from rtdecode.schema.messages import Reconstruction


@given(st.lists(st.floats(0.01, 1e5), min_size=1, max_size=200))
def test_quantiles_are_numpys_within_a_percent(spans: list[float]) -> None:
    latencies = Latencies()
    for span in spans:
        latencies.add({"decode": span})
    found = latencies.summary()["decode"]
    p50, p99 = np.percentile(spans, [50, 99], method="inverted_cdf")
    assert found.p50 == pytest.approx(p50, rel=0.0101)
    assert found.p99 == pytest.approx(p99, rel=0.0101)
    assert (found.max, found.n) == (max(spans), len(spans))


def test_each_stage_is_the_difference_of_two_fields() -> None:
    nothing = np.zeros((1, 1), np.float32)
    reconstruction = Reconstruction(
        luminance=nothing,
        uncertainty=nothing,
        frame=0,
        t_frame_mid_ns=1_000_000,
        t_scan_ns=10_000_000,
        t_scan_end_ns=30_000_000,
        t_received_ns=31_000_000,
        t_responses_ns=33_500_000,
        t_ready_ns=50_000_000,
        lag_frames=8,
        steps=3,
        objective=0.0,
        warm=True,
        late=False,
    )
    expected = {"scan": 20.0, "transport": 1.0, "calcium": 2.5, "decode": 16.5, "total": 49.0}
    assert stage_latencies_ms(reconstruction) == expected
    assert list(stage_latencies_ms(reconstruction)) == list(expected)


def test_spans_beyond_the_histogram_stay_countable() -> None:
    latencies = Latencies()
    for span in (-3.0, 0.0, 1e12):
        latencies.add({"page": span})
    found = latencies.summary()["page"]
    assert found.n == 3
    assert found.max == 1e12
    assert found.p50 < 0.01


def test_a_run_without_a_frame_has_no_latencies() -> None:
    assert Latencies().summary() == {}
