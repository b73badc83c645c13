"""Linear decoder of still images: ridge regression from the activity of one trial to pixels.

Solved in the space of trials, W = X' (X X' + penalty I)^-1 Y (kernel ridge; Saunders, Gammerman &
Vovk 1998), as there are more neurons than trials. The penalty is chosen on a held-out fifth of the
training trials.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from rtdecode.evaluate.metrics import pearson_r

F32 = NDArray[np.float32]

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0)
"""In units of the mean variance of the kernel."""
_LEFT_OUT = 5


@dataclass(frozen=True, slots=True, eq=False)
class ImageRidge:
    """A fitted linear decoder, with its errors on held-out training images."""

    penalty: float
    mean_image: F32
    """(pixel,)"""
    mean: F32
    """(neuron,) mean activity of the training trials."""
    scale: F32
    """(neuron,) inverse of the standard deviation; 0 for a silent neuron."""
    weights: F32
    """(neuron, pixel) grey levels for one standard deviation of activity."""
    error: F32
    """(image, pixel) ground truth minus estimate, for the held-out training images."""

    def images(self, activity: F32) -> F32:
        """(image, pixel) grey levels from (image, neuron) activity."""
        scaled: F32 = (activity - self.mean) * self.scale
        return np.asarray(scaled @ self.weights + self.mean_image, np.float32)


def fit_image_ridge(
    activity: F32,
    images: F32,
    *,
    rng: np.random.Generator,
    report: Callable[[float, float], None] = lambda _penalty, _r: None,
) -> ImageRidge:
    """Fit the linear decoder of `images`, (trial, pixel), from `activity`, (trial, neuron).

    `report` is called with each penalty and its correlation on the held-out trials; `rng` chooses
    those.
    """
    order = rng.permutation(len(images))
    held_out, fitted = np.split(order, [max(1, len(order) // _LEFT_OUT)])
    found: list[tuple[float, float, F32]] = []
    for penalty in PENALTIES:
        part = _ridge_solution(activity[fitted], images[fitted], penalty)
        error = images[held_out] - part.images(activity[held_out])
        r = pearson_r(images[held_out], images[held_out] - error)
        report(penalty, r)
        found.append((r, penalty, error))
        if len(found) > 1 and r < found[-2][0]:
            break
    _, penalty, error = max(found, key=lambda one: one[0])
    whole = _ridge_solution(activity, images, penalty)
    return ImageRidge(
        penalty, whole.mean_image, whole.mean, whole.scale, whole.weights, np.asarray(error)
    )


def _ridge_solution(activity: F32, images: F32, penalty: float) -> ImageRidge:
    mean, mean_image, sd = activity.mean(0), images.mean(0), activity.std(0)
    scale = np.where(sd > 0, 1 / np.maximum(sd, np.finfo(np.float32).tiny), 0).astype(np.float32)
    scaled = (activity - mean) * scale
    kernel = scaled @ scaled.T
    kernel[np.diag_indices_from(kernel)] += np.float32(penalty * np.trace(kernel) / len(kernel))
    factor = cho_factor(kernel, lower=True, overwrite_a=True, check_finite=False)
    dual = cho_solve(factor, images - mean_image, check_finite=False)
    weights = np.asarray(scaled.T @ dual, np.float32)
    return ImageRidge(penalty, mean_image, mean, scale, weights, images[:0])
