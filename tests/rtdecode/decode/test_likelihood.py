"""The quasi-score: its formula, its bound, noise correlations, and what missing means."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.decode.likelihood import (
    TAIL,
    ObservationWeights,
    QuasiScore,
    observation_weights,
    quasi_score,
)
from rtdecode.decode.noise import Noise

NEURONS, FRAMES = 3, 4
FLOOR = torch.tensor([0.01, 0.02, 0.03], dtype=torch.float64)


def some(low: float, high: float, *, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.uniform(low, high, (FRAMES, NEURONS)))


def alone(weight: torch.Tensor) -> ObservationWeights:
    """Independent neurons of dispersion 1 that are measured where `weight` is above 0."""
    nothing = torch.zeros(weight.shape[1], 0, dtype=torch.float64)
    one = torch.ones((), dtype=torch.float64)
    noise = Noise(torch.ones(weight.shape[1], dtype=torch.float64), one, nothing)
    return observation_weights(noise, weight, likelihood_weight=one, stride=1)


def many(neurons: int, activity: torch.Tensor, *, predicted: float = 2.0) -> QuasiScore:
    """Score of one frame of independent neurons of dispersion 1 and floor 0.3."""
    rate = torch.full((1, neurons), predicted, dtype=torch.float64)
    weights = alone(torch.ones(1, neurons, dtype=torch.float64))
    return quasi_score(rate, activity, weights, floor=torch.full((neurons,), 0.3))


def test_where_residuals_are_small_it_is_the_gradient_of_poissons_log_likelihood() -> None:
    predicted = some(0.5, 3).requires_grad_()
    recorded = predicted.detach() + 0.1 * some(-1, 1, seed=1)
    rate = predicted + FLOOR
    log_likelihood = ((recorded + FLOOR) * rate.log() - rate).sum()
    (expected,) = torch.autograd.grad(log_likelihood, predicted)
    score = quasi_score(predicted.detach(), recorded, alone(torch.ones_like(recorded)), floor=FLOOR)
    np.testing.assert_allclose(score.score, expected, rtol=1e-3)


@given(seed=st.integers(0, 99))
def test_activity_as_predicted_has_no_misfit_and_no_score(seed: int) -> None:
    recorded, weight = some(0.1, 5, seed=seed), some(0.1, 2, seed=seed + 1)
    score = quasi_score(recorded, recorded, alone(weight), floor=FLOOR)
    assert not score.score.any()
    assert score.misfit == 0


@given(activity=st.floats(-1e30, 1e30), predicted=st.floats(-1e3, 1e3))
def test_the_influence_of_a_neuron_is_bounded(activity: float, predicted: float) -> None:
    """Also where a linear twin predicts less than nothing."""
    rate = torch.full((1, 600), 2.0, dtype=torch.float64)
    rate[0, 0], recorded = predicted, rate.clone()
    recorded[0, 0] = activity
    weights, floor = alone(torch.ones_like(rate)), torch.full((600,), 0.3)
    score = quasi_score(rate, recorded, weights, floor=floor).score[0, 0]
    spread = (max(predicted, 0.0) + 0.3) ** -0.5
    assert abs(float(score)) <= 0.6 * TAIL * spread
    if abs(activity - predicted) * spread > 1e4:
        assert abs(float(score)) < 1e-6


def test_neurons_with_impossible_activity_change_nothing_for_the_others() -> None:
    noise = Noise(torch.ones(50), torch.ones(()), 0.3 * torch.ones(50, 2))
    generator = torch.Generator().manual_seed(0)
    predicted, recorded = torch.full((1, 50), 2.0), 2 + torch.randn(1, 50, generator=generator)
    measured, broken = torch.ones(1, 50), recorded.clone()
    measured[0, 7], broken[0, 7] = 0, 1e9
    scores = [
        quasi_score(
            predicted,
            activity,
            observation_weights(noise, observed, likelihood_weight=torch.ones(()), stride=1),
            floor=noise.floor,
        )
        for activity, observed in ((recorded, measured), (broken, torch.ones(1, 50)))
    ]
    torch.testing.assert_close(scores[0].score, scores[1].score, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("noise_sd", [5.0, 100.0, 1e6])
def test_uniformly_larger_noise_is_recognised(noise_sd: float) -> None:
    """The scale is that of a normal sample's 80 % quantile, over the margin of 1.2."""
    generator = torch.Generator().manual_seed(0)
    sd = 2.3**0.5
    activity = 2 + noise_sd * sd * torch.randn(1, 4000, generator=generator).double()
    score = many(4000, activity)
    assert float(score.noise_scale) == pytest.approx(noise_sd / 1.2, rel=0.1)
    assert float(score.score.abs().max()) < 6 / noise_sd


