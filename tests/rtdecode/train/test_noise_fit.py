"""The noise model with which trials were simulated is recovered."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from scipy.signal import lfilter
from seeds import assert_estimates
from torch import Tensor

from rtdecode.schema.errors import TooShortError
from rtdecode.train.noise_fit import FACTORS, fit_noise
from rtdecode.twins.linear import Linear

NEURONS, LEVEL, FRAMES = 5, 3.0, 400
DISPERSION = np.array([0.25, 0.5, 1, 2, 4])
SHORTFALL = 0.08
"""Relative bias of the weight with few trials: autocorrelations that are positive by chance are
summed too, so that it is below its value, by about 8 % for 4,000 frames."""

MakeLinear = Callable[..., Linear]


def trials(
    count: int, *, frames: int = FRAMES, kept: float = 0.0, seed: int = 0
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """A level of activity, with noise that keeps a share of itself from frame to frame."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        white = rng.normal(size=(frames + 100, NEURONS)) * np.sqrt(1 - kept**2)
        noise = lfilter([1], [1, -kept], white, axis=0)[100:] * np.sqrt(DISPERSION * LEVEL)
        yield (
            torch.full((frames, 6, 8), 110.0),
            torch.zeros(frames, 4),
            torch.from_numpy((LEVEL + noise).astype(np.float32)),
        )


@pytest.fixture
def twin(make_linear: MakeLinear) -> Linear:
    """Predicts the level, whatever it sees."""
    return make_linear(NEURONS, level=LEVEL, gain=0.0)


def variance(dispersion: Tensor) -> Tensor:
    """Of activity at the level, for a neuron that shares nothing."""
    return dispersion * (LEVEL + 0.3 * dispersion)


def test_dispersion_determines_the_variance(twin: Linear) -> None:
    assert_estimates(
        lambda seed: variance(fit_noise(twin, trials(6, seed=seed)).dispersion),
        DISPERSION * LEVEL,
        relative_bias=0.01,
    )
    assert fit_noise(twin, trials(6)).shared.shape == (NEURONS, 0)


def test_a_poisson_count_has_the_variance_of_its_mean(twin: Linear) -> None:
    def estimate(seed: int) -> Tensor:
        counts = np.random.default_rng(seed).poisson(LEVEL, (2000, NEURONS)).astype(np.float32)
        trial = (torch.zeros(2000, 6, 8), torch.zeros(2000, 4), torch.from_numpy(counts))
        return variance(fit_noise(twin, [trial]).dispersion)

    assert_estimates(estimate, np.full(NEURONS, LEVEL), relative_bias=0.01)


def test_rates_that_change_are_taken_as_they_are(make_linear: MakeLinear) -> None:
    """Not the ratio of sums: a neuron that is mostly silent scatters most when it is not."""
    changing = make_linear(NEURONS, level=4.0, gain=0.05)

    def estimate(seed: int) -> Tensor:
        rng = np.random.default_rng(seed)
        video = torch.from_numpy(rng.uniform(0, 255, (2000, 6, 8)).astype(np.float32))
        rate = changing(video[None], torch.zeros(1, 2000, 4))[0].numpy()
        spread = np.sqrt(DISPERSION * (rate + 0.3 * DISPERSION))
        recorded = (rate + rng.normal(size=rate.shape) * spread).astype(np.float32)
        trial = (video, torch.zeros(2000, 4), torch.from_numpy(recorded))
        return fit_noise(changing, [trial]).dispersion

    assert_estimates(estimate, DISPERSION, relative_bias=0.02)


def test_independent_frames_have_a_weight_of_one(twin: Linear) -> None:
    assert_estimates(
        lambda seed: fit_noise(twin, trials(20, seed=seed)).likelihood_weight,
        1,
        relative_bias=SHORTFALL,
    )


@pytest.mark.parametrize("kept", [0.5, 0.8])
def test_correlated_frames_are_weighted_by_the_integrated_autocorrelation(
    twin: Linear, kept: float
) -> None:
    """Of an autoregression of order 1 it is (1 + kept) / (1 - kept)."""
    assert_estimates(
        lambda seed: 1 / fit_noise(twin, trials(10, kept=kept, seed=seed)).likelihood_weight,
        (1 + kept) / (1 - kept),
        relative_bias=0.05,
    )


