"""How sharply an objective can bend: the step size that needs no tuning."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.free_block import FreeBlock

Predict = Callable[
    [Float[Tensor, "history row col"], Float[Tensor, "free row col"]],
    Float[Tensor, "compared neuron"],
]
_ITERATIONS = 6
_PROBE = 0.1
"""Length of the finite difference, in standard deviations of the prior."""
_SEED = 0


def greatest_curvature(
    block: FreeBlock,
    *,
    history: int,
    predict: Predict,
    weight: Float[Tensor, "one neuron"],
    floor: Float[Tensor, " neuron"],
) -> Float[Tensor, ""]:
    """Greatest eigenvalue of the objective's Gauss-Newton matrix, at a video drawn from the prior.

    The matrix is I + J' diag(weight / f) J with J the derivative of the prediction f with respect
    to the whitened coordinates of the free frames; found by power iteration, J by finite
    differences, J' by automatic differentiation.
    """
    generator = torch.Generator().manual_seed(_SEED)
    prior = block.prior
    shape = (block.frames, *prior.power.shape)
    first = torch.randn(prior.power.shape, generator=generator).to(prior.mean.device)
    past = (first * prior.power.sqrt()).expand(block.order, -1, -1)
    old = block.video(past[-1:]).expand(history, -1, -1)

    def predicted(u: Tensor) -> Tensor:
        coefficients = block.coefficients(u * prior.innovation_sd, past)
        return predict(old, block.video(coefficients))

    u = torch.randn(shape, generator=generator).to(prior.mean.device)
    direction = torch.randn(shape, generator=generator).to(prior.mean.device)
    curvature = prior.mean.new_ones(())
    for _ in range(_ITERATIONS):
        direction = direction / direction.norm()
        at = u.clone().requires_grad_()
        here = predicted(at)
        with torch.no_grad():
            moved = (predicted(u + _PROBE * direction) - here) / _PROBE
            pull = weight / (here + floor) * moved
        (back,) = torch.autograd.grad((here * pull).sum(), at)
        direction = direction + back
        curvature = direction.norm()
    return curvature
