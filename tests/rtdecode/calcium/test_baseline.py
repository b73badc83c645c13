"""The running percentile is close to the exact one and depends on the past alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.calcium.baseline import Baseline


def run(trace: np.ndarray, *, window: int = 300, percentile: float = 10.0) -> np.ndarray:
    baseline = Baseline(trace.shape[1], window_scans=window, percentile=percentile)
    everywhere = np.ones(trace.shape[1], bool)
    return np.array([baseline.update(row, everywhere).copy() for row in trace])


def busy_trace(scans: int, seed: int) -> np.ndarray:
    """Five neurons with transients on 100 counts that bleach by a fifth; (scan, neuron)."""
    rng = np.random.default_rng(seed)
    spikes = rng.poisson(0.02, (scans, 5)).astype(float)
    for t in range(1, scans):
        spikes[t] += 0.95 * spikes[t - 1]
    resting = 100 * np.linspace(1, 0.8, scans)[:, None]
    return (resting * (1 + 0.3 * spikes) + rng.normal(0, 3, (scans, 5))).astype(np.float32)


def test_the_baseline_follows_bleaching() -> None:
    trace = busy_trace(2000, 0)
    resting = 100 * np.linspace(1, 0.8, 2000)
    found = run(trace)[400:]
    assert np.abs(found / resting[400:, None] - 1).max() < 0.12
    exact = np.array([np.percentile(trace[t - 299 : t + 1], 10, axis=0) for t in range(400, 2000)])
    assert np.abs(found - exact).mean() < 3


@settings(max_examples=20, deadline=None)
@given(cut=st.integers(1, 99), seed=st.integers(0, 5))
def test_the_future_changes_nothing_in_the_past(cut: int, seed: int) -> None:
    trace = busy_trace(100, seed)
    other = trace.copy()
    other[cut:] *= 3
    np.testing.assert_array_equal(run(trace, window=40)[:cut], run(other, window=40)[:cut])


def test_a_constant_is_its_own_baseline() -> None:
    found = run(np.full((150, 3), 7, np.float32), window=20)
    np.testing.assert_allclose(found, 7, rtol=1e-6)


def test_a_neuron_that_is_not_measured_keeps_its_baseline() -> None:
    baseline = Baseline(2, window_scans=10, percentile=20)
    baseline.seed(np.array([5, 6], np.float32))
    for _ in range(30):
        found = baseline.update(np.array([50, 60], np.float32), np.array([True, False]))
    assert found.tolist() == [50, 6]
