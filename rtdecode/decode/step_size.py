"""How sharply an objective can bend: the step size that needs no tuning."""

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.free_block import FreeBlock
from rtdecode.decode.gauss_newton import GaussNewton
from rtdecode.decode.objective import Trust
from rtdecode.decode.predictor import Predictor

_ITERATIONS = 6
_SEED = 0


def greatest_curvature(
    block: FreeBlock,
    predictor: Predictor,
    behaviour: Float[Tensor, "window channel"],
    *,
    history: int,
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
    predict = predictor.given(past[-1:].expand(history, -1, -1), behaviour)
    u = torch.randn(shape, generator=generator).to(prior.mean.device)
    matrix = GaussNewton(
        lambda coordinates: predict(block.coefficients(coordinates, past)),
        u,
        trusted=trusted,
        floor=floor,
    )
    direction = torch.randn(shape, generator=generator).to(prior.mean.device)
    curvature = prior.mean.new_ones(())
    for _ in range(_ITERATIONS):
        direction = matrix.times(direction / direction.norm())
        curvature = direction.norm()
    return curvature
