"""Poisson's loss: its gradient, its minimum, and what weight 0 means."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from rtdecode.decode.objective import neuron_weights, poisson_objective, rate_floor

FLOOR = torch.tensor([0.01, 0.02, 0.03], dtype=torch.float64)


def some(low: float, high: float, *, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.uniform(low, high, (4, 3)))


def test_its_gradient_is_that_of_finite_differences() -> None:
    recorded, weight = some(0, 3, seed=1), some(0, 2, seed=2)

    def objective(predicted: torch.Tensor) -> torch.Tensor:
        return poisson_objective(predicted, recorded, weight, floor=FLOOR)

    assert torch.autograd.gradcheck(objective, some(0.1, 3).requires_grad_())


def test_two_predictions_differ_by_how_likely_poisson_makes_them() -> None:
    counts = torch.from_numpy(np.random.default_rng(3).poisson(2, (4, 3)).astype(float))
    one, other, even = some(0.5, 3), some(0.5, 3, seed=4), torch.ones(4, 3, dtype=torch.float64)
    difference = poisson_objective(one, counts, even, floor=0 * FLOOR) - poisson_objective(
        other, counts, even, floor=0 * FLOOR
    )
    log_ratio = poisson.logpmf(counts, other).sum() - poisson.logpmf(counts, one).sum()
    assert float(difference) == pytest.approx(log_ratio)


@given(seed=st.integers(0, 99))
def test_nothing_explains_activity_better_than_itself(seed: int) -> None:
    recorded, weight = some(0.1, 5, seed=seed), some(0.1, 2, seed=seed + 1)
    best = poisson_objective(recorded - FLOOR, recorded, weight, floor=FLOOR)
    other = poisson_objective(some(0, 5, seed=seed + 2), recorded, weight, floor=FLOOR)
    assert best <= other


@given(activity=st.floats(0, 1e6))
def test_activity_of_weight_0_pulls_nowhere(activity: float) -> None:
    predicted = some(0.1, 3).requires_grad_()
    recorded, weight = some(0, 3, seed=1), torch.ones(4, 3, dtype=torch.float64)
    recorded[2, 1], weight[2, 1] = activity, 0
    poisson_objective(predicted, recorded, weight, floor=FLOOR).backward()
    assert predicted.grad is not None
    assert predicted.grad[2, 1] == 0


def test_a_silent_neuron_pulls_its_prediction_down_and_a_missing_one_does_not() -> None:
    predicted = torch.full((1, 3), 2.0, dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.float64)
    recorded = torch.tensor([[0.0, 0.0, 2.0 + 0.03]], dtype=torch.float64)
    poisson_objective(predicted, recorded, weight, floor=FLOOR).backward()
    assert predicted.grad is not None
    np.testing.assert_allclose(predicted.grad, [[1, 0, 0]], atol=1e-12)


def test_silence_where_silence_is_predicted_costs_no_more_than_the_floor() -> None:
    nothing = torch.zeros(1, 3, dtype=torch.float64)
    lost = poisson_objective(nothing, nothing, nothing + 1, floor=FLOOR)
    assert float(lost) == pytest.approx(0.06)


def test_a_noisy_neuron_and_a_frame_in_between_weigh_as_they_should() -> None:
    measured = torch.tensor([[1.0, 1.0, 0.0]])
    weight = neuron_weights(measured, torch.tensor([1.0, 4.0, 1.0]), tau=torch.tensor(0.2), every=2)
    np.testing.assert_allclose(weight, [[0.4, 0.1, 0]])


def test_the_floor_is_a_hundredth_of_the_dispersion() -> None:
    np.testing.assert_allclose(rate_floor(torch.tensor([1.0, 3.0])), [0.01, 0.03])
