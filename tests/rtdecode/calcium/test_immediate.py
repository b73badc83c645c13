"""Events are jumps above the noise, dF/F is returned unchanged, and both are causal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from seeds import assert_estimates

from rtdecode.calcium.deconvolve import DffReader, EventDetector, event_threshold

DECAY = np.full(2, 20.0, np.float32)
EVERYWHERE = np.ones(2, bool)


def detector(threshold: float) -> EventDetector:
    return EventDetector(DECAY, threshold=np.full(2, threshold, np.float32))


def read(reading: EventDetector | DffReader, trace: np.ndarray) -> np.ndarray:
    """(scan, neuron) activity of a (scan, neuron) trace."""
    found = []
    for scan, row in enumerate(trace.astype(np.float32)):
        reading.absorb(row, EVERYWHERE, scan=scan)
        found.append(reading.read(scan))
    return np.array(found)


def test_a_transient_is_one_event_of_its_size() -> None:
    trace = np.zeros((50, 2))
    trace[10:, 1] = 0.8 * np.exp(-np.arange(40) / 20.0)
    events = read(detector(0.1), trace)
    assert np.flatnonzero(events[:, 1]).tolist() == [10]
    assert events[10, 1] == pytest.approx(0.8)
    assert not events[:, 0].any()


def test_noise_exceeds_the_threshold_as_rarely_as_a_gaussian_does() -> None:
    threshold = event_threshold(np.full(2, 0.2, np.float32), DECAY, noise_sd=2.0)

    def share_of_events(seed: int) -> float:
        noise = np.random.default_rng(seed).normal(0, 0.2, (2000, 2))
        return float((read(EventDetector(DECAY, threshold=threshold), noise) > 0).mean())

    assert_estimates(share_of_events, norm.sf(2.0), largest_error=0.2)


@settings(max_examples=20)
@given(cut=st.integers(1, 39), seed=st.integers(0, 5))
def test_the_future_changes_nothing_in_the_past(cut: int, seed: int) -> None:
    trace = np.random.default_rng(seed).normal(0, 1, (40, 2))
    other = np.concatenate([trace[:cut], 3 + trace[cut:]])
    for make in (lambda: detector(1.0), DffReader):
        np.testing.assert_array_equal(read(make(), trace)[:cut], read(make(), other)[:cut])


def test_a_lost_scan_only_lengthens_the_decay() -> None:
    reading, after = detector(0.05), np.float32(np.exp(-5 / 20))
    reading.absorb(np.array([1, 1], np.float32), EVERYWHERE, scan=0)
    reading.absorb(np.array([9, 9], np.float32), np.zeros(2, bool), scan=3)
    reading.absorb(np.array([after, after + 0.2], np.float32), EVERYWHERE, scan=5)
    assert not reading.read(0).any()
    assert not reading.read(3).any()
    np.testing.assert_allclose(reading.read(5), [0, 0.2], atol=1e-6)


def test_dff_is_returned_unchanged() -> None:
    trace = np.random.default_rng(1).normal(0, 1, (9, 2)).astype(np.float32)
    np.testing.assert_array_equal(read(DffReader(), trace), trace)
