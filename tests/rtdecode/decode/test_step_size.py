"""The step size rests on the largest eigenvalue of the Hessian of the weighted squares."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from rtdecode.decode.gauss_newton import largest_eigenvalue
from rtdecode.decode.horizon import EstimatedFrames
from rtdecode.decode.likelihood import ObservationWeights, observation_weights
from rtdecode.decode.noise import unshared
from rtdecode.decode.predictor import predictor
from rtdecode.decode.prior import VideoPrior
from rtdecode.twins.linear import Linear

FREE, HISTORY, NEURONS = 4, 3, 7
FLOOR = torch.full((NEURONS,), 0.01)
MakeLinear = Callable[..., Linear]


def activity(twin: Linear, video: Tensor) -> Tensor:
    """Activity in the estimated frames, which follow the history."""
    return twin(video[None], torch.zeros(1, len(video), 4))[0, -FREE:]


def alone(weight: Tensor) -> ObservationWeights:
    """Neurons of `weight` without noise correlations."""
    noise = unshared(torch.ones(NEURONS), torch.ones(()))
    return observation_weights(
        noise, weight.expand(FREE, -1), likelihood_weight=noise.likelihood_weight, stride=1
    )


def measured(twin: Linear, prior: VideoPrior, weight: Tensor) -> float:
    block = EstimatedFrames(prior, frames=FREE)
    found = largest_eigenvalue(
        block,
        predictor(twin, block.basis, history=HISTORY, estimated=FREE),
        torch.zeros(HISTORY + FREE, 4),
        history=HISTORY,
        weights=alone(weight),
        floor=FLOOR,
    )
    return float(found)


def exact(twin: Linear, prior: VideoPrior, weight: Tensor, *, level: float) -> float:
    """At activity `level`, which is what the twin predicts everywhere for a tiny gain."""
    block, shape = EstimatedFrames(prior, frames=FREE), (FREE, *prior.power.shape)
    past = torch.zeros(block.order, *prior.power.shape)
    old = prior.mean.expand(HISTORY, -1, -1)

    def objective(flat: Tensor) -> Tensor:
        u = flat.reshape(shape)
        video = torch.cat([old, block.basis.video(block.coefficients(u, past))])
        squares = weight * (activity(twin, video) - level).square() / (level + FLOOR)
        return (squares.sum() + u.square().sum()) / 2

    size = FREE * prior.power.numel()
    hessian = torch.autograd.functional.hessian(objective, torch.zeros(size))
    assert isinstance(hessian, Tensor)
    return float(torch.linalg.eigvalsh(hessian)[-1])


@pytest.mark.parametrize("worth", [1e2, 1e4, 1e6])
def test_it_is_the_hessian_s_eigenvalue(
    make_linear: MakeLinear, prior: VideoPrior, worth: float
) -> None:
    """To within what a step of one over it allows: momentum 0.6 is stable up to 1.45 times it."""
    twin = make_linear(NEURONS, level=4.0, gain=1e-3)
    weight = worth * torch.linspace(0.5, 2, NEURONS)[None]
    largest = exact(twin, prior, weight, level=4.0)
    assert measured(twin, prior, weight) < 1.02 * largest
    assert measured(twin, prior, weight) > largest / 1.45


def test_without_neurons_the_eigenvalue_is_that_of_the_prior(
    make_linear: MakeLinear, prior: VideoPrior
) -> None:
    assert measured(make_linear(NEURONS), prior, torch.zeros(1, NEURONS)) == pytest.approx(1)


def test_it_is_measured_the_same_each_time(make_linear: MakeLinear, prior: VideoPrior) -> None:
    weight = torch.ones(1, NEURONS)
    twin = make_linear(NEURONS)
    torch.manual_seed(1)
    first = measured(twin, prior, weight)
    torch.manual_seed(2)
    assert measured(twin, prior, weight) == first
