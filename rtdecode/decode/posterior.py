"""Posterior standard deviation of each pixel by Laplace approximation, for fitting and decoding.

Duties: draw from the approximate posterior, and store its standard deviation beside the twin. It
depends on twin, prior and noise alone and is computed once, when a twin is fitted. This module must
not depend on recorded activity or on the live decoder.

The posterior is approximated by a normal distribution with covariance A⁻¹, A = I + J' W J the
Gauss-Newton matrix of eq. (7) of docs/decoder.md, with the prediction linearised at videos drawn
from the prior. Exact draws from it are solutions x of A x = e + J' W n with e standard normal and n
a draw of the observation noise, because e + J' W n has the covariance A and hence x has A⁻¹
(Papandreou & Yuille 2010, "Gaussian sampling by local perturbations"). Conjugate gradients solve
the system without the matrix. All frames of the horizon are estimated here, so that the uncertainty
of old frames adds to that of new ones.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter
from torch import Tensor

from rtdecode.decode.gauss_newton import GaussNewton
from rtdecode.decode.horizon import EstimatedFrames, initial_state
from rtdecode.decode.likelihood import observation_weights
from rtdecode.decode.noise import Noise
from rtdecode.decode.predictor import predictor
from rtdecode.decode.prior import VideoPrior
from rtdecode.schema.errors import UnreadableFileError
from rtdecode.schema.work import UNSEEN, Work
from rtdecode.twins.folder import finite_tensors
from rtdecode.twins.twin import Twin

POSTERIOR_FILE = "posterior.safetensors"
WINDOW_FRAMES = 36
_KEPT_FRAMES = 24
PART = "measuring uncertainty: posterior"
_DRAWS, _FEWEST_DRAWS = 32, 8
_SOLVED_AT = 4
"""Number of videos at which the prediction is linearised, each for an equal part of the draws."""
_ITERATIONS = 20
_SMOOTHED_OVER = (1.0, 1.0, 1.0)
"""Standard deviations of the Gaussian over frames, rows and columns."""
_SEED = 0

Product = Callable[[Tensor], Tensor]


def posterior_sd(
    twin: Twin,
    prior: VideoPrior,
    noise: Noise,
    *,
    window_frames: int = WINDOW_FRAMES,
    draws: int = _DRAWS,
    work: Work = UNSEEN,
) -> Float[Tensor, "back row col"]:
    """Standard deviation of each pixel in grey levels; `back` counts frames from the newest, 0.

    Parameters
    ----------
    twin, prior, noise
        Model that the decoder inverts, all on the CPU, the twin frozen.
    window_frames
        Length of the horizon. The older third is not returned, because responses before the
        horizon, which would constrain it, are missing.
    draws
        Number of draws; the standard deviation has a relative error of 1 / sqrt(2 draws).
    work
        Receives each draw as a round. Once its time is over, no more than `_FEWEST_DRAWS` are made.
    """
    generator = torch.Generator().manual_seed(_SEED)
    block = EstimatedFrames(prior, frames=window_frames)
    squares, drawn = torch.zeros(window_frames, *prior.mean.shape), 0
    each = -(-draws // _SOLVED_AT)
    total = _SOLVED_AT * each
    for k in work.rounds(PART, range(total), total=total, fewest=_FEWEST_DRAWS):
        if k % each == 0:
            local = _LinearisedPosterior(twin, block, noise, generator)
        squares += local.deviation(generator).square()
        drawn += 1
    return (squares / drawn).sqrt().flip(0)[: window_frames * _KEPT_FRAMES // WINDOW_FRAMES]


def smoothed_sd(sd: Float[Tensor, "back row col"]) -> Float[Tensor, "back row col"]:
    """`sd` with its variance averaged over neighbouring pixels and ages.

    With few draws the sampling error exceeds the differences between neighbours: compared with 400
    draws, 32 draws have an error of 13 %, and of 8 to 10 % after smoothing.
    """
    variance = gaussian_filter(sd.square().numpy(), _SMOOTHED_OVER, mode="nearest")
    return torch.from_numpy(variance).sqrt()


def save_posterior_sd(sd: Float[Tensor, "back row col"], folder: Path) -> None:
    """Write `sd` beside a twin, as float16."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"sd": sd.half().contiguous()}, folder / POSTERIOR_FILE)


def load_posterior_sd(
    folder: Path, *, shape: tuple[int, int]
) -> Float[Tensor, "back row col"] | None:
    """Read the standard deviation beside the twin in `folder`; None if there is no file.

    Raises
    ------
    UnreadableFileError
        If the file is damaged, or its frames do not have the `shape` (row, col) of the screen.
    """
    path = folder / POSTERIOR_FILE
    if not path.is_file():
        return None
    expected = f"sd (frames, {shape[0]}, {shape[1]})"
    try:
        sd = finite_tensors(path, what="posterior of the twin")["sd"].float()
    except KeyError as error:
        raise UnreadableFileError(
            what="posterior of the twin", path=path, expected=expected, got=str(error)
        ) from error
    if sd.shape[1:] != shape:
        raise UnreadableFileError(
            what="posterior of the twin", path=path, expected=expected, got=f"{tuple(sd.shape)}"
        )
    return sd


class _LinearisedPosterior:
    """Normal posterior with the prediction linearised at one video drawn from the prior."""

    def __init__(
        self, twin: Twin, block: EstimatedFrames, noise: Noise, generator: torch.Generator
    ) -> None:
        self._block, self._start = block, initial_state(block, history=0)
        prediction = predictor(twin, block.basis, history=0, estimated=block.frames)
        behaviour = torch.tensor(twin.spec.behaviour_mean).expand(block.frames, -1)
        predict = prediction.given(self._start.past[:0], behaviour)
        at = torch.randn(block.u_sd.shape, generator=generator)
        measured = torch.ones(1, twin.spec.neurons)
        self._matrix = GaussNewton(
            lambda white: predict(self._coefficients(white)),
            at,
            weights=observation_weights(
                noise, measured, likelihood_weight=noise.likelihood_weight, stride=prediction.stride
            ),
            floor=noise.floor,
        )

    def deviation(self, generator: torch.Generator) -> Float[Tensor, "frame row col"]:
        """One draw from the posterior minus its mean, in grey levels."""
        white = torch.randn(self._block.u_sd.shape, generator=generator)
        # A x = e + J' W n
        drawn = _conjugate_gradients(self._matrix.times, white + self._matrix.noise(generator))
        basis = self._block.basis
        return basis.video(self._coefficients(drawn)) - basis.mean

    def _coefficients(self, white: Tensor) -> Float[Tensor, "frame krow kcol"]:
        return self._block.coefficients(white * self._block.u_sd, self._start.past)


def _conjugate_gradients(times: Product, right: Tensor) -> Tensor:
    """The x with `times`(x) = `right`, by conjugate gradients from 0 (Hestenes & Stiefel 1952)."""
    solution, residual = torch.zeros_like(right), right
    direction, size = residual, residual.square().sum()
    for _ in range(_ITERATIONS):
        product = times(direction)
        step = size / (direction * product).sum()
        solution, residual = solution + step * direction, residual - step * product
        before, size = size, residual.square().sum()
        if size <= 1e-6 * right.square().sum():
            break
        direction = residual + size / before * direction
    return solution
