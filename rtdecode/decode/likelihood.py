"""What is minimised: how badly predicted activity explains recorded activity.

Single trials scatter about the twin's prediction f with variance dispersion (f + floor), and
neurons share a part of their scatter: arousal moves hundreds of them at once. The gradient is
that of a quasi-likelihood with a working correlation over neurons (Wedderburn 1974; Liang & Zeger
1986): recorded less predicted activity, in units of its spread, times the inverse of its
correlation. Taking shared scatter for the word of each neuron alone is what makes an inversion
fit noise.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.noise import Noise


@dataclass(frozen=True, slots=True)
class ObservationWeights:
    """What each measurement of some frames counts.

    weight: likelihood weight over the neuron's dispersion; 0 where there is no measurement.
    shared: L, what moves many neurons at once, in units of each one's own spread.
    capacitance_inverse: (I + L' L)^-1, with the rows of L of the neurons that were measured.
    """

    weight: Float[Tensor, "frame neuron"]
    shared: Float[Tensor, "neuron factor"]
    capacitance_inverse: Float[Tensor, "frame factor factor"]

    def scale(
        self, predicted: Float[Tensor, "frame neuron"], *, floor: Float[Tensor, " neuron"]
    ) -> Float[Tensor, "frame neuron"]:
        """1 over the spread of each measurement; what is predicted below 0 scatters as at 0."""
        return (self.weight / (predicted.clamp_min(0) + floor)).sqrt()

    def whiten(self, scaled: Float[Tensor, "frame neuron"]) -> Float[Tensor, "frame neuron"]:
        """Scatter in units of its spread, times the inverse of I + L L'; 0 where not measured."""
        own = scaled * (self.weight > 0)
        along = torch.einsum("tk,tkl->tl", own @ self.shared, self.capacitance_inverse)
        return (own - along @ self.shared.T) * (self.weight > 0)


def observation_weights(
    noise: Noise,
    measured: Float[Tensor, "frame neuron"],
    *,
    likelihood_weight: Float[Tensor, ""],
    every: int,
) -> ObservationWeights:
    """What measurements count if each of them stands for `every` frames.

    A neuron without a measurement is left out, as if the mouse did not have it.
    """
    weight = measured * (likelihood_weight * every / noise.dispersion)
    heard = (weight > 0).to(noise.shared)
    capacitance = (heard[:, None] * noise.shared.T) @ noise.shared
    identity = torch.eye(noise.shared.shape[1]).to(noise.shared)
    return ObservationWeights(weight, noise.shared, torch.linalg.inv(identity + capacitance))


def neg_log_likelihood(
    predicted: Float[Tensor, "frame neuron"],
    recorded: Float[Tensor, "frame neuron"],
    weights: ObservationWeights,
    *,
    floor: Float[Tensor, " neuron"],
) -> Float[Tensor, ""]:
    """Quasi-Poisson loss of recorded activity, less what shared scatter explains of it.

    Without shared scatter it is the sum of weight (f - r log f), with `floor` added to predicted
    activity f and to recorded activity r. The variance in the shared part is taken as it stands:
    no gradient goes through it.
    """
    rate, heard = predicted + floor, recorded + floor
    alone = (weights.weight * (rate - heard * rate.log())).sum()
    scaled = weights.scale(predicted.detach(), floor=floor) * (recorded - predicted)
    along = scaled @ weights.shared
    return alone - torch.einsum("tk,tkl,tl->", along, weights.capacitance_inverse, along) / 2
