"""MAP estimate of still images from single-trial activity and a twin of single images.

The prior is normal: its mean is the estimate of the linear decoder, and its covariance that of the
decoder's errors on held-out images. As the mean depends on the same activity, the log-likelihood
is weighted by 0.1 (`_LIKELIHOOD_WEIGHT`). With x = mean + R w and R R' the covariance,
0.1 * -log L(r | f(x)) + |w|^2 / 2 is minimised over w by Adam (Kingma & Ba 2015).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from rtdecode.offline.stills.likelihood import ActivityModel, fit_activity_model, logged
from rtdecode.offline.stills.ridge import ImageRidge
from rtdecode.twins.twin import Twin

F32 = NDArray[np.float32]

ITERATIONS = 24
_LIKELIHOOD_WEIGHT = 0.1
_COMPONENTS = 600
_SHRINKAGE = 0.3
"""Shrinkage of the error covariance towards its diagonal, as held-out images are few."""
_RATE, _LAST_RATE = 0.08, 0.005
_BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class ImageMap:
    """MAP inversion of a twin of still images."""

    twin: Twin
    ridge: ImageRidge
    model: ActivityModel
    to_pixels: Float[Tensor, "component pixel"]
    """R': grey levels for one standard deviation of each coordinate w of the prior."""

    def images(self, activity: F32, *, iterations: int = ITERATIONS) -> F32:
        """(trial, row, col) grey levels from (trial, neuron) activity in units of its SD."""
        observed = logged(activity)
        shape = (-1, self.twin.spec.rows_px, self.twin.spec.cols_px)
        found = self._found(
            torch.from_numpy(self.ridge.images(observed)), torch.from_numpy(observed), iterations
        )
        return np.asarray(found.reshape(shape).clamp(0, 255).numpy(), np.float32)

    def _found(
        self,
        start: Float[Tensor, "trial pixel"],
        observed: Float[Tensor, "trial neuron"],
        iterations: int,
    ) -> Float[Tensor, "trial pixel"]:
        white = torch.zeros(len(start), len(self.to_pixels), requires_grad=True)
        adam = torch.optim.Adam([white], lr=_RATE, betas=(0.9, 0.99))
        for step in range(iterations):
            adam.param_groups[0]["lr"] = _RATE * (1 - step / iterations) + _LAST_RATE
            predicted = predicted_for(self.twin, start + white @ self.to_pixels)
            loss = _LIKELIHOOD_WEIGHT * self.model.neg_log_likelihood(predicted, observed)
            (white.grad,) = torch.autograd.grad(loss + 0.5 * white.square().sum(), white)
            adam.step()
        return (start + white @ self.to_pixels).detach()


def image_map(twin: Twin, ridge: ImageRidge, *, images: F32, activity: F32) -> ImageMap:
    """Fit likelihood and prior of the MAP estimate to the training trials.

    Parameters
    ----------
    twin
        A frozen twin of single images.
    ridge
        Linear decoder, fitted to `logged` activity of the same trials.
    images, activity
        (trial, pixel) grey levels and (trial, neuron) in units of each neuron's SD.
    """
    with torch.no_grad():
        parts = [predicted_for(twin, part) for part in batches(images)]
    model = fit_activity_model(torch.cat(parts).numpy(), logged(activity))
    return ImageMap(twin, ridge, model, _white_to_pixels(images, ridge.error))


def predicted_for(
    twin: Twin, images: Float[Tensor, "trial pixel"]
) -> Float[Tensor, "trial neuron"]:
    """Activity that a twin of single images predicts, with behaviour 0."""
    shape = (len(images), 1, twin.spec.rows_px, twin.spec.cols_px)
    behaviour = torch.zeros(len(images), 1, len(twin.spec.behaviour_channels))
    return twin(images.reshape(shape), behaviour)[:, 0]


def batches(images: F32) -> Iterator[Float[Tensor, "trial pixel"]]:
    """`images` in batches that fit the caches of a CPU."""
    for first in range(0, len(images), _BATCH):
        yield torch.from_numpy(images[first : first + _BATCH])


def _white_to_pixels(images: F32, error: F32) -> Float[Tensor, "component pixel"]:
    """Cholesky root of the error covariance within the principal components of the images."""
    centred = images - images.mean(0)
    _, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    kept = directions[:, ::-1][:, : min(_COMPONENTS, len(images) - 1)]
    within = error @ kept
    covariance = within.T @ within / len(error)
    own = np.diag(np.diag(covariance))
    root = np.linalg.cholesky(
        (1 - _SHRINKAGE) * covariance + _SHRINKAGE * own + 1e-3 * np.eye(len(own))
    )
    return torch.from_numpy(np.ascontiguousarray((kept @ root).T, np.float32))
