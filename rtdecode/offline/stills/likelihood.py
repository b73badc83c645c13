"""Likelihood of single-trial activity given the prediction of a twin of still images.

Single-trial activity is sparse, and neurons have strong noise correlations, for example through
arousal. Activity r is therefore compared on a logarithmic scale, y = log(1 + 3 r), on which each
neuron is a linear function of the logarithm of its prediction f:
y = a + b log(f + 0.03) + sd e, with e ~ N(0, S). S is a factor model (probabilistic PCA, Tipping &
Bishop 1999): the leading eigenvalues of the residuals, and a common variance in all other
directions. With independent neurons the inversion fits noise.
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
    """log(1 + 3 r) of activity r in units of each neuron's SD; the scale of the likelihood."""
    return np.asarray(np.log1p(_SCALE * activity), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ActivityModel:
    """Linear relation of each neuron to its prediction, and factor model of the residuals.

    shared: orthonormal eigenvectors of the standardised residuals, with variances
    `shared_variance`; all other directions have `rest_variance`.
    """

    offset: Float[Tensor, " neuron"]
    slope: Float[Tensor, " neuron"]
    sd: Float[Tensor, " neuron"]
    shared: Float[Tensor, "neuron factor"]
    shared_variance: Float[Tensor, " factor"]
    rest_variance: float

    def neg_log_likelihood(
        self, predicted: Float[Tensor, "trial neuron"], observed: Float[Tensor, "trial neuron"]
    ) -> Float[Tensor, ""]:
        """Negative log-likelihood of `observed` (`logged` activity), summed, without constants."""
        line = self.offset + self.slope * torch.log(predicted + _FLOOR)
        scaled = (observed - line) / self.sd
        # e' S^-1 e = |e|^2 / s2 - sum_k (1 / s2 - 1 / l_k) (v_k' e)^2
        reduction = 1 / self.rest_variance - 1 / self.shared_variance
        along = (scaled @ self.shared).square() @ reduction
        return 0.5 * (scaled.square().sum() / self.rest_variance - along.sum())


def fit_activity_model(predicted: F32, observed: F32, *, factors: int = FACTORS) -> ActivityModel:
    """Fit the activity model to training trials.

    Parameters
    ----------
    predicted, observed
        (trial, neuron) predictions of the twin, and `logged` activity.
    factors
        Number of factors; at most a quarter of the number of trials or neurons is used.
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

    return ActivityModel(
        offset=tensor(offset),
        slope=tensor(slope),
        sd=tensor(sd),
        shared=tensor(directions),
        shared_variance=tensor(variance),
        rest_variance=float(rest),
    )
