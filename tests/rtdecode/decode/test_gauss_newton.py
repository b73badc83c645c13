"""Products with the Gauss-Newton matrix are those of the matrix that is written out."""

import pytest
import torch
from torch import Tensor

from rtdecode.decode.gauss_newton import GaussNewton
from rtdecode.decode.likelihood import observation_weights
from rtdecode.decode.noise import Noise

SHAPE = (3, 2, 2)
SIZE, FRAMES, NEURONS = 12, 3, 5


def seeded(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


MIXING = 0.1 * seeded(FRAMES * NEURONS, SIZE, seed=0)
NOISE = Noise(
    seeded(NEURONS, seed=1).abs() + 0.1, torch.tensor(0.3), shared=seeded(NEURONS, 2, seed=5)
)
WEIGHTS = observation_weights(
    NOISE, torch.ones(FRAMES, NEURONS), likelihood_weight=NOISE.likelihood_weight, stride=2
)
AT, DIRECTION = seeded(*SHAPE, seed=2), seeded(*SHAPE, seed=3)


def predict(u: Tensor) -> Tensor:
    """Activity that is exponential in the coordinates."""
    return (MIXING @ u.flatten()).exp().reshape(FRAMES, NEURONS)


@pytest.fixture
def matrix() -> GaussNewton:
    return GaussNewton(predict, AT, weights=WEIGHTS, floor=NOISE.floor)


def slopes() -> Tensor:
    found = torch.autograd.functional.jacobian(predict, AT)
    assert isinstance(found, Tensor)
    return found.reshape(-1, SIZE)


def information() -> Tensor:
    """J' W J, with W the inverse of the covariance of what is recorded."""
    spread = (NOISE.dispersion * (predict(AT) + NOISE.floor) / (2 * NOISE.likelihood_weight)).sqrt()
    correlation = torch.eye(NEURONS) + NOISE.shared @ NOISE.shared.T
    covariance = torch.block_diag(*(correlation * torch.outer(sd, sd) for sd in spread))
    return slopes().T @ torch.linalg.solve(covariance, slopes())


def test_a_product_is_that_of_the_whole_matrix(matrix: GaussNewton) -> None:
    whole = torch.eye(SIZE) + information()
    expected = (whole @ DIRECTION.flatten()).reshape(SHAPE)
    largest = float(expected.abs().max())
    torch.testing.assert_close(matrix.times(DIRECTION), expected, rtol=0, atol=0.01 * largest)


def test_it_is_linear_in_the_direction_whatever_its_length(matrix: GaussNewton) -> None:
    short = matrix.times(1e-3 * DIRECTION)
    torch.testing.assert_close(1e3 * short, matrix.times(DIRECTION), rtol=1e-3, atol=1e-3)


def test_the_adjoint_is_the_transposed_derivative(matrix: GaussNewton) -> None:
    score = seeded(FRAMES, NEURONS, seed=4)
    expected = (slopes().T @ score.flatten()).reshape(SHAPE)
    torch.testing.assert_close(matrix.adjoint(score), expected, rtol=1e-4, atol=1e-5)


def test_draws_of_noise_have_the_covariance_of_the_data_term(matrix: GaussNewton) -> None:
    generator = torch.Generator().manual_seed(6)
    draws = torch.stack([matrix.noise(generator).flatten() for _ in range(4000)])
    largest = float(information().diagonal().max())
    torch.testing.assert_close(draws.T @ draws / 4000, information(), rtol=0.1, atol=0.05 * largest)
