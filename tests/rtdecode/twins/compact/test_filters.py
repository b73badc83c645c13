"""Filters are smooth derivatives, steerable, and causal in time."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d
from scipy.special import eval_hermitenorm

from rtdecode.twins.compact.filters import (
    blur_matrix,
    gamma_kernels,
    hermite_filters,
    initial_response_kernel,
    steered_mix,
    strided_filters,
)

ORDERS, TAPS = 4, 12


def test_kernels_are_0_at_age_0_and_have_unit_norm() -> None:
    kernels = gamma_kernels(3, taps=16)
    assert kernels.shape == (3, 16)
    np.testing.assert_array_equal(kernels[:, -1], 0)
    np.testing.assert_allclose(kernels.norm(dim=1), 1, rtol=1e-6)


def test_the_first_kernel_is_sustained_and_the_others_are_transient() -> None:
    sustained, *transient = gamma_kernels(3, taps=40)
    assert (sustained >= 0).all()
    for kernel in transient:
        assert kernel.min() < 0 < kernel.max()
        assert abs(kernel.sum()) < 0.3 * kernel.abs().sum()
        assert kernel.argmax() > kernel.argmin()  # the newer lobe is the positive one


def test_later_transients_are_slower() -> None:
    latencies = [39 - int(kernel.argmax()) for kernel in gamma_kernels(4, taps=40)[1:]]
    assert latencies == sorted(set(latencies))


def test_the_initial_response_kernel_is_positive_and_sums_to_1() -> None:
    kernel = initial_response_kernel(12)
    assert float(kernel.sum()) == pytest.approx(1)
    assert (kernel > 0).all()
    lag = float((kernel * torch.arange(11, -1, -1)).sum())
    assert 2 < lag < 4


@pytest.mark.parametrize("order", range(ORDERS))
def test_filters_are_derivatives_of_a_gaussian(order: int) -> None:
    """SciPy's Hermite polynomials times the Gaussian, whose n-th derivative they are."""
    x = (np.arange(TAPS) - (TAPS - 1) / 2) / 1.6
    expected = eval_hermitenorm(order, x) * np.exp(-(x**2) / 2)
    filters = hermite_filters(ORDERS, taps=TAPS)
    np.testing.assert_allclose(filters[order], expected / np.linalg.norm(expected), atol=1e-6)


def test_the_first_derivative_is_largest_at_an_edge() -> None:
    """The output of the strided first derivative is largest where luminance changes."""
    light = torch.zeros(40)
    light[21:] = 1
    matrix = strided_filters(hermite_filters(2, taps=TAPS), size=40)[1]
    answer = (matrix @ light).abs()[3:-3]
    assert int(answer.argmax()) + 3 == 10  # centred between pixels 20 and 21


@given(
    size=st.integers(2, 30),
    half=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_an_even_filter_at_every_second_pixel_is_a_padded_convolution(
    size: int, half: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    taps, line = rng.normal(size=2 * half), rng.normal(size=size)
    matrix = strided_filters(torch.from_numpy(taps)[None], size=size)[0]
    padded = np.concatenate([np.zeros(half - 1), line, np.zeros(half + 1)])
    whole = np.correlate(padded, taps, mode="valid")
    np.testing.assert_allclose(matrix @ torch.from_numpy(line), whole[:size:2], atol=1e-12)


@given(size=st.integers(2, 30), half=st.integers(0, 6))
def test_an_odd_filter_at_every_pixel_is_a_padded_convolution(size: int, half: int) -> None:
    rng = np.random.default_rng(0)
    taps, line = rng.normal(size=2 * half + 1), rng.normal(size=size)
    matrix = strided_filters(torch.from_numpy(taps)[None], size=size, stride=1)[0]
    padded = np.concatenate([np.zeros(half), line, np.zeros(half)])
    np.testing.assert_allclose(
        matrix @ torch.from_numpy(line), np.correlate(padded, taps, mode="valid"), atol=1e-12
    )


def test_a_blur_keeps_the_level_and_is_gaussian_inside() -> None:
    blur = blur_matrix(40)
    np.testing.assert_allclose(blur.sum(1), 1, rtol=1e-6)
    spot = np.zeros(40)
    spot[20] = 1
    expected = gaussian_filter1d(spot, 1.5, truncate=8)
    np.testing.assert_allclose(blur.T[20], expected, atol=1e-4)


def subunit(mix: torch.Tensor, column: int, *, streams: int) -> np.ndarray:
    """(row, col) spatial filter of a column of `steered_mix`, summed over streams."""
    filters = hermite_filters(ORDERS, taps=41, width_px=5.0)
    weights = mix.reshape(ORDERS, streams, ORDERS, -1)[..., column].sum(1)
    return np.asarray(torch.einsum("ij,ir,jc->rc", weights, filters, filters))


@pytest.mark.parametrize(("column", "turn"), [(4, 0), (6, np.pi / 4), (8, np.pi / 2)])
def test_first_order_subunits_have_their_direction(column: int, turn: float) -> None:
    """A derivative of a round Gaussian along (cos, sin) of the turn, written down directly."""
    streams = 2
    y, x = np.mgrid[-20:21, -20:21] / 5.0
    expected = (np.cos(turn) * x + np.sin(turn) * y) * np.exp(-(x**2 + y**2) / 2)
    found = subunit(steered_mix(streams, ORDERS, hidden=96), column, streams=streams)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.999


def test_subunits_have_unit_norm_one_stream_each_and_both_polarities() -> None:
    mix = steered_mix(2, ORDERS, hidden=48)
    np.testing.assert_allclose(mix.norm(dim=0), 1, rtol=1e-6)
    by_stream = mix.reshape(ORDERS, 2, ORDERS, 48).square().sum((0, 2))
    assert ((by_stream > 0).sum(0) == 1).all()
    np.testing.assert_allclose(mix[:, 0], -mix[:, 2])  # light and dark, order 0, first stream