def test_the_first_frames_without_history_are_left_out(twin: Linear) -> None:
    [(video, behaviour, responses)] = trials(1)
    spoilt = responses.clone()
    spoilt[: twin.spec.history_frames] = 1e4
    clean = fit_noise(twin, [(video, behaviour, responses)])
    assert torch.equal(fit_noise(twin, [(video, behaviour, spoilt)]).dispersion, clean.dispersion)


def test_trials_that_are_too_short_change_nothing(twin: Linear) -> None:
    noise = fit_noise(twin, [*trials(1), *trials(2, frames=4), *trials(1, frames=3)])
    alone = fit_noise(twin, trials(1))
    assert torch.equal(noise.dispersion, alone.dispersion)
    assert noise.likelihood_weight == alone.likelihood_weight


def test_short_trials_alone_are_refused(twin: Linear) -> None:
    with pytest.raises(TooShortError, match="has 4 frames, at least 5"):
        fit_noise(twin, trials(3, frames=4))
    with pytest.raises(TooShortError, match="has 0 frames"):
        fit_noise(twin, [])


def test_missing_values_do_not_contribute(twin: Linear) -> None:
    def estimate(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)

        def holed(responses: Tensor) -> Tensor:
            kept = torch.from_numpy(rng.random(responses.shape) > 0.3)
            return torch.where(kept, responses, torch.nan)

        noise = fit_noise(twin, [(v, b, holed(r)) for v, b, r in trials(10, seed=seed)])
        return np.append(variance(noise.dispersion), noise.likelihood_weight)

    assert_estimates(estimate, np.append(DISPERSION * LEVEL, 1), relative_bias=SHORTFALL)


MANY = 60


@pytest.fixture
def crowd(make_linear: MakeLinear) -> Linear:
    """Many neurons at the level."""
    return make_linear(MANY, level=LEVEL, gain=0.0)


def moved_together(
    count: int, common: np.ndarray, *, seed: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Neurons that follow `common` (neuron, factor), each with scatter of its own of variance 2."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        own = np.sqrt(2) * rng.normal(size=(FRAMES, MANY))
        recorded = LEVEL + own + rng.normal(size=(FRAMES, common.shape[1])) @ common.T
        yield (
            torch.full((FRAMES, 6, 8), 110.0),
            torch.zeros(FRAMES, 4),
            torch.from_numpy(recorded.astype(np.float32)),
        )


def test_noise_correlations_are_separated_from_private_noise(crowd: Linear) -> None:
    signs = np.where(np.arange(MANY) % 2, 1.0, -1.0)
    common = np.stack([0.9 * np.ones(MANY), 0.5 * signs], axis=1)
    held_out, seen = (moved_together(30, common, seed=seed) for seed in (1, 2))
    noise = fit_noise(crowd, held_out, seen)
    assert noise.shared.shape[1] == FACTORS
    np.testing.assert_allclose(variance(noise.dispersion).mean(), 2, rtol=0.1)
    own = (noise.dispersion * (LEVEL + noise.floor)).sqrt()
    found = own[:, None] * noise.shared
    np.testing.assert_allclose(found @ found.T, common @ common.T, atol=0.3)


def test_independent_neurons_have_noise_correlations_near_zero(crowd: Linear) -> None:
    nothing = np.zeros((MANY, 1))
    held_out, seen = (moved_together(20, nothing, seed=seed) for seed in (1, 2))
    noise = fit_noise(crowd, held_out, seen)
    np.testing.assert_allclose(noise.shared @ noise.shared.T, 0, atol=0.15)


def test_fitting_does_not_change_the_global_random_state(crowd: Linear) -> None:
    nothing = np.zeros((MANY, 1))
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one = fit_noise(crowd, moved_together(2, nothing, seed=1), moved_together(2, nothing, seed=2))
    assert torch.equal(torch.rand(3), expected)
    other = fit_noise(crowd, moved_together(2, nothing, seed=1), moved_together(2, nothing, seed=2))
    assert torch.equal(one.shared, other.shared)
