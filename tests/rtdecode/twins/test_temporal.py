"""Causal filters written as matrices equal SciPy's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from rtdecode.twins.readout import causal_filters, newest_frames


@given(
    frames=st.integers(1, 20),
    taps=st.integers(1, 6),
    spacing=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_the_matrix_is_a_causal_filter_with_the_first_frame_held(
    frames: int, taps: int, spacing: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    signal, kernel = rng.normal(size=frames), rng.normal(size=taps)
    apart = np.zeros(1 + (taps - 1) * spacing)
    apart[::spacing] = kernel[::-1]  # SciPy's newest tap comes first
    held = np.concatenate([np.full(len(apart), signal[0]), signal])
    expected = lfilter(apart, [1], held)[len(apart) :]
    matrix = causal_filters(
        torch.from_numpy(kernel)[None],
        frames_in=frames,
        wanted=torch.arange(frames),
        spacing=spacing,
    )
    np.testing.assert_allclose(matrix[0] @ torch.from_numpy(signal), expected, atol=1e-12)


def test_only_wanted_frames_are_filtered() -> None:
    kernels = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
    matrix = causal_filters(kernels, frames_in=4, wanted=torch.tensor([0, 3]))
    assert matrix.tolist() == [
        [[3, 0, 0, 0], [0, 0, 1, 2]],  # at frame 0 what stood before takes part: 1 + 2
        [[1, 0, 0, 0], [0, 0, 0, 1]],
    ]


def test_the_gradient_with_respect_to_the_kernel_equals_finite_differences() -> None:
    kernels = torch.ones(1, 3, dtype=torch.float64, requires_grad=True)
    wanted = torch.arange(5)
    assert torch.autograd.gradcheck(
        lambda k: causal_filters(k, frames_in=5, wanted=wanted, spacing=2), kernels
    )


@pytest.mark.parametrize(
    ("frames", "count", "stride", "expected"),
    [(10, 3, 1, [7, 8, 9]), (10, 3, 2, [5, 7, 9]), (10, 99, 4, [1, 5, 9]), (1, 5, 2, [0])],
)
def test_the_newest_frame_is_always_included(
    frames: int, count: int, stride: int, expected: list[int]
) -> None:
    assert newest_frames(frames, count=count, stride=stride) == expected
