"""How sharply an objective can bend: the step size that needs no tuning."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.free_block import FreeBlock
from rtdecode.decode.gauss_newton import GaussNewton
from rtdecode.decode.objective import Trust

Predict = Callable[
    [Float[Tensor, "history row col"], Float[Tensor, "free row col"]],
    Float[Tensor, "compared neuron"],
]
_ITERATIONS = 6
_SEED = 0


def greatest_curvature(
    block: FreeBlock,
    *,
    history: int,
    predict: Predict,
    trusted: Trust,
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
    old = block.video(past[-1:]).expand(history, -1, -1)

    def predicted(u: Tensor) -> Tensor:
        coefficients = block.coefficients(u, past)
        return predict(old, block.video(coefficients))

    u = torch.randn(shape, generator=generator).to(prior.mean.device)
    matrix = GaussNewton(predicted, u, trusted=trusted, floor=floor)
    direction = torch.randn(shape, generator=generator).to(prior.mean.device)
    curvature = prior.mean.new_ones(())
    for _ in range(_ITERATIONS):
        direction = matrix.times(direction / direction.norm())
        curvature = direction.norm()
    return curvature
