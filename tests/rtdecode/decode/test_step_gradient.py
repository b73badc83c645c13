"""A step by compiled loops and hand-written derivatives is that of automatic differentiation."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from rtdecode.decode.horizon import EstimatedFrames
from rtdecode.decode.likelihood import (
    ObservationWeights,
    observation_weights,
    quasi_score,
    quasi_score_on_host,
)
from rtdecode.decode.noise import Noise
from rtdecode.decode.predictor import HorizonPredictor, predictor
from rtdecode.decode.prior import VideoPrior
from rtdecode.decode.solver import Solver
from rtdecode.decode.step_loops import noise_scales, solved
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.twin import TwinSpec

ROWS, COLS, KEPT = 10, 14, (4, 6)
FEW = settings(max_examples=25, deadline=None)


def some_prior(*, seed: int = 0) -> VideoPrior:
    generator = torch.Generator().manual_seed(seed)
    power = 300 * torch.rand(KEPT, generator=generator) + 20
    return VideoPrior(
        torch.full((ROWS, COLS), 110.0),
        power,
        torch.stack([torch.full(KEPT, 0.6), torch.full(KEPT, 0.2)]),
        0.5 * power.sqrt(),
    )


def some_noise(neurons: int, factors: int, *, generator: torch.Generator) -> Noise:
    return Noise(
        0.2 + torch.rand(neurons, generator=generator),
        torch.tensor(0.3),
        0.4 * torch.randn(neurons, factors, generator=generator),
    )


def some_twin(neurons: int) -> Compact:
    spec = TwinSpec(
        "compact", neurons, ROWS, COLS, sizes={"hidden": 6, "features": 5, "filter_px": 5}
    )
    generator = torch.Generator().manual_seed(1)
    twin = Compact(spec, generator=generator)
    with torch.no_grad():
        twin.position.uniform_(-1, 1, generator=generator)
        twin.behaviour_gain.normal_(generator=generator)
        twin.scale.uniform_(0.5, 2, generator=generator)
    return twin.requires_grad_(requires_grad=False)


@given(
    frames=st.integers(1, 7),
    neurons=st.sampled_from([1, 2, 7, 60, 700]),
    factors=st.sampled_from([0, 1, 10]),
    share=st.sampled_from([0.0, 0.3, 1.0]),
    size=st.sampled_from([0.1, 1.0, 30.0, 1e6]),
)
@FEW
def test_the_score_by_compiled_loops_is_that_of_torch(
    frames: int, neurons: int, factors: int, share: float, size: float
) -> None:
    """`share` of the measurements is missing; activity is `size` times as large as predicted."""
    generator = torch.Generator().manual_seed(frames * neurons)
    noise = some_noise(neurons, factors, generator=generator)
    measured = (torch.rand(frames, neurons, generator=generator) >= share).float()
    weights: ObservationWeights = observation_weights(
        noise, measured, likelihood_weight=noise.likelihood_weight, stride=2
    )
    predicted = torch.randn(frames, neurons, generator=generator)
    recorded = measured * size * torch.rand(frames, neurons, generator=generator)
    found = quasi_score_on_host(predicted, recorded, weights, floor=noise.floor)
    expected = quasi_score(predicted, recorded, weights, floor=noise.floor)
    largest = max(float(expected.score.abs().max()), 1e-6)
    assert_close(found.noise_scale, expected.noise_scale, rtol=1e-5, atol=0)
    assert_close(found.robust, expected.robust, rtol=1e-4, atol=1e-6)
    assert_close(found.score, expected.score, rtol=1e-3, atol=1e-4 * largest)
    assert_close(found.misfit, expected.misfit, rtol=1e-3, atol=1e-3)


@given(values=st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=40), data=st.data())
@FEW
def test_the_noise_scale_is_the_sorted_value_at_the_rank(
    values: list[float], data: st.DataObject
) -> None:
    z, found = np.array([values], np.float32), np.empty(1, np.float32)
    rank = data.draw(st.integers(0, len(values) - 1))
    noise_scales(z, np.array([rank]), 1, 1.0, found)
    assert found[0] == max(1, np.sort(np.abs(z[0]))[rank])


def test_the_system_of_the_factors_is_solved() -> None:
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(3, 20, 5)).astype(np.float32)
    products, right = factors.transpose(0, 2, 1) @ factors, rng.normal(size=(3, 5))
    expected = np.linalg.solve(np.eye(5) + products, right[..., None])[..., 0]
    found = right.astype(np.float32)
    solved(products, found)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 5, 12])
def test_video_of_innovations_and_its_adjoint_are_those_of_automatic_differentiation(
    frames: int,
) -> None:
    block = EstimatedFrames(some_prior(), frames=frames)
    u, past, grad = (torch.randn(count, *KEPT) for count in (frames, 3, frames))
    u.requires_grad_()
    expected = block.coefficients(u, past)
    (expected_grad,) = torch.autograd.grad(expected, u, grad)
    found = block.responded(u.detach(), block.carried(past))
    assert_close(found, expected.detach(), rtol=1e-4, atol=1e-3)
    assert_close(block.adjoint(grad), expected_grad, rtol=1e-4, atol=1e-3)


@given(
    history=st.sampled_from([0, 3, 9]),
    estimated=st.sampled_from([1, 4, 7, 12]),
    neurons=st.sampled_from([1, 5, 40]),
    share=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 99),
)
@FEW
def test_a_step_follows_the_gradient_of_automatic_differentiation(
    history: int, estimated: int, neurons: int, share: float, seed: int
) -> None:
    """Over lengths of the horizon, numbers of neurons, missing neurons, and any behaviour."""
    generator = torch.Generator().manual_seed(seed)
    twin, prior = some_twin(neurons), some_prior()
    noise, window = some_noise(neurons, 2, generator=generator), history + estimated
    solver = Solver(twin, prior, noise, window_frames=window, estimated_frames=estimated)
    recorded = 3 * torch.rand(estimated, neurons, generator=generator)
    measured = (torch.rand(estimated, neurons, generator=generator) >= share).float()
    behaviour = torch.randn(window, 4, generator=generator)
    for _ in range(2):
        solver.improve(solver.observed(recorded, measured, behaviour))
    solver.advance(1)
    state, observed = solver._state, solver.observed(recorded, measured, behaviour)
    solver.improve(observed)

    block = EstimatedFrames(prior, frames=estimated)
    ahead = (state.u + 0.6 * state.velocity).requires_grad_()
    old = state.past[len(state.past) - history :]
    plain = HorizonPredictor(twin, prior.basis, estimated=estimated).given(old, behaviour)
    predicted = plain(block.coefficients(ahead, state.past))
    (seen,) = observed.by_twin
    score = quasi_score(predicted.detach(), seen.recorded, seen.weights, floor=noise.floor).score
    (adjoint,) = torch.autograd.grad(predicted, ahead, score)
    gradient = ahead.detach() / block.u_sd.square() - adjoint
    velocity = 0.6 * state.velocity - solver._step_sizes[0] * gradient
    largest = float(velocity.abs().max())
    assert_close(solver._state.velocity, velocity, rtol=1e-3, atol=2e-4 * largest)


def test_derivatives_stay_those_of_their_prediction_when_it_is_asked_for_others() -> None:
    """Products with J' overwrite no result of the forward pass."""
    twin, prior = some_twin(5), some_prior()
    made = predictor(twin, prior.basis, history=4, estimated=6)
    predict = made.given(torch.zeros(4, *KEPT), torch.zeros(10, 4))
    at = 40 * torch.randn(6, *KEPT)
    predicted, adjoint = predict.linearised(at)
    score = torch.randn_like(predicted)
    first, kept = adjoint(score), predicted.clone()
    adjoint(2 * score)
    assert_close(adjoint(score), first)
    assert_close(predicted, kept)
    differentiable = at.clone().requires_grad_()
    (expected,) = torch.autograd.grad(predict(differentiable), differentiable, score)
    largest = float(expected.abs().max())
    assert_close(first, expected, rtol=1e-3, atol=1e-4 * largest)


def test_behaviour_that_changes_is_seen_though_the_horizon_stands_still() -> None:
    twin, prior = some_twin(5), some_prior()
    made = predictor(twin, prior.basis, history=4, estimated=6)
    old, new = 40 * torch.randn(4, *KEPT), 40 * torch.randn(6, *KEPT)
    for behaviour in (torch.zeros(10, 4), torch.randn(10, 4), torch.randn(10, 4)):
        plain = HorizonPredictor(twin, prior.basis, estimated=6).given(old, behaviour)
        assert_close(made.given(old, behaviour)(new), plain(new), rtol=1e-4, atol=1e-4)
