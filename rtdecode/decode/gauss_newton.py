"""The objective's Gauss-Newton matrix, as what it makes of a direction."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.horizon import EstimatedFrames
from rtdecode.decode.likelihood import ObservationWeights
from rtdecode.decode.predictor import Predictor

_PROBE = 0.1
"""Length of the finite difference, in standard deviations of the prior."""

Coordinates = Float[Tensor, "frame krow kcol"]
Predict = Callable[[Coordinates], Float[Tensor, "compared neuron"]]


class GaussNewton:
    """I + J' W J, with J the derivative of the prediction f at one video.

    W is the inverse covariance of recorded activity, times the likelihood weight:
    S (I + L L')^-1 S, with S' S = weight / (f + floor) and L the noise correlations. Residuals are
    taken to be as small as the noise model says: the robust weights Omega and sigma are 1.

    J is taken by finite differences, J' by automatic differentiation.

    Parameters
    ----------
    predict
        Activity from whitened coordinates of the free frames.
    at
        Where it is made linear.
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
        """Its product with `direction`."""
        scale = direction.norm() / _PROBE
        with torch.no_grad():
            moved = (self._predict(self._at + direction / scale) - self._here) * scale
        return direction + self._pulled(self._scale * moved)

    def noise(self, generator: torch.Generator) -> Coordinates:
        """J' times one draw of what noise pulls at the prediction: its covariance is J' W J."""
        shared = self._weights.shared
        own = torch.randn(self._here.shape, generator=generator)
        common = torch.randn(len(own), shared.shape[1], generator=generator)
        return self._pulled(own + common @ shared.T)

    def back(self, pull: Float[Tensor, "compared neuron"]) -> Coordinates:
        """J' pull."""
        at = self._at.clone().requires_grad_()
        (back,) = torch.autograd.grad((self._predict(at) * pull).sum(), at)
        return back

    def _pulled(self, scaled: Float[Tensor, "compared neuron"]) -> Coordinates:
        return self.back(self._scale * self._weights.whiten(scaled))


_ITERATIONS = 6
_SEED = 0


def largest_eigenvalue(
    block: EstimatedFrames,
    predictor: Predictor,
    behaviour: Float[Tensor, "window channel"],
    *,
    history: int,
    weights: ObservationWeights,
    floor: Float[Tensor, " neuron"],
) -> Float[Tensor, ""]:
    """Greatest eigenvalue of the objective's Gauss-Newton matrix, at a video drawn from the prior.

    Found by power iteration.
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
    curvature = prior.mean.new_ones(())
    for _ in range(_ITERATIONS):
        direction = matrix.times(direction / direction.norm())
        curvature = direction.norm()
    return curvature
