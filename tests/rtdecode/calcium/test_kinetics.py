"""Decay, rise and noise are estimated from short recordings and shrunk to the indicator's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oasis.functions import deconvolve
from seeds import SEEDS, assert_estimates

from rtdecode.calcium.deconvolve import PoolDeconvolver
from rtdecode.calcium.kinetics import KineticsPrior, kinetics, noise_sd

RATE_HZ = 30.0
PRIOR = KineticsPrior(0.7, 0.04)


def firing(
    seed: int,
    *,
    tau_s: float,
    rise_s: float = 0.0,
    noise: float = 0.1,
    neurons: int = 20,
    seconds: float = 20.0,
    rate_hz: float = RATE_HZ,
) -> tuple[np.ndarray, np.ndarray]:
    """(scan, neuron) spikes, 0.5 a second, and dF/F of responses with a peak of 1."""
    rng = np.random.default_rng(seed)
    spikes = rng.poisson(0.5 / rate_hz, (round(seconds * rate_hz), neurons)).astype(float)
    t = np.arange(1, round(8 * tau_s * rate_hz)) / rate_hz
    response = np.exp(-t / tau_s) - (np.exp(-t / rise_s) if rise_s else 0)
    response /= response.max()
    calcium = np.stack([np.convolve(one, response)[: len(one)] for one in spikes.T], axis=1)
    return spikes, (calcium + rng.normal(0, noise, calcium.shape)).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [30.0, 8.0])
@pytest.mark.parametrize("tau_s", [0.3, 0.7, 1.5])
def test_the_decay_of_a_first_order_response_is_recovered(tau_s: float, rate_hz: float) -> None:
    prior = KineticsPrior(0.7, 0.0)

    def typical(seed: int) -> float:
        _, dff = firing(seed, tau_s=tau_s, rate_hz=rate_hz)
        return float(np.median(kinetics(dff, scan_rate_hz=rate_hz, prior=prior).decay_tau_s))

    # spikes within the 0.3 s over which the fall is measured lengthen it
    assert_estimates(typical, tau_s, relative_bias=0.2, largest_error=0.1)


def test_decay_and_rise_of_a_second_order_response_are_recovered() -> None:
    def typical(seed: int) -> list[float]:
        _, dff = firing(seed, tau_s=1.0, rise_s=0.08, noise=0.02)
        found = kinetics(dff, scan_rate_hz=RATE_HZ, prior=PRIOR)
        return [float(np.median(found.decay_tau_s)), float(found.rise_tau_s.max())]

    assert_estimates(typical, [1.0, 0.08], relative_bias=0.2, largest_error=0.2)


def test_the_rise_of_a_fast_indicator_is_shorter_than_the_prior() -> None:
    for seed in SEEDS:
        _, dff = firing(seed, tau_s=0.5, noise=0.02)
        rise = kinetics(dff, scan_rate_hz=RATE_HZ, prior=PRIOR).rise_tau_s
        assert rise.max() <= PRIOR.rise_tau_s / 2


@pytest.mark.parametrize("rate_hz", [30.0, 8.0])
def test_noise_is_found_under_transients(rate_hz: float) -> None:
    def typical(seed: int) -> float:
        _, dff = firing(seed, tau_s=0.7, noise=0.1, rate_hz=rate_hz)
        return float(np.median(noise_sd(dff, decay_scans=np.full(20, 0.7 * rate_hz))))

    # activity in 2 to 6 % of the scans moves the median of the jumps
    assert_estimates(typical, 0.1, relative_bias=0.1, largest_error=0.1)


def test_noise_alone_keeps_the_decay_of_the_indicator_and_no_rise() -> None:
    noise = np.random.default_rng(1).normal(0, 1, (300, 20)).astype(np.float32)
    found = kinetics(noise, scan_rate_hz=RATE_HZ, prior=PRIOR)
    np.testing.assert_allclose(found.decay_tau_s, 0.7, rtol=0.2)
    assert found.rise_tau_s.max() < 0.02
    few = kinetics(noise[:2], scan_rate_hz=RATE_HZ, prior=PRIOR)
    np.testing.assert_allclose(few.decay_tau_s, 0.7)
    assert not few.rise_tau_s.any()


def test_a_silent_neuron_has_the_decay_of_its_field() -> None:
    _, dff = firing(0, tau_s=1.5)
    dff[:, 0] = np.random.default_rng(1).normal(0, 0.1, len(dff))
    found = kinetics(dff, scan_rate_hz=RATE_HZ, prior=PRIOR).decay_tau_s
    assert found[0] == pytest.approx(np.median(found), rel=0.15)


def test_noise_limits_the_rise_that_is_deconvolved() -> None:
    _, clear = firing(0, tau_s=1.0, rise_s=0.08, noise=0.01)
    noisy = clear + np.random.default_rng(1).normal(0, 1, clear.shape).astype(np.float32)
    both = np.concatenate([clear, noisy], axis=1)
    rise = kinetics(both, scan_rate_hz=RATE_HZ, prior=PRIOR).rise_tau_s
    assert np.median(rise[:20]) > 2 * np.median(rise[20:])


def test_without_a_rise_in_the_prior_none_is_estimated() -> None:
    _, dff = firing(0, tau_s=1.0, rise_s=0.08, noise=0.01)
    found = kinetics(dff, scan_rate_hz=RATE_HZ, prior=KineticsPrior(0.7, 0.0))
    assert not found.rise_tau_s.any()


@settings(max_examples=10, deadline=None)
@given(power=st.integers(-6, 6), seed=st.integers(0, 9))
def test_the_scale_of_the_traces_changes_the_noise_alone(power: int, seed: int) -> None:
    scale = np.float32(2.0**power)
    _, dff = firing(seed, tau_s=0.7, rise_s=0.05, neurons=4, seconds=10)
    one, other = (kinetics(x, scan_rate_hz=RATE_HZ, prior=PRIOR) for x in (dff, scale * dff))
    np.testing.assert_allclose(other.decay_tau_s, one.decay_tau_s, rtol=1e-5)
    np.testing.assert_allclose(other.rise_tau_s, one.rise_tau_s, rtol=1e-4)
    np.testing.assert_allclose(other.noise, scale * one.noise, rtol=1e-5)


def test_many_neurons_are_estimated_as_few_are() -> None:
    """Neurons are sorted in blocks, which must not show in the result."""
    _, dff = firing(0, tau_s=0.7, neurons=2, seconds=10)
    many = kinetics(np.tile(dff, (1, 300)), scan_rate_hz=RATE_HZ, prior=PRIOR)
    assert len(np.unique(many.decay_tau_s)) == 2


@pytest.mark.parametrize(("tau_s", "rise_s"), [(0.5, 0.0), (1.5, 0.0), (1.0, 0.06)])
def test_estimated_kinetics_give_offline_oasis_at_a_lag_of_one_scan(
    tau_s: float, rise_s: float
) -> None:
    """Offline OASIS estimates its parameters from the whole trace; here it is the first 10 s."""

    def ratio(seed: int) -> float:
        spikes, dff = firing(seed, tau_s=tau_s, rise_s=rise_s, neurons=4, seconds=60)
        found = kinetics(dff[:300], scan_rate_hz=RATE_HZ, prior=PRIOR)
        online = PoolDeconvolver(
            found.decay_tau_s * np.float32(RATE_HZ),
            penalty=np.float32(0.5) * found.noise,
            rise_scans=found.rise_tau_s * np.float32(RATE_HZ),
        )
        activity = np.zeros(dff.shape)
        for scan, row in enumerate(dff):
            online.absorb(row, np.ones(4, bool), scan=scan)
            activity[scan - 1] = online.read(scan - 1) if scan else 0
        offline = np.stack([deconvolve(one.astype(float), penalty=1).s for one in dff.T], axis=1)
        return agreement(activity, spikes) / agreement(offline, spikes)

    assert np.mean([ratio(seed) for seed in SEEDS]) >= 0.97


def agreement(activity: np.ndarray, spikes: np.ndarray) -> float:
    """Mean correlation after the first 10 s, the maximum over delays of 0 to 3 scans."""
    last = len(spikes)
    return float(
        np.mean(
            [
                max(np.corrcoef(a[300 + k :], s[300 : last - k])[0, 1] for k in range(4))
                for a, s in zip(activity.T, spikes.T, strict=True)
            ]
        )
    )
