"""What is solved for: a robust quasi-score of recorded activity, for gradient steps.

Recorded activity r scatters about the twin's prediction f with variance

    sigma[t]^2 phi[n] (max(f[t,n], 0) + floor[n]),        noise correlations I + L L',

and a working likelihood with heavy tails. The gradient is written down directly, as a quasi-score
(Wedderburn 1974; Liang & Zeger 1986), not as the derivative of a loss: the derivative of Poisson's
loss contains (r + floor) / (f + floor)^2, which is unbounded where predictions are near 0 or
activity is far from them, and changes its sign where a linear twin predicts less than -floor.

With z = (r - f) / (sigma sqrt(phi (max(f, 0) + floor))) the score is, for each frame,

    J' S (Omega^-1 + L L')^-1 z,       Omega = diag(1 / (1 + (z / k)^4)),

S the factor of r - f in z. The influence Omega z of a neuron is that of a normal residual up to
about k / 2, at most 0.57 k, and goes to 0 for impossible values (a redescending M-estimator; Huber
& Ronchetti 2009, "Robust Statistics", section 4.8). Student's t, 1 / (1 + (z / k)^2), lost more:
residuals of 5 to 15 standard deviations are spikes, and carry information.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rtdecode.decode.noise import Noise

TAIL = 12.0
"""k: residual, in standard deviations, at which a measurement has half its weight."""
_SCALE_QUANTILE = 0.8
_NORMAL_QUANTILE = 1.2816
"""That of the absolute value of a standard normal variable."""
_SCALE_MARGIN = 1.2
"""Scatter above the model's by less than this factor is sampling error, and is not corrected."""
_SCALE_NEURONS = 512
"""Of which the quantile is taken at most; its relative standard error is then 5 %."""
_LARGEST_RESIDUAL = 1e12


@dataclass(frozen=True, slots=True)
class ObservationWeights:
    """Precision of each measurement of some frames, before it is known what was recorded.

    weight: the likelihood weight over the neuron's dispersion; 0 where there is no measurement.
    likelihood_weight: frames that each compared frame stands for, times the noise's tau.
    shared: L, noise correlations in units of each neuron's own spread. rank: place of the scale's
    quantile among the sorted absolute residuals of the neurons that it is taken of. products: of
    each neuron's entries of L with each other, so that L' Omega L is one matrix product.
    """

    weight: Float[Tensor, "frame neuron"]
    likelihood_weight: Float[Tensor, ""]
    shared: Float[Tensor, "neuron factor"]
    rank: Int[Tensor, "frame 1"]
    products: Float[Tensor, "neuron factors_squared"]

    def scale(
        self, predicted: Float[Tensor, "frame neuron"], *, floor: Float[Tensor, " neuron"]
    ) -> Float[Tensor, "frame neuron"]:
        """1 over the spread of each measurement; what is predicted below 0 scatters as at 0."""
        return (self.weight / (predicted.clamp_min(0) + floor)).sqrt()

    def whiten(
        self,
        scaled: Float[Tensor, "frame neuron"],
        *,
        robust: Float[Tensor, "frame neuron"] | None = None,
    ) -> Float[Tensor, "frame neuron"]:
        """(Omega^-1 + L L')^-1 times residuals in units of their spread; 0 where not measured.

        By Woodbury's identity Omega (z - L c), c = (I + L' Omega L)^-1 L' Omega z. `robust` is the
        diagonal of Omega, by default 1.
        """
        observed = (self.weight > 0).to(scaled)
        omega = observed if robust is None else robust * observed
        factors = self.shared.shape[1]
        capacitance = (omega @ self.products).reshape(len(omega), factors, factors)
        capacitance = capacitance + torch.eye(factors).to(scaled)
        common = torch.linalg.inv_ex(capacitance)[0] @ ((omega * scaled) @ self.shared)[..., None]
        whitened: Tensor = omega * (scaled - common[..., 0] @ self.shared.T)
        return whitened


@dataclass(frozen=True, slots=True)
class QuasiScore:
    """Derivative of the log quasi-likelihood by the prediction, and what it rests on.

    pull: the score. misfit: half of Pearson's statistic, sum of weighted squared residuals, and the
    logarithm of sigma for each measurement, as in a negative log-likelihood.
    noise_scale: sigma, at least 1. robust: the diagonal of Omega.
    """

    pull: Float[Tensor, "frame neuron"]
    misfit: Float[Tensor, ""]
    noise_scale: Float[Tensor, "frame 1"]
    robust: Float[Tensor, "frame neuron"]


def factor_products(noise: Noise) -> Float[Tensor, "neuron factors_squared"]:
    """Of each neuron's noise correlation factors with each other."""
    return (noise.shared[:, :, None] * noise.shared[:, None]).flatten(1)


def observation_weights(
    noise: Noise,
    measured: Float[Tensor, "frame neuron"],
    *,
    likelihood_weight: Float[Tensor, ""],
    every: int,
    products: Float[Tensor, "neuron factors_squared"] | None = None,
) -> ObservationWeights:
    """Precision of measurements of which each stands for `every` frames.

    A neuron without a measurement is left out, as if the mouse did not have it. `products` are the
    `factor_products` of the noise, where they are known already.
    """
    weight = likelihood_weight * every
    counted = (measured[:, :: _stride(measured.shape[1])] > 0).long()
    above = ((1 - _SCALE_QUANTILE) * counted.sum(1, keepdim=True)).long()
    rank = (counted.shape[1] - 1 - above).clamp_min(0)
    products = factor_products(noise) if products is None else products
    precision = measured * (weight / noise.dispersion)
    return ObservationWeights(precision, weight, noise.shared, rank, products)


def quasi_score(
    predicted: Float[Tensor, "frame neuron"],
    recorded: Float[Tensor, "frame neuron"],
    weights: ObservationWeights,
    *,
    floor: Float[Tensor, " neuron"],
    tail: float = TAIL,
) -> QuasiScore:
    """Robust quasi-score of recorded activity.

    Notes
    -----
    sigma is estimated in each frame from the residuals z of its neurons: their 80 % quantile, over
    that of normal residuals, and at least 1. Noise that is uniformly larger than when the twin was
    fitted, or an artefact of a scan, lowers the weight of the frame by 1 / sigma^2.
    """
    spread = weights.scale(predicted, floor=floor)
    residual = recorded - predicted
    scaled = (spread * residual).clamp(-_LARGEST_RESIDUAL, _LARGEST_RESIDUAL)
    noise_scale = _noise_scale(scaled, weights)
    scaled = scaled / noise_scale
    robust = 1 / (1 + (scaled.square() / (tail**2 * weights.likelihood_weight)).square())
    whitened = weights.whiten(scaled, robust=robust)
    pull = whitened * spread / noise_scale
    counts = (weights.weight > 0).sum(1, keepdim=True) * weights.likelihood_weight
    misfit = (whitened * scaled).sum() / 2 + (counts * noise_scale.log()).sum()
    return QuasiScore(pull, misfit, noise_scale, robust)


def _noise_scale(
    scaled: Float[Tensor, "frame neuron"], weights: ObservationWeights
) -> Float[Tensor, "frame 1"]:
    size = scaled[:, :: _stride(scaled.shape[1])].abs().sort(1).values
    quantile = size.gather(1, weights.rank)
    normal = _NORMAL_QUANTILE * _SCALE_MARGIN * weights.likelihood_weight.sqrt()
    return (quantile / normal).clamp_min(1)


def _stride(neurons: int) -> int:
    return -(-neurons // _SCALE_NEURONS)
