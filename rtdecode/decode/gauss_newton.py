"""Products with the Gauss-Newton matrix of the objective, for step size and uncertainty.

Duties: products with I + J' W J without forming the matrix, draws of noise with covariance J' W J,
and the largest eigenvalue, from which the step size of eq. (7) of docs/decoder.md follows. This
module must not depend on the solver or on recorded activity.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.horizon import EstimatedFrames
from rtdecode.decode.likelihood import ObservationWeights
from rtdecode.decode.predictor import Predictor

_PROBE = 0.1
"""Length of the finite difference, in standard deviations of the prior.

It is short against the eigenvalue of a twin, and long against the rounding of float32.
"""

Coordinates = Float[Tensor, "frame krow kcol"]
Predict = Callable[[Coordinates], Float[Tensor, "compared neuron"]]


class GaussNewton:
    """I + J' W J, with J the derivative of the prediction f by whitened coordinates at one video.

    W is the precision of recorded activity by eqs. (3) and (4), times the likelihood weight:
    W = S (I + L L')^-1 S with S² = λ / (φ (max(f, 0) + 0.3 φ)) and L the noise correlations. The
    robust weights Ω and the noise scale σ are 1, as for residuals that follow the noise model.

    Products with J are finite differences, products with J' automatic differentiation.

    Parameters
    ----------
    predict
        Activity from whitened coordinates of the estimated frames.
    at
        Whitened coordinates at which the prediction is linearised.
    weights, floor
        As in `quasi_score`.
    """

    def __init__(
        self,
        predict: Predict,
        at: Coordinates,
        *,
        weights: ObservationWeights,
        floor: Float[Tensor, " neuron"],
    ) -> None:
        self._predict, self._at, self._weights = predict, at, weights
        with torch.no_grad():
            self._here = predict(at)
        self._scale = weights.scale(self._here, floor=floor)

    def times(self, direction: Coordinates) -> Coordinates:
        """(I + J' W J) `direction`."""
        scale = direction.norm() / _PROBE
        with torch.no_grad():
            moved = (self._predict(self._at + direction / scale) - self._here) * scale
        # J direction is `moved`, and _scale is the diagonal of S.
        return direction + self._weighted_adjoint(self._scale * moved)

    def noise(self, generator: torch.Generator) -> Coordinates:
        """J' W n for one draw n of the observation noise, whose covariance is J' W J.

        S n is own + L common with standard normal own and common, of covariance I + L L', eq. (4).
        """
        shared = self._weights.shared
        own = torch.randn(self._here.shape, generator=generator).to(shared)
        common = torch.randn(len(own), shared.shape[1], generator=generator).to(shared)
        return self._weighted_adjoint(own + common @ shared.T)

    def adjoint(self, score: Float[Tensor, "compared neuron"]) -> Coordinates:
        """J' `score`."""
        at = self._at.clone().requires_grad_()
        (back,) = torch.autograd.grad((self._predict(at) * score).sum(), at)
        return back

    def _weighted_adjoint(self, scaled: Float[Tensor, "compared neuron"]) -> Coordinates:
        """J' S (I + L L')^-1 `scaled`."""
        return self.adjoint(self._scale * self._weights.whiten(scaled))


_ITERATIONS = 6
_SEED = 0


def largest_eigenvalue(
    block: EstimatedFrames,
    predictor: Predictor,
    behaviour: Float[Tensor, "horizon channel"],
    *,
    history: int,
    weights: ObservationWeights,
    floor: Float[Tensor, " neuron"],
) -> Float[Tensor, ""]:
    """Largest eigenvalue of the Gauss-Newton matrix at a video drawn from the prior.

    λ_max(I + J' W J) of eq. (7), by power iteration v ← A v / |v|, |v| → λ_max. The number of
    iterations leaves it at most a third too small, which momentum 0.6 tolerates: its steps are
    stable up to 1.45 / λ_max.
    """
    generator = torch.Generator().manual_seed(_SEED)
    prior = block.prior
    shape = (block.frames, *prior.power.shape)
    first = torch.randn(prior.power.shape, generator=generator).to(prior.mean.device)
    past = (first * prior.power.sqrt()).expand(block.order, -1, -1)
    predict = predictor.given(past[-1:].expand(history, -1, -1), behaviour)
    u = torch.randn(shape, generator=generator).to(prior.mean.device)
    matrix = GaussNewton(
        lambda coordinates: predict(block.coefficients(coordinates, past)),
        u,
        weights=weights,
        floor=floor,
    )
    direction = torch.randn(shape, generator=generator).to(prior.mean.device)
    eigenvalue = prior.mean.new_ones(())
    for _ in range(_ITERATIONS):
        direction = matrix.times(direction / direction.norm())
        eigenvalue = direction.norm()
    return eigenvalue
