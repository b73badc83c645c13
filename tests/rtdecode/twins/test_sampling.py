"""Bilinear interpolation and its gradients equal torch's `grid_sample`."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import grid_sample

from rtdecode.twins.readout import bilinear_interpolation, corner_weights

NEURONS = 9


def some(rows: int, cols: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Positions, a few of them outside, and maps (row, col, value) in double precision."""
    generator = torch.Generator().manual_seed(seed)
    position = 2.4 * torch.rand(NEURONS, 2, generator=generator, dtype=torch.float64) - 1.2
    return position, torch.randn(rows, cols, 3, generator=generator, dtype=torch.float64)


def interpolated(position: Tensor, maps: Tensor) -> Tensor:
    rows, cols, values = maps.shape
    corners, weights = corner_weights(position, rows=rows, cols=cols)
    return bilinear_interpolation(corners, weights, maps.reshape(-1, values))


def torch_s_own(position: Tensor, maps: Tensor) -> Tensor:
    values = grid_sample(
        maps.permute(2, 0, 1)[None],
        position[None, :, None],
        align_corners=True,
        padding_mode="border",
    )
    return values[0, :, :, 0].T


@given(rows=st.integers(2, 6), cols=st.integers(2, 6), seed=st.integers(0, 99))
def test_interpolation_equals_grid_sample(rows: int, cols: int, seed: int) -> None:
    position, maps = some(rows, cols, seed=seed)
    torch.testing.assert_close(interpolated(position, maps), torch_s_own(position, maps))


@given(seed=st.integers(0, 99))
def test_gradients_equal_those_of_grid_sample(seed: int) -> None:
    position, maps = some(4, 5, seed=seed)
    upstream = torch.randn(NEURONS, 3, dtype=torch.float64)
    gradients = []
    for read in (interpolated, torch_s_own):
        at, on = position.clone().requires_grad_(), maps.clone().requires_grad_()
        gradients.append(torch.autograd.grad((read(at, on) * upstream).sum(), (at, on)))
    for mine, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_only_tensors_that_require_a_gradient_get_one() -> None:
    position, maps = some(3, 3)
    maps.requires_grad_()
    interpolated(position, maps).sum().backward()
    assert maps.grad is not None
    # Bilinear weights of a neuron sum to 1, so the gradients of a value sum to all neurons.
    torch.testing.assert_close(maps.grad.sum((0, 1)), torch.full((3,), 9.0, dtype=torch.float64))
    assert position.grad is None


@pytest.mark.parametrize(
    ("x", "y", "expected"), [(-1, -1, 0), (1, -1, 2), (-1, 1, 10), (1, 1, 12), (0, 0, 6)]
)
def test_positions_at_corners_and_middle_give_the_values_there(
    x: float, y: float, expected: float
) -> None:
    maps = torch.tensor([[0.0, 1.0, 2.0], [10.0, 11.0, 12.0]])[:, :, None]
    assert float(interpolated(torch.tensor([[x, y]]).float(), maps)) == pytest.approx(expected)
