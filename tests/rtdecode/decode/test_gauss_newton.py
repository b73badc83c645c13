"""Products with the Gauss-Newton matrix are those of the matrix that is written out."""

import pytest
import torch
from torch import Tensor

from rtdecode.decode.gauss_newton import GaussNewton

SHAPE = (3, 2, 2)
SIZE, FRAMES, NEURONS = 12, 3, 5


def seeded(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


MIXING = 0.1 * seeded(FRAMES * NEURONS, SIZE, seed=0)
WEIGHT = seeded(1, NEURONS, seed=1).abs() + 0.1
FLOOR = torch.full((NEURONS,), 0.01)
AT, DIRECTION = seeded(*SHAPE, seed=2), seeded(*SHAPE, seed=3)


def predict(u: Tensor) -> Tensor:
    """Neurons that grow faster than what they look at."""
    return (MIXING @ u.flatten()).exp().reshape(FRAMES, NEURONS)


@pytest.fixture
def matrix() -> GaussNewton:
    return GaussNewton(predict, AT, weight=WEIGHT, floor=FLOOR)


def slopes() -> Tensor:
    found = torch.autograd.functional.jacobian(predict, AT)
    assert isinstance(found, Tensor)
    return found.reshape(-1, SIZE)


def test_a_product_is_that_of_the_whole_matrix(matrix: GaussNewton) -> None:
    worth = (WEIGHT / (predict(AT) + FLOOR)).reshape(-1, 1)
    whole = torch.eye(SIZE) + slopes().T @ (worth * slopes())
    expected = (whole @ DIRECTION.flatten()).reshape(SHAPE)
    largest = float(expected.abs().max())
    torch.testing.assert_close(matrix.times(DIRECTION), expected, rtol=0, atol=0.01 * largest)


def test_it_is_linear_in_the_direction_whatever_its_length(matrix: GaussNewton) -> None:
    short = matrix.times(1e-3 * DIRECTION)
    torch.testing.assert_close(1e3 * short, matrix.times(DIRECTION), rtol=1e-3, atol=1e-3)


def test_what_goes_back_is_the_transposed_derivative(matrix: GaussNewton) -> None:
    pull = seeded(FRAMES, NEURONS, seed=4)
    expected = (slopes().T @ pull.flatten()).reshape(SHAPE)
    torch.testing.assert_close(matrix.back(pull), expected, rtol=1e-4, atol=1e-5)
