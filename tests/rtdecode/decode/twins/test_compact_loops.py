"""The compiled loops give what NumPy and torch give, forward and backward."""

import numpy as np
import torch

from rtdecode.decode.twins.compact_loops import bend, bend_back, look, look_back

RNG = np.random.default_rng(4)
SITES, FRAMES, FEATURES, NEURONS = 6, 3, 8, 5


def bent_by_torch(linear: torch.Tensor) -> torch.Tensor:
    simple, squared = linear.chunk(2, 1)
    return torch.cat([torch.nn.functional.elu(simple), squared**2 / (1 + squared.abs())], 1)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def test_half_is_rectified_and_half_squared() -> None:
    linear = normal(SITES, FEATURES) * 2
    bent, contrast = np.empty_like(linear), np.empty(SITES, np.float32)
    bend(linear, bent, contrast)
    expected = bent_by_torch(torch.from_numpy(linear)).numpy()
    np.testing.assert_allclose(bent, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(contrast, np.abs(expected).mean(1), rtol=1e-5)


def test_its_gradient_is_that_of_automatic_differentiation() -> None:
    linear = normal(SITES, FEATURES) * 2
    to_bent, to_contrast = normal(SITES, FEATURES), normal(SITES)
    at = torch.from_numpy(linear).requires_grad_()
    bent = bent_by_torch(at)
    total = (bent * torch.from_numpy(to_bent)).sum()
    total = total + (bent.abs().mean(1) * torch.from_numpy(to_contrast)).sum()
    (expected,) = torch.autograd.grad(total, at)
    found = to_bent.copy()
    bend_back(linear, bent.detach().numpy(), found, to_contrast)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_a_neuron_reads_the_weighted_features_of_its_four_sites() -> None:
    maps, weights = normal(SITES, FRAMES, FEATURES), normal(NEURONS, FEATURES)
    cells, shares = RNG.integers(0, SITES, (NEURONS, 4)), normal(NEURONS, 4)
    drive = np.ones((NEURONS, FRAMES), np.float32)
    look(maps, cells, shares, weights, drive)
    expected = 1 + np.einsum("nc,nctf,nf->nt", shares, maps[cells], weights)
    np.testing.assert_allclose(drive, expected, rtol=1e-4, atol=1e-5)


def test_what_comes_back_is_the_transposed_of_what_is_read() -> None:
    maps, weights = normal(SITES, FRAMES, FEATURES), normal(NEURONS, FEATURES)
    cells, shares = RNG.integers(0, SITES, (NEURONS, 4)), normal(NEURONS, 4)
    drive = np.zeros((NEURONS, FRAMES), np.float32)
    look(maps, cells, shares, weights, drive)
    to_drive, to_maps = normal(NEURONS, FRAMES), np.zeros_like(maps)
    look_back(to_drive, cells, shares, weights, to_maps)
    np.testing.assert_allclose((drive * to_drive).sum(), (maps * to_maps).sum(), rtol=1e-3)
