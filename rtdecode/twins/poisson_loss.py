"""The Poisson loss, which training and the published offline reconstruction minimise."""

import torch
from jaxtyping import Float
from torch import Tensor


def poisson_loss(
    predicted: Float[Tensor, "*batch frame neuron"], recorded: Float[Tensor, "*batch frame neuron"]
) -> Float[Tensor, ""]:
    """Mean Poisson loss of recorded activity r under the prediction f, both in twin units.

    f − r log(f + 1e-6), averaged over all values that were measured; where r is NaN it was not. It
    is the negative logarithm of the Poisson likelihood up to a term that depends on r alone, and
    is used for activity that is no count, as in the Sensorium competitions (Turishcheva et al.
    2024, arXiv 2407.09100).
    """
    measured = recorded.isfinite()
    activity = torch.where(measured, recorded, 0)
    losses = (predicted - activity * torch.log(predicted + 1e-6)) * measured
    return losses.sum() / measured.sum().clamp_min(1)
