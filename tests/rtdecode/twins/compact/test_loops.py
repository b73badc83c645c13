"""The compiled loops and their vector–Jacobian products equal NumPy and torch."""

from collections.abc import Callable, Sequence
from itertools import permutations, product

import numpy as np
import pytest
import torch

from rtdecode.twins.compact.loops import (
    elu,
    exp_below_zero,
    filters_last,
    filters_last_vjp,
    normalise_and_pool,
    normalise_and_pool_vjp,
    rectify,
    rectify_and_square,
    rectify_and_square_vjp,
    rectify_vjp,
    runs,
    width,
)
from rtdecode.twins.compact.readout_loops import (
    bilinear_readout,
    bilinear_readout_vjp,
    visual_drive,
    visual_drive_vjp,
)

RNG = np.random.default_rng(4)
SITES, FRAMES, FEATURES, NEURONS = 6, 3, 8, 5
FINE, LINE = (2, 3, FRAMES, FEATURES), (2, FRAMES, 3)
ORDER = RNG.permutation(NEURONS)


def rectified(features: int, *, sites: int) -> np.ndarray:
    half = [1.0] * (features // 2) + [0.0] * (features // 2)
    return np.array(half * sites * FRAMES, np.float32)


RECTIFIED = rectified(FEATURES, sites=FINE[1])


def subunits_by_torch(linear: torch.Tensor) -> torch.Tensor:
    simple, squared = linear.chunk(2, -1)
    return torch.cat([torch.nn.functional.elu(simple), squared**2 / (1 + squared.abs())], -1)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def test_elu_equals_that_of_torch() -> None:
    values = np.concatenate([np.linspace(-30, 5, 3501), [-1e30, 0, 1e30]]).astype(np.float32)
    found = np.array([elu(value) for value in values])
    expected = torch.nn.functional.elu(torch.from_numpy(values)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-6)


def test_filters_last_is_a_transposition_and_its_vjp_the_inverse() -> None:
    bank = normal(4, 2, 3, 5, 7, 6)
    sites, again = np.empty((3, 7, 4, 5, 2, 6), np.float32), np.empty_like(bank)
    filters_last(runs(bank), runs(sites))
    np.testing.assert_array_equal(sites, bank.transpose(2, 4, 0, 3, 1, 5))
    filters_last_vjp(runs(sites), runs(again))
    np.testing.assert_array_equal(again, bank)


def test_half_of_the_subunits_are_rectified_and_half_squared() -> None:
    linear = normal(*FINE) * 2
    subunits, contrast = np.empty_like(linear), np.empty(LINE, np.float32)
    rectify_and_square(linear, RECTIFIED, subunits, contrast)
    expected = subunits_by_torch(torch.from_numpy(linear)).numpy()
    np.testing.assert_allclose(subunits, expected, rtol=1e-5, atol=3e-6)
    by_line = np.abs(expected).mean(3).transpose(0, 2, 1)
    np.testing.assert_allclose(contrast, by_line, rtol=1e-5)


def test_the_vjp_of_the_subunits_equals_automatic_differentiation() -> None:
    linear, divisor = normal(*FINE) * 2, 1 + normal(*LINE) ** 2
    grad_subunits, grad_contrast = normal(*FINE), normal(*LINE)
    at = torch.from_numpy(linear).requires_grad_()
    subunits = subunits_by_torch(at)
    total = (subunits * torch.from_numpy(grad_subunits)).sum()
    contrast = subunits.abs().mean(3).permute(0, 2, 1)
    total = total + (contrast * torch.from_numpy(grad_contrast)).sum()
    (expected,) = torch.autograd.grad(total, at)
    found = grad_subunits.copy()
    fine = subunits.detach().numpy() / divisor.transpose(0, 2, 1)[..., None]
    rectify_and_square_vjp(linear, fine, divisor, found, grad_contrast, width(FEATURES // 2))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_rectification_and_its_vjp_equal_torch() -> None:
    values, upstream = normal(40) * 3, normal(40)
    at = torch.from_numpy(values.copy()).requires_grad_()
    expected = torch.nn.functional.elu(at)
    (slope,) = torch.autograd.grad(expected, at, torch.from_numpy(upstream))
    rectify(values)
    np.testing.assert_allclose(values, expected.detach(), rtol=1e-5, atol=3e-6)
    rectify_vjp(values, upstream)
    np.testing.assert_allclose(upstream, slope, rtol=1e-5, atol=1e-5)


def test_the_drive_of_each_place_becomes_the_rate_of_its_neuron() -> None:
    drive, upstream = normal(NEURONS, FRAMES) * 3, normal(FRAMES, NEURONS)
    at = torch.from_numpy(drive.copy()).requires_grad_()
    expected = torch.empty(FRAMES, NEURONS)
    expected[:, ORDER] = torch.nn.functional.elu(at).T + 1
    (slope,) = torch.autograd.grad(expected, at, torch.from_numpy(upstream))
    rate, grad_drive = np.empty_like(upstream), np.empty_like(drive)
    visual_drive(drive, ORDER, rate)
    np.testing.assert_allclose(rate, expected.detach(), rtol=1e-5, atol=2e-6)
    assert (rate >= 0).all()
    visual_drive_vjp(drive, ORDER, upstream, grad_drive)
    np.testing.assert_allclose(grad_drive, slope, rtol=1e-5, atol=3e-6)


def test_the_exponential_is_1_above_0_and_vanishes_far_below() -> None:
    found = [float(exp_below_zero(np.float32(value))) for value in (3, 0, -1, -50)]
    np.testing.assert_allclose(found, [1, 1, np.exp(-1), 0], atol=2e-6)


def test_the_readout_is_the_weighted_sum_over_four_sites() -> None:
    maps, weights = normal(SITES, FRAMES, FEATURES), normal(NEURONS, FEATURES)
    corners, bilinear = RNG.integers(0, SITES, (NEURONS, 4)), normal(NEURONS, 4)
    drive = np.ones((NEURONS, FRAMES), np.float32)
    bilinear_readout(maps, drive, corners, bilinear, weights, width(FEATURES))
    expected = 1 + np.einsum("nc,nctf,nf->nt", bilinear, maps[corners], weights)
    np.testing.assert_allclose(drive, expected, rtol=1e-4, atol=1e-5)


def test_the_vjp_of_the_readout_is_its_transpose() -> None:
    maps, weights = normal(SITES, FRAMES, FEATURES), normal(NEURONS, FEATURES)
    corners, bilinear = RNG.integers(0, SITES, (NEURONS, 4)), normal(NEURONS, 4)
    drive = np.zeros((NEURONS, FRAMES), np.float32)
    bilinear_readout(maps, drive, corners, bilinear, weights, width(FEATURES))
    grad_drive, grad_maps = normal(NEURONS, FRAMES), np.zeros_like(maps)
    bilinear_readout_vjp(grad_drive, grad_maps, corners, bilinear, weights, width(FEATURES))
    np.testing.assert_allclose((drive * grad_drive).sum(), (maps * grad_maps).sum(), rtol=1e-3)


def divided_by_torch(
    subunits: torch.Tensor, divisor: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps as they are divided, and the means of two by two sites of them."""
    fine = subunits / divisor.permute(0, 2, 1)[..., None]
    pooled = torch.nn.functional.avg_pool2d(fine.permute(2, 3, 0, 1), 2).permute(2, 3, 0, 1)
    return fine, pooled


@pytest.mark.parametrize(("rows", "cols"), [(4, 6), (5, 7)])
def test_normalisation_and_pooling_and_their_vjp_equal_torch(rows: int, cols: int) -> None:
    subunits = torch.from_numpy(normal(rows, cols, FRAMES, FEATURES)).requires_grad_()
    divisor = torch.from_numpy(1 + normal(rows, FRAMES, cols) ** 2).requires_grad_()
    expected = divided_by_torch(subunits, divisor)
    fine = subunits.detach().numpy().copy()
    bordered = np.zeros((rows // 2 + 2, cols // 2 + 2, FRAMES, FEATURES), np.float32)
    normalise_and_pool(fine, divisor.detach().numpy(), bordered)
    pooled = bordered[1:-1, 1:-1]
    assert np.abs(bordered).sum() == pytest.approx(np.abs(pooled).sum())
    for found, wanted in zip((fine, pooled), expected, strict=True):
        np.testing.assert_allclose(found, wanted.detach(), rtol=1e-5, atol=1e-6)
    grad_fine, grad_pooled = normal(*fine.shape), normal(*pooled.shape)
    total = sum(
        (value * torch.from_numpy(upstream)).sum()
        for value, upstream in zip(expected, (grad_fine, grad_pooled), strict=True)
    )
    grad_subunits, grad_divisor = torch.autograd.grad(total, (subunits, divisor))
    found_divisor = np.empty(divisor.shape, np.float32)
    normalise_and_pool_vjp(fine, divisor.detach().numpy(), grad_pooled, grad_fine, found_divisor)
    np.testing.assert_allclose(grad_fine, grad_subunits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found_divisor, grad_divisor, rtol=1e-4, atol=1e-5)


def side_by_side(
    arrays: Sequence[np.ndarray], *, order: Sequence[int], gap: int
) -> list[np.ndarray]:
    """Copies of `arrays` in one block of memory, in `order`, with `gap` numbers between them."""
    block = np.zeros(sum(array.size + gap for array in arrays), np.float32)
    copies: dict[int, np.ndarray] = {}
    start = 0
    for place in order:
        array = arrays[place]
        copies[place] = block[start : start + array.size].reshape(array.shape)
        copies[place][...] = array
        start += array.size + gap
    return [copies[place] for place in range(len(arrays))]


CORNERS = RNG.integers(0, 4, (NEURONS, 4))


@pytest.mark.parametrize("features", [16, 48])
@pytest.mark.parametrize(
    ("loop", "shapes"),
    [
        (
            lambda mixed, subunits, contrast: rectify_and_square(
                mixed, rectified(mixed.shape[3], sites=1), subunits, contrast
            ),
            [(1, 1, FRAMES, 0), (1, 1, FRAMES, 0), (1, FRAMES, 1)],
        ),
        (
            lambda mixed, *others: rectify_and_square_vjp(
                mixed, *others, width(mixed.shape[3] // 2)
            ),
            [(1, 1, 1, 0)] * 2 + [(1, 1, 1), (1, 1, 1, 0), (1, 1, 1)],
        ),
        (normalise_and_pool, [(2, 2, 3, 0), (2, 3, 2), (3, 3, 3, 0)]),
        (normalise_and_pool_vjp, [(2, 2, 3, 0), (2, 3, 2), (1, 1, 3, 0), (2, 2, 3, 0), (2, 3, 2)]),
        (
            lambda maps, drive, bilinear, weights: bilinear_readout(
                maps, drive, CORNERS, bilinear, weights, width(maps.shape[2])
            ),
            [(4, 2, 0), (NEURONS, 2), (NEURONS, 4), (NEURONS, 0)],
        ),
        (
            lambda grad_drive, grad_maps, bilinear, weights: bilinear_readout_vjp(
                grad_drive, grad_maps, CORNERS, bilinear, weights, width(grad_maps.shape[2])
            ),
            [(NEURONS, 2), (4, 2, 0), (NEURONS, 4), (NEURONS, 0)],
        ),
    ],
    ids=[
        f"{loop}{suffix}"
        for loop in ("rectify_and_square", "normalise_and_pool", "bilinear_readout")
        for suffix in ("", "_vjp")
    ],
)
def test_the_last_bit_does_not_depend_on_addresses_in_memory(
    loop: Callable[..., None], shapes: list[tuple[int, ...]], features: int
) -> None:
    arrays = [normal(*(side or features for side in shape)) for shape in shapes]
    results: set[bytes] = set()
    for order, gap in product(permutations(range(len(arrays))), [0, 1, 16, 1000]):
        copies = side_by_side(arrays, order=order, gap=gap)
        loop(*copies)
        results.add(b"".join(copy.tobytes() for copy in copies))
    assert len(results) == 1
