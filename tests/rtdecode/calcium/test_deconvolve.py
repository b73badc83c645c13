"""Online deconvolution approaches offline OASIS within a few scans."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oasis.oasis_methods import oasisAR1

from rtdecode.calcium.deconvolve import PoolDeconvolver

TAU_SCANS = 20.0
KEPT = np.exp(-1 / TAU_SCANS)


def recording(scans: int = 600, *, noise: float = 0.2, seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    spikes = rng.poisson(0.03, scans).astype(float)
    calcium = spikes.copy()
    for t in range(1, scans):
        calcium[t] += KEPT * calcium[t - 1]
    return spikes, (calcium + rng.normal(0, noise, scans)).astype(np.float32)


def online(
    dff: np.ndarray, lag: int, *, rise: float = 0.0, lost: tuple[int, ...] = ()
) -> np.ndarray:
    pools = PoolDeconvolver(
        np.array([TAU_SCANS], np.float32),
        penalty=np.zeros(1, np.float32),
        rise_scans=np.array([rise], np.float32),
    )
    found = np.zeros(len(dff))
    for t, value in enumerate(dff):
        if t not in lost:
            pools.absorb(np.array([value]), np.ones(1, bool), scan=t)
        if t >= lag:
            found[t - lag] = pools.read(t - lag)[0]
    return found


def r(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize(("lag", "share"), [(1, 0.9), (3, 0.95), (8, 0.97)])
def test_a_longer_lag_approaches_offline_oasis(lag: int, share: float) -> None:
    spikes, dff = recording(2000)
    _, offline = oasisAR1(dff.astype(float), KEPT)
    assert r(online(dff, lag), spikes) >= share * r(offline, spikes)


def test_the_final_calcium_equals_that_of_offline_oasis() -> None:
    _, dff = recording(300)
    pools = PoolDeconvolver(np.array([TAU_SCANS], np.float32), penalty=np.zeros(1, np.float32))
    for t, value in enumerate(dff):
        pools.absorb(np.array([value]), np.ones(1, bool), scan=t)
    calcium, _ = oasisAR1(dff.astype(float), KEPT)
    assert pools.read(299)[0] == pytest.approx(calcium[-1], abs=1e-3)


def test_a_transient_without_noise_is_one_jump_in_its_own_scan() -> None:
    dff = np.zeros(60, np.float32)
    dff[10:] = 2 * KEPT ** np.arange(50)
    found = online(dff, 1)
    assert found[10] == pytest.approx(2, abs=1e-5)
    assert np.delete(found, 10).max() < 1e-5


def test_a_rise_is_deconvolved_to_the_scan_in_which_it_began() -> None:
    rise = 2.0
    kernel = KEPT ** np.arange(1, 51) - np.exp(-np.arange(1, 51) / rise)
    dff = np.concatenate([np.zeros(10), kernel]).astype(np.float32)
    found = online(dff, 1, rise=rise)
    assert found.argmax() == 10
    assert np.delete(found, 10).max() < 1e-3


def test_each_neuron_has_its_own_rise() -> None:
    rises, trace = np.array([0.0, 1.5, 3.0], np.float32), recording(80)[1]
    together = PoolDeconvolver(
        np.full(3, TAU_SCANS, np.float32), penalty=np.zeros(3, np.float32), rise_scans=rises
    )
    found = []
    for t, value in enumerate(trace):
        together.absorb(np.full(3, value), np.ones(3, bool), scan=t)
        found.append(together.read(t))
    for one, rise in zip(np.array(found).T, rises, strict=True):
        np.testing.assert_array_equal(one, online(trace, 0, rise=float(rise)).astype(np.float32))


@settings(max_examples=20, deadline=None)
@given(power=st.integers(-8, 8), rise=st.sampled_from([0.0, 1.5]), lag=st.integers(0, 2))
def test_activity_is_proportional_to_the_trace(power: int, rise: float, lag: int) -> None:
    scale, (_, dff) = np.float32(2.0**power), recording(100)
    np.testing.assert_allclose(
        online(scale * dff, lag, rise=rise), scale * online(dff, lag, rise=rise), rtol=1e-6
    )


def test_lost_scans_make_no_activity() -> None:
    dff = (3 * KEPT ** np.arange(80)).astype(np.float32)
    found = online(dff, 2, lost=(20, 21, 22, 40))
    assert found[1:78].max() < 1e-4


@settings(max_examples=20, deadline=None)
@given(cut=st.integers(5, 95), seed=st.integers(0, 9))
def test_the_future_changes_nothing_in_the_past(cut: int, seed: int) -> None:
    _, dff = recording(100, seed=seed)
    other = dff.copy()
    other[cut:] += 5
    lag = 2
    np.testing.assert_array_equal(online(dff, lag)[: cut - lag], online(other, lag)[: cut - lag])


def test_the_activity_read_so_far_sums_to_the_calcium() -> None:
    _, dff = recording(400)
    found = online(dff, 2)
    assert found.min() >= 0
    rebuilt = np.zeros(400)
    for t in range(1, 398):
        rebuilt[t] = KEPT * rebuilt[t - 1] + found[t]
    assert r(rebuilt[10:398], dff[10:398]) > 0.9