def test_noise_as_expected_has_scale_1() -> None:
    generator = torch.Generator().manual_seed(0)
    activity = 2 + 2.3**0.5 * torch.randn(1, 4000, generator=generator).double()
    assert float(many(4000, activity).noise_scale) == 1


def test_neurons_that_are_not_measured_take_no_part_in_the_noise_scale() -> None:
    generator = torch.Generator().manual_seed(0)
    recorded = 2 + 20 * torch.randn(1, 90, generator=generator).double()
    kept = torch.zeros(1, 90, dtype=torch.float64)
    kept[:, :30] = 1
    rate, floor = torch.full((1, 90), 2.0, dtype=torch.float64), torch.full((90,), 0.3)
    part = quasi_score(rate, recorded * kept, alone(kept), floor=floor)
    only = quasi_score(rate[:, :30], recorded[:, :30], alone(kept[:, :30]), floor=floor[:30])
    torch.testing.assert_close(part.noise_scale, only.noise_scale)


@given(activity=st.floats(0, 1e6))
def test_activity_of_weight_0_has_score_0(activity: float) -> None:
    recorded, weight = some(0, 3, seed=1), torch.ones(4, 3, dtype=torch.float64)
    recorded[2, 1], weight[2, 1] = activity, 0
    assert quasi_score(some(0.1, 3), recorded, alone(weight), floor=FLOOR).score[2, 1] == 0


def test_zero_activity_lowers_the_prediction_and_a_missing_neuron_does_not() -> None:
    predicted = torch.full((1, 3), 2.0, dtype=torch.float64)
    weight = torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.float64)
    recorded = torch.tensor([[0.0, 0.0, 2.0]], dtype=torch.float64)
    score = quasi_score(predicted, recorded, alone(weight), floor=FLOOR).score
    np.testing.assert_allclose(score, [[-2 / 2.01, 0, 0]], rtol=0.01)


def test_precision_is_the_likelihood_weight_times_the_stride_over_the_dispersion() -> None:
    noise = Noise(torch.tensor([1.0, 4.0, 1.0]), torch.tensor(0.2), torch.zeros(3, 0))
    weights = observation_weights(
        noise,
        torch.tensor([[1.0, 1.0, 0.0]]),
        likelihood_weight=noise.likelihood_weight,
        stride=2,
    )
    np.testing.assert_allclose(weights.weight, [[0.4, 0.1, 0]])


def correlated_noise() -> Noise:
    shared = torch.from_numpy(np.random.default_rng(5).normal(size=(NEURONS, 2)))
    return Noise(torch.tensor([1.0, 4.0, 0.5]).double(), torch.tensor(0.2).double(), shared)


@pytest.mark.parametrize("observed", [[0, 1, 2], [0, 2], [1], []])
@pytest.mark.parametrize("size", [1.0, 30.0])
def test_its_score_is_the_residual_over_the_robust_covariance_of_the_measured_neurons(
    observed: list[int], size: float
) -> None:
    """Written anew: the covariance Omega^-1 + L L', scaled, of those that were measured."""
    noise, recorded, predicted = correlated_noise(), size * some(0, 3, seed=1), some(0.1, 3)
    measured = torch.zeros_like(recorded)
    measured[:, observed] = 1
    weights = observation_weights(
        noise, measured, likelihood_weight=noise.likelihood_weight, stride=2
    )
    score = quasi_score(predicted, recorded, weights, floor=noise.floor)
    expected = np.zeros((FRAMES, NEURONS))
    correlation = noise.shared.numpy() @ noise.shared.numpy().T
    for frame, rate in enumerate(predicted.numpy()):
        scale = float(score.noise_scale[frame, 0])
        variance = scale**2 * noise.dispersion.numpy() * (rate + noise.floor.numpy())
        residual = recorded[frame].numpy() - rate
        inverse_omega = 1 + (residual**2 / variance / TAIL**2) ** 2
        sd = np.sqrt(variance / (2 * float(noise.likelihood_weight)))
        covariance = (np.diag(inverse_omega) + correlation) * np.outer(sd, sd)
        expected[frame, observed] = np.linalg.solve(
            covariance[np.ix_(observed, observed)], residual[observed]
        )
    np.testing.assert_allclose(score.score, expected, atol=1e-9)


def test_fluctuations_common_to_all_neurons_have_less_weight() -> None:
    noise = Noise(torch.ones(3), torch.ones(()), 3 * torch.ones(3, 1))
    weights = observation_weights(
        noise, torch.ones(1, 3), likelihood_weight=noise.likelihood_weight, stride=1
    )
    predicted = torch.full((1, 3), 2.0)
    together, apart = (
        quasi_score(predicted, predicted + torch.tensor([change]), weights, floor=noise.floor)
        for change in ([1.0, 1.0, 1.0], [1.0, -1.0, 0.0])
    )
    assert together.misfit < apart.misfit
