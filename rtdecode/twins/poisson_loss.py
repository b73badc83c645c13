"""The Poisson loss of predicted activity, which training and the published procedure minimise."""

import torch
from jaxtyping import Float
from torch import Tensor


def poisson_loss(
    predicted: Float[Tensor, "*batch frame neuron"], recorded: Float[Tensor, "*batch frame neuron"]
) -> Float[Tensor, ""]:
    """Mean Poisson loss of the recorded activity under the predicted; both in twin units.

    The mean is over what was measured: NaN in `recorded` says nothing of the prediction.
    """
    measured = recorded.isfinite()
    told = torch.where(measured, recorded, 0)
    losses = (predicted - told * torch.log(predicted + 1e-6)) * measured
    return losses.sum() / measured.sum().clamp_min(1)
