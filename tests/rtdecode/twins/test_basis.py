"""Video from coefficients equals SciPy's inverse transform, or the coefficients of pixels."""

import numpy as np
import torch
from scipy.fft import idctn

from rtdecode.decode.prior import VideoPrior
from rtdecode.twins.basis import pixel_basis


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_video_of_a_prior_is_the_inverse_cosine_transform_about_its_mean(
    prior: VideoPrior,
) -> None:
    coefficients = normal(3, 4, 5)
    padded = np.zeros((3, 6, 8))
    padded[:, :4, :5] = coefficients
    expected = idctn(padded, axes=(1, 2), norm="ortho") + prior.mean.numpy()
    np.testing.assert_allclose(prior.basis.video(coefficients), expected, atol=1e-4)


def test_in_the_pixel_basis_coefficients_are_grey_levels() -> None:
    video = 100 + 50 * normal(3, 6, 8)
    assert (pixel_basis(6, 8).video(video) == video).all()
