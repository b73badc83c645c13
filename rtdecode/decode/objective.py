"""What is minimised: how badly predicted activity explains recorded activity."""

from jaxtyping import Float
from torch import Tensor

_FLOOR = 1e-2
"""Part of a neuron's dispersion that is added to its prediction: keeps gradients finite."""


def poisson_objective(
    predicted: Float[Tensor, "frame neuron"],
    recorded: Float[Tensor, "frame neuron"],
    weight: Float[Tensor, "frame neuron"],
    *,
    floor: Float[Tensor, " neuron"],
) -> Float[Tensor, ""]:
    """Sum of weight (f - r log f), the quasi-Poisson loss of recorded activity r; f is predicted.

    A neuron without a measurement has weight 0: it is left out, not taken to be silent. `floor`
    is added to f inside and outside the logarithm.
    """
    rate = predicted + floor
    return (weight * (rate - recorded * rate.log())).sum()


def neuron_weights(
    measured: Float[Tensor, "frame neuron"],
    dispersion: Float[Tensor, " neuron"],
    *,
    tau: Float[Tensor, ""],
    every: int,
) -> Float[Tensor, "frame neuron"]:
    """Weight of each measurement: tau over the neuron's dispersion, for each of `every` frames."""
    return measured * (tau * every / dispersion)


def rate_floor(dispersion: Float[Tensor, " neuron"]) -> Float[Tensor, " neuron"]:
    """Smallest expected activity that is told apart from 0, in twin units."""
    return _FLOOR * dispersion
