"""Robust quasi-score of recorded activity, for the solver's gradient steps.

Duties: the precision of measurements from the noise model, whitening by noise correlations, the
score and its misfit. This module must not depend on the twin, the prior or the solver.

Recorded activity r has the variance σ[t]² φ[n] (max(f[t, n], 0) + 0.3 φ[n]) about the prediction f
of the twin, and noise correlations I + L L'; eqs. (3) to (5) of docs/decoder.md:

    z = (r - f) / (σ √(φ (max(f, 0) + 0.3 φ)))                                               (3)
    cov z = I + L L'                                                                         (4)
    score = λ S (Ω⁻¹ + L L')⁻¹ z,    Ω = diag(1 / (1 + (z / k)⁴)),    S = -∂z/∂f               (5)

The score is written down directly, as a quasi-score (Wedderburn 1974; Liang & Zeger 1986), instead
of being derived from a loss: the derivative of Poisson's loss contains (r + floor) / (f + floor)²,
which is unbounded where predictions are near 0 or activity is far from them, and changes its sign
where a linear twin predicts less than -floor.

The influence Ω z of a neuron is that of a normal residual up to about k / 2, at most 0.57 k, and
approaches 0 for impossible values (a redescending M-estimator; Huber & Ronchetti 2009, "Robust
Statistics", section 4.8). Weights of Student's t, 1 / (1 + (z / k)²), cost more of the score:
residuals of 5 to 15 standard deviations are spikes, and carry information.

>>> from rtdecode.decode.noise import even_noise
>>> noise = even_noise(3, likelihood_weight=1.0)
>>> weights = observation_weights(
...     noise, torch.tensor([[1.0, 1.0, 0.0]]), likelihood_weight=torch.ones(()), stride=1
... )
>>> predicted, recorded = torch.full((1, 3), 0.7), torch.tensor([[1.7, 0.7, 9.0]])
>>> quasi_score(predicted, recorded, weights, floor=noise.floor).score.round(decimals=2).tolist()
[[1.0, 0.0, 0.0]]
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rtdecode.decode.noise import Noise
from rtdecode.decode.step_loops import (
    noise_scales,
    robust_weights,
    scaled_residuals,
    solved,
    whitened_scores,
)

TAIL = 12.0
"""k: residual, in standard deviations, at which a measurement has half its weight."""
_SCALE_QUANTILE = 0.8
_NORMAL_QUANTILE = 1.2816
"""That quantile of the absolute value of a standard normal variable."""
_SCALE_MARGIN = 1.2
"""A noise scale below this factor is within sampling error, and is set to 1."""
_SCALE_NEURONS = 512
"""Largest number of neurons for the quantile; its relative standard error is then 5 %."""
_LARGEST_RESIDUAL = 1e12


@dataclass(frozen=True, slots=True)
class ObservationWeights:
    """Precision of the measurements of some frames, up to its dependence on the prediction.

    weight: λ / φ, likelihood weight over the neuron's dispersion; 0 where there is no measurement.
    likelihood_weight: λ times the temporal stride, the number of frames that each compared frame
    represents. shared: L, noise correlations in units of each neuron's independent standard
    deviation. rank: index of the noise scale's quantile among the sorted absolute residuals.
    products: products of each neuron's entries of L, so that L' Ω L is one matrix product.
    counts: λ times the number of measurements of each frame.
    """

    weight: Float[Tensor, "frame neuron"]
    likelihood_weight: Float[Tensor, ""]
    shared: Float[Tensor, "neuron factor"]
    rank: Int[Tensor, "frame 1"]
    products: Float[Tensor, "neuron factors_squared"]
    counts: Float[Tensor, "frame 1"]

    def scale(
        self, predicted: Float[Tensor, "frame neuron"], *, floor: Float[Tensor, " neuron"]
    ) -> Float[Tensor, "frame neuron"]:
        """σ S √λ = √(λ / (φ (max(f, 0) + floor))), inverse standard deviations by eq. (3)."""
        return (self.weight / (predicted.clamp_min(0) + floor)).sqrt()

    def whiten(
        self,
        scaled: Float[Tensor, "frame neuron"],
        *,
        robust: Float[Tensor, "frame neuron"] | None = None,
    ) -> Float[Tensor, "frame neuron"]:
        """(Ω⁻¹ + L L')⁻¹ z for residuals z in standard deviations; 0 where not measured.

        By Woodbury's identity it is Ω (z - L c), c = (I + L' Ω L)⁻¹ L' Ω z, with the capacitance
        matrix I + L' Ω L. `robust` is the diagonal of Ω, by default 1; it is set to 0 for neurons
        without a measurement, which leaves them out of the covariance.
        """
        observed = (self.weight > 0).to(scaled)
        omega = observed if robust is None else robust * observed
        factors = self.shared.shape[1]
        capacitance = (omega @ self.products).reshape(len(omega), factors, factors)
        capacitance = capacitance + torch.eye(factors, device=scaled.device)
        common = torch.linalg.inv_ex(capacitance)[0] @ ((omega * scaled) @ self.shared)[..., None]
        whitened: Tensor = omega * (scaled - common[..., 0] @ self.shared.T)
        return whitened


@dataclass(frozen=True, slots=True)
class QuasiScore:
    """Derivative of the log quasi-likelihood by the prediction, with its intermediate results.

    score: λ S (Ω⁻¹ + L L')⁻¹ z, eq. (5) without J'. misfit: half of Pearson's statistic (the sum of
    weighted squared residuals) plus log σ for each measurement, as in a negative log-likelihood.
    noise_scale: σ, at least 1. robust: the diagonal of Ω.
    """

    score: Float[Tensor, "frame neuron"]
    misfit: Float[Tensor, ""]
    noise_scale: Float[Tensor, "frame 1"]
    robust: Float[Tensor, "frame neuron"]


def factor_products(noise: Noise) -> Float[Tensor, "neuron factors_squared"]:
    """L[n, i] L[n, j] for each neuron n and all pairs of factors i, j."""
    return (noise.shared[:, :, None] * noise.shared[:, None]).flatten(1)


def observation_weights(
    noise: Noise,
    measured: Float[Tensor, "frame neuron"],
    *,
    likelihood_weight: Float[Tensor, ""],
    stride: int,
    products: Float[Tensor, "neuron factors_squared"] | None = None,
) -> ObservationWeights:
    """Precision of measurements of which each represents `stride` frames.

    Parameters
    ----------
    measured
        1 where there is a measurement, else 0; a neuron without a measurement is left out of the
        likelihood.
    likelihood_weight
        λ, weight of the log-likelihood of one frame.
    stride
        Temporal stride: frames from one compared frame to the next.
    products
        `factor_products` of the noise, where they are already computed.
    """
    weight = likelihood_weight * stride
    counted = (measured[:, :: _thinning(measured.shape[1])] > 0).long()
    above = ((1 - _SCALE_QUANTILE) * counted.sum(1, keepdim=True)).long()
    rank = (counted.shape[1] - 1 - above).clamp_min(0)
    products = factor_products(noise) if products is None else products
    precision = measured * (weight / noise.dispersion)
    counts = (precision > 0).sum(1, keepdim=True) * weight
    return ObservationWeights(precision, weight, noise.shared, rank, products, counts)


def quasi_score(
    predicted: Float[Tensor, "frame neuron"],
    recorded: Float[Tensor, "frame neuron"],
    weights: ObservationWeights,
    *,
    floor: Float[Tensor, " neuron"],
    tail: float = TAIL,
) -> QuasiScore:
    """Robust quasi-score of recorded activity, eq. (5), in twin units.

    Notes
    -----
    σ is estimated in each frame from the residuals z of its neurons: their 80 % quantile over that
    of normal residuals, at least 1. Noise that is uniformly larger than when the twin was fitted,
    or an artefact of a scan, lowers the weight of the frame by 1 / σ².
    """
    inverse_sd = weights.scale(predicted, floor=floor)
    residual = recorded - predicted
    scaled = (inverse_sd * residual).clamp(-_LARGEST_RESIDUAL, _LARGEST_RESIDUAL)
    noise_scale = _noise_scale(scaled, weights)
    scaled = scaled / noise_scale  # z √λ of eq. (3)
    # diagonal of Ω of eq. (5); `scaled` has the factor √λ, which z has not
    robust = 1 / (1 + (scaled.square() / (tail**2 * weights.likelihood_weight)).square())
    whitened = weights.whiten(scaled, robust=robust)
    score = whitened * inverse_sd / noise_scale  # λ S (Ω⁻¹ + L L')⁻¹ z
    misfit = (whitened * scaled).sum() / 2 + (weights.counts * noise_scale.log()).sum()
    return QuasiScore(score, misfit, noise_scale, robust)


def quasi_score_on_host(
    predicted: Float[Tensor, "frame neuron"],
    recorded: Float[Tensor, "frame neuron"],
    weights: ObservationWeights,
    *,
    floor: Float[Tensor, " neuron"],
    tail: float = TAIL,
) -> QuasiScore:
    """The same as `quasi_score` by compiled loops, for float32 arrays on a CPU."""
    inverse_sd, z, robust, omega = (torch.empty_like(predicted) for _ in range(4))
    noise_scale, weight = predicted.new_empty(len(predicted), 1), weights.weight.numpy()
    sigma, likelihood_weight = noise_scale[:, 0].numpy(), float(weights.likelihood_weight)
    scaled_residuals(
        predicted.numpy(),
        recorded.numpy(),
        weight,
        floor.numpy(),
        _LARGEST_RESIDUAL,
        inverse_sd.numpy(),
        z.numpy(),
    )
    normal = _NORMAL_QUANTILE * _SCALE_MARGIN * likelihood_weight**0.5
    thinning = _thinning(predicted.shape[1])
    noise_scales(z.numpy(), weights.rank[:, 0].numpy(), thinning, normal, sigma)
    tail_squared = tail**2 * likelihood_weight
    robust_weights(z.numpy(), weight, sigma, tail_squared, robust.numpy(), omega.numpy())
    # Woodbury's identity as in `whiten`: L c with (I + L' Ω L) c = L' Ω z
    factors = weights.shared.shape[1]
    capacitance = (omega @ weights.products).view(len(omega), factors, factors)
    common = (omega * z) @ weights.shared
    solved(capacitance.numpy(), common.numpy())
    whitened, score = common @ weights.shared.T, torch.empty_like(z)
    misfit = whitened_scores(
        z.numpy(), omega.numpy(), inverse_sd.numpy(), sigma, whitened.numpy(), score.numpy()
    )
    logs = float((weights.counts * noise_scale.log()).sum())
    return QuasiScore(score, predicted.new_tensor(misfit + logs), noise_scale, robust)


def _noise_scale(
    scaled: Float[Tensor, "frame neuron"], weights: ObservationWeights
) -> Float[Tensor, "frame 1"]:
    # a stride through the neurons bounds the cost of sorting
    size = scaled[:, :: _thinning(scaled.shape[1])].abs().sort(1).values
    quantile = size.gather(1, weights.rank)
    normal = _NORMAL_QUANTILE * _SCALE_MARGIN * weights.likelihood_weight.sqrt()
    return (quantile / normal).clamp_min(1)


def _thinning(neurons: int) -> int:
    return -(-neurons // _SCALE_NEURONS)
