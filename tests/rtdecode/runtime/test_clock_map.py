"""Probes between simulated clocks: offset, drift, asymmetry, loss and resets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.runtime.clock import ClockMap, best_of
from rtdecode.schema.messages import ClockProbe

SECOND = 1_000_000_000
OFFSETS = st.integers(-(10**15), 10**15)
DRIFTS = st.floats(-200e-6, 200e-6)


def probe(t_ns: int, *, offset_ns: int, drift: float, out_ns: int, back_ns: int) -> ClockProbe:
    def far(local_ns: int) -> int:
        return local_ns + offset_ns + round(drift * local_ns)

    return ClockProbe(t_ns, far(t_ns + out_ns), far(t_ns + out_ns), t_ns + out_ns + back_ns)


def mapped(
    *, offset_ns: int, drift: float, exchanges: int = 30, seed: int = 0, kept: float = 1.0
) -> ClockMap:
    rng, clock = np.random.default_rng(seed), ClockMap()
    for exchange in range(exchanges):
        probes = [
            probe(
                2 * SECOND * exchange + 10_000_000 * n,
                offset_ns=offset_ns,
                drift=drift,
                out_ns=100_000 + int(rng.exponential(400_000)),
                back_ns=100_000 + int(rng.exponential(400_000)),
            )
            for n in range(8)
            if n == 0 or rng.random() < kept
        ]
        clock.absorb(probes)
    return clock


@given(offset_ns=OFFSETS, drift=DRIFTS, seed=st.integers(0, 99))
def test_offset_and_drift_are_found_within_the_stated_uncertainty(
    offset_ns: int, drift: float, seed: int
) -> None:
    clock = mapped(offset_ns=offset_ns, drift=drift, seed=seed)
    local_ns = 61 * SECOND
    truth_ns = local_ns + offset_ns + round(drift * local_ns)
    assert abs(clock.to_host_ns(local_ns) - truth_ns) < 2 * clock.uncertainty_ns


@given(offset_ns=OFFSETS, drift=DRIFTS, local_ns=st.integers(0, 10**12))
def test_there_and_back_is_the_same_time(offset_ns: int, drift: float, local_ns: int) -> None:
    clock = mapped(offset_ns=offset_ns, drift=drift, exchanges=3)
    assert abs(clock.to_local_ns(clock.to_host_ns(local_ns)) - local_ns) <= 2


def test_lost_probes_cost_precision_only() -> None:
    clock = mapped(offset_ns=5 * SECOND, drift=1e-4, kept=0.2)
    truth_ns = 60 * SECOND + 5 * SECOND + round(1e-4 * 60 * SECOND)
    assert abs(clock.to_host_ns(60 * SECOND) - truth_ns) < 2 * clock.uncertainty_ns


def test_the_quickest_probe_of_an_exchange_counts() -> None:
    slow = probe(0, offset_ns=0, drift=0, out_ns=9_000_000, back_ns=1_000_000)
    quick = probe(0, offset_ns=0, drift=0, out_ns=100, back_ns=100)
    assert best_of([slow, quick]).offset_ns == pytest.approx(0)
    assert best_of([slow]).uncertainty_ns == pytest.approx(5_000_000)


def test_a_reset_clock_is_noticed_and_followed_at_once() -> None:
    clock = mapped(offset_ns=0, drift=0)
    clock.absorb([probe(70 * SECOND, offset_ns=SECOND, drift=0, out_ns=100, back_ns=100)])
    assert clock.n_resets == 1
    assert clock.to_host_ns(70 * SECOND) == 71 * SECOND


def test_before_the_first_exchange_nothing_is_claimed() -> None:
    clock = ClockMap()
    assert clock.to_host_ns(7) == 7
    assert clock.uncertainty_ns == float("inf")
