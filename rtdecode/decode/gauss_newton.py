"""The objective's Gauss-Newton matrix, as what it makes of a direction."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

_PROBE = 0.1
"""Length of the finite difference, in standard deviations of the prior."""

Coordinates = Float[Tensor, "frame krow kcol"]
Predict = Callable[[Coordinates], Float[Tensor, "compared neuron"]]


class GaussNewton:
    """I + J' diag(weight / f) J, with J the derivative of the prediction f at one video.

    J is taken by finite differences, J' by automatic differentiation.

    Parameters
    ----------
    predict
        Activity from whitened coordinates of the free frames.
    at
        Where it is made linear.
    weight, floor
        As in `poisson_objective`.
    """

    def __init__(
        self,
        predict: Predict,
        at: Coordinates,
        *,
        weight: Float[Tensor, "one neuron"],
        floor: Float[Tensor, " neuron"],
    ) -> None:
        self._predict, self._at = predict, at
        with torch.no_grad():
            self._here = predict(at)
        self.weight: Float[Tensor, "compared neuron"] = weight / (self._here + floor)

    def times(self, direction: Coordinates) -> Coordinates:
        """Its product with `direction`."""
        scale = direction.norm() / _PROBE
        with torch.no_grad():
            moved = (self._predict(self._at + direction / scale) - self._here) * scale
        return direction + self.back(self.weight * moved)

    def back(self, pull: Float[Tensor, "compared neuron"]) -> Coordinates:
        """J' pull."""
        at = self._at.clone().requires_grad_()
        (back,) = torch.autograd.grad((self._predict(at) * pull).sum(), at)
        return back
