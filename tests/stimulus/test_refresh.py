"""Screens whose flips wait for the monitor are distinguished from those whose flips do not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.errors import RefreshRateError
from stimulus.pacing import refresh_rate


def flips(hz: float, *, jitter: float = 0.01, seed: int = 0, missed: int = 0) -> list[int]:
    """Sixty flips at `hz`, some of them a refresh too late."""
    rng = np.random.default_rng(seed)
    intervals = (1 + jitter * rng.standard_normal(60)) / hz
    intervals[:missed] *= 2
    return np.rint(intervals.cumsum() * 1e9).astype(int).tolist()


@given(hz=st.sampled_from([50, 59.94, 60, 75, 120, 144, 240]), seed=st.integers(0, 99))
def test_a_steady_usual_rate_is_a_monitor(hz: float, seed: int) -> None:
    found = refresh_rate(flips(hz, seed=seed, missed=3), configured_hz=None)
    assert found == pytest.approx(hz, rel=0.01)


@given(hz=st.sampled_from([12.0, 42.0, 400.0, 5045.0]), seed=st.integers(0, 99))
def test_no_monitor_has_such_a_rate(hz: float, seed: int) -> None:
    assert refresh_rate(flips(hz, seed=seed), configured_hz=None) is None


@given(seed=st.integers(0, 99))
def test_flips_that_scatter_wait_for_no_monitor(seed: int) -> None:
    assert refresh_rate(flips(60.0, jitter=0.3, seed=seed), configured_hz=None) is None


def test_the_configured_rate_is_used_where_it_is_measured() -> None:
    assert refresh_rate(flips(59.8), configured_hz=60.0) == 60.0
    assert refresh_rate(flips(97.0), configured_hz=97.0) == 97.0


@pytest.mark.parametrize("measured", [flips(75.0), flips(60.0, jitter=0.3)])
def test_another_rate_than_the_configured_one_is_refused(measured: list[int]) -> None:
    with pytest.raises(RefreshRateError, match=r"expected 60 as configured.*stimulus\.refresh_hz"):
        refresh_rate(measured, configured_hz=60.0)
