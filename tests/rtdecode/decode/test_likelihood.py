"""The neg_log_likelihood: its gradient, its minimum, shared scatter, and what missing means."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from rtdecode.decode.likelihood import ObservationWeights, neg_log_likelihood, observation_weights
from rtdecode.decode.noise import Noise

NEURONS, FRAMES = 3, 4
FLOOR = torch.tensor([0.01, 0.02, 0.03], dtype=torch.float64)


def some(low: float, high: float, *, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.uniform(low, high, (FRAMES, NEURONS)))


def alone(weight: torch.Tensor) -> ObservationWeights:
    """Neurons of `weight` that share nothing."""
    nothing = torch.zeros(NEURONS, 0, dtype=torch.float64)
    noise = Noise(torch.ones(NEURONS, dtype=torch.float64), torch.ones(()), nothing)
    return observation_weights(noise, weight, likelihood_weight=noise.likelihood_weight, every=1)


def test_its_gradient_is_that_of_finite_differences() -> None:
    recorded, weight = some(0, 3, seed=1), some(0, 2, seed=2)

    def objective(predicted: torch.Tensor) -> torch.Tensor:
        return neg_log_likelihood(predicted, recorded, alone(weight), floor=FLOOR)

    assert torch.autograd.gradcheck(objective, some(0.1, 3).requires_grad_())


def test_two_predictions_differ_by_how_likely_poisson_makes_them() -> None:
    counts = torch.from_numpy(np.random.default_rng(3).poisson(2, (4, 3)).astype(float))
    one, other, even = (
        some(0.5, 3),
        some(0.5, 3, seed=4),
        alone(torch.ones(4, 3, dtype=torch.float64)),
    )
    difference = neg_log_likelihood(one, counts, even, floor=0 * FLOOR) - neg_log_likelihood(
        other, counts, even, floor=0 * FLOOR
    )
    log_ratio = poisson.logpmf(counts, other).sum() - poisson.logpmf(counts, one).sum()
    assert float(difference) == pytest.approx(log_ratio)


@given(seed=st.integers(0, 99))
def test_nothing_explains_activity_better_than_itself(seed: int) -> None:
    recorded, weight = some(0.1, 5, seed=seed), some(0.1, 2, seed=seed + 1)
    best = neg_log_likelihood(recorded, recorded, alone(weight), floor=FLOOR)
    other = neg_log_likelihood(some(0, 5, seed=seed + 2), recorded, alone(weight), floor=FLOOR)
    assert best <= other


@given(activity=st.floats(0, 1e6))
def test_activity_of_weight_0_pulls_nowhere(activity: float) -> None:
    predicted = some(0.1, 3).requires_grad_()
    recorded, weight = some(0, 3, seed=1), torch.ones(4, 3, dtype=torch.float64)
    recorded[2, 1], weight[2, 1] = activity, 0
    neg_log_likelihood(predicted, recorded, alone(weight), floor=FLOOR).backward()
    assert predicted.grad is not None
    assert predicted.grad[2, 1] == 0


def test_a_silent_neuron_pulls_its_prediction_down_and_a_missing_one_does_not() -> None:
    predicted = torch.full((1, 3), 2.0, dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.float64)
    recorded = torch.tensor([[0.0, 0.0, 2.0]], dtype=torch.float64)
    neg_log_likelihood(predicted, recorded, alone(weight), floor=FLOOR).backward()
    assert predicted.grad is not None
    np.testing.assert_allclose(predicted.grad, [[2 / 2.01, 0, 0]], atol=1e-12)


def test_silence_where_silence_is_predicted_pulls_nowhere() -> None:
    nothing = torch.zeros(FRAMES, NEURONS, dtype=torch.float64)
    predicted = nothing.clone().requires_grad_()
    neg_log_likelihood(predicted, nothing, alone(nothing + 1), floor=FLOOR).backward()
    assert predicted.grad is not None
    np.testing.assert_allclose(predicted.grad, nothing, atol=1e-12)


def test_a_noisy_neuron_and_a_frame_in_between_weigh_as_they_should() -> None:
    noise = Noise(torch.tensor([1.0, 4.0, 1.0]), torch.tensor(0.2), torch.zeros(3, 0))
    weights = observation_weights(
        noise, torch.tensor([[1.0, 1.0, 0.0]]), likelihood_weight=noise.likelihood_weight, every=2
    )
    np.testing.assert_allclose(weights.weight, [[0.4, 0.1, 0]])


def shared_noise() -> Noise:
    shared = torch.from_numpy(np.random.default_rng(5).normal(size=(NEURONS, 2)))
    return Noise(torch.tensor([1.0, 4.0, 0.5]).double(), torch.tensor(0.2).double(), shared)


@pytest.mark.parametrize("heard", [[0, 1, 2], [0, 2], [1], []])
def test_its_pull_is_the_residual_over_the_covariance_of_the_neurons_that_were_measured(
    heard: list[int],
) -> None:
    noise, recorded = shared_noise(), some(0, 3, seed=1)
    predicted = some(0.1, 3).requires_grad_()
    measured = torch.zeros_like(recorded)
    measured[:, heard] = 1
    weights = observation_weights(
        noise, measured, likelihood_weight=noise.likelihood_weight, every=2
    )
    neg_log_likelihood(predicted, recorded, weights, floor=noise.floor).backward()
    expected = np.zeros((FRAMES, NEURONS))
    alike = np.eye(NEURONS) + noise.shared.numpy() @ noise.shared.numpy().T
    for frame, rate in enumerate(predicted.detach().numpy()):
        variance = noise.dispersion.numpy() * (rate + noise.floor.numpy())
        sd = np.sqrt(variance / (2 * float(noise.likelihood_weight)))
        covariance = (alike * np.outer(sd, sd))[np.ix_(heard, heard)]
        residual = (rate - recorded[frame].numpy())[heard]
        expected[frame, heard] = np.linalg.solve(covariance, residual)
    assert predicted.grad is not None
    np.testing.assert_allclose(predicted.grad, expected, atol=1e-9)


def test_what_all_neurons_do_together_surprises_less_than_what_one_does() -> None:
    noise = Noise(torch.ones(3), torch.ones(()), 3 * torch.ones(3, 1))
    weights = observation_weights(
        noise, torch.ones(1, 3), likelihood_weight=noise.likelihood_weight, every=1
    )
    predicted = torch.full((1, 3), 2.0)
    still = neg_log_likelihood(predicted, predicted, weights, floor=noise.floor)
    step = torch.tensor([[1.0, 1.0, 1.0]])
    together = neg_log_likelihood(predicted, predicted + step, weights, floor=noise.floor) - still
    apart = neg_log_likelihood(
        predicted, predicted + step * torch.tensor([1.0, -1.0, 0]), weights, floor=noise.floor
    )
    assert together < apart - still


def test_a_linear_twin_that_predicts_less_than_nothing_does_not_break_the_pull() -> None:
    noise = shared_noise()
    predicted = torch.full((FRAMES, NEURONS), -5.0, dtype=torch.float64, requires_grad=True)
    measured = torch.ones(FRAMES, NEURONS, dtype=torch.float64)
    weights = observation_weights(
        noise, measured, likelihood_weight=noise.likelihood_weight, every=1
    )
    neg_log_likelihood(predicted, some(0, 3), weights, floor=noise.floor).backward()
    assert predicted.grad is not None
    assert bool(predicted.grad.isfinite().all())
