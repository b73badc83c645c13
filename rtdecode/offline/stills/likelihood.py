"""How recorded activity of one trial scatters around what a twin predicts for its image.

Single trials are many zeros and few large values, and neurons share much of their scatter:
arousal moves hundreds of them together. So activity is compared on a logarithmic scale, where
each neuron follows the twin's prediction along its own line, and the scatter is a factor model:
its main components over neurons, and the same variance in all other directions. Taking shared
scatter for signal of each neuron alone is what makes an inversion fit noise.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

F32 = NDArray[np.float32]

FACTORS = 60
_SCALE = 3.0
_FLOOR = 0.03
_LEAST = 1e-6


def logged(activity: F32) -> F32:
    """Activity, in units of each neuron's SD, on the scale on which trials are compared."""
    return np.asarray(np.log1p(_SCALE * activity), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ActivityScatter:
    """Line and scatter of each neuron; `shared` holds directions in scaled residuals."""

    offset: Float[Tensor, " neuron"]
    slope: Float[Tensor, " neuron"]
    sd: Float[Tensor, " neuron"]
    shared: Float[Tensor, "neuron factor"]
    shared_variance: Float[Tensor, " factor"]
    rest_variance: float

    def neg_log_likelihood(
        self, predicted: Float[Tensor, "trial neuron"], observed: Float[Tensor, "trial neuron"]
    ) -> Float[Tensor, ""]:
        """Minus log likelihood of `observed` (`logged` activity), summed, without constants."""
        line = self.offset + self.slope * torch.log(predicted + _FLOOR)
        scaled = (observed - line) / self.sd
        known = 1 / self.rest_variance - 1 / self.shared_variance
        along = (scaled @ self.shared).square() @ known
        return 0.5 * (scaled.square().sum() / self.rest_variance - along.sum())


def fit_scatter(predicted: F32, observed: F32, *, factors: int = FACTORS) -> ActivityScatter:
    """Scatter of training trials.

    Parameters
    ----------
    predicted, observed
        (trial, neuron) the twin's predictions, and `logged` activity.
    factors
        Shared components; no more than a quarter of trials or neurons are taken.
    """
    x = np.log(predicted + _FLOOR)
    x_mean, y_mean = x.mean(0), observed.mean(0)
    spread = np.square(x - x_mean).mean(0)
    slope = ((x - x_mean) * (observed - y_mean)).mean(0) / np.maximum(spread, _LEAST)
    offset = y_mean - slope * x_mean
    residual = observed - offset - slope * x
    sd = np.sqrt(np.maximum(residual.var(0), _LEAST))
    scaled = (residual / sd).astype(np.float32)
    factors = min(factors, min(scaled.shape) // 4)
    variance, directions = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    variance, directions = variance[::-1][:factors], directions[:, ::-1][:, :factors]
    rest = (len(sd) - variance.sum()) / (len(sd) - factors)

    def tensor(values: NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(np.array(values, np.float32, order="C"))

    return ActivityScatter(
        offset=tensor(offset),
        slope=tensor(slope),
        sd=tensor(sd),
        shared=tensor(directions),
        shared_variance=tensor(variance),
        rest_variance=float(rest),
    )
