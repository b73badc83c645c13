"""How sure a reconstruction can be of each pixel: the posterior's standard deviation.

The posterior is taken as normal, with the inverse of the objective's Gauss-Newton matrix
A = I + J' W J as its covariance, J the derivative of the prediction at a video drawn from the
prior. Exact draws from it are solutions x of A x = e + J' W n with e white and n drawn as noise,
which conjugate gradients find without the matrix (Papandreou & Yuille 2010, "Gaussian sampling by
local perturbations"). All frames of the window are free here, so that what was not known of old
frames is not known of new ones either. It depends on twin, prior and noise alone, not on what
is recorded, and is worked out once, when a twin is fitted.
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
from rtdecode.twins.folder import finite_tensors
from rtdecode.twins.twin import Twin

POSTERIOR_FILE = "posterior.safetensors"
WINDOW_FRAMES = 36
_KEPT_FRAMES = 24
_DRAWS = 32
_SOLVED_AT = 4
"""Videos at which the prediction is made linear, for an equal share of the draws each."""
_ITERATIONS = 20
_SMOOTHED_OVER = (1.0, 1.0, 1.0)
"""Frames, rows and columns: standard deviations of the Gaussian."""
_SEED = 0

Product = Callable[[Tensor], Tensor]


def posterior_sd(
    twin: Twin,
    prior: VideoPrior,
    noise: Noise,
    *,
    window_frames: int = WINDOW_FRAMES,
    draws: int = _DRAWS,
) -> Float[Tensor, "back row col"]:
    """Standard deviation of each pixel in grey levels; `back` counts frames from the newest, 0.

    Parameters
    ----------
    twin, prior, noise
        What the decoder inverts, all on the CPU, the twin frozen.
    window_frames
        Frames that are free at once; those of the older third are not given, as what is known
        of them lies partly outside the window.
    draws
        From the posterior; the standard deviation has a relative error of 1 / sqrt(2 draws).
    """
    generator = torch.Generator().manual_seed(_SEED)
    block = EstimatedFrames(prior, frames=window_frames)
    squares = torch.zeros(window_frames, *prior.mean.shape)
    each = -(-draws // _SOLVED_AT)
    for _ in range(_SOLVED_AT):
        local = _Local(twin, block, noise, generator)
        for _ in range(each):
            squares += local.deviation(generator).square()
    return (
        (squares / (_SOLVED_AT * each))
        .sqrt()
        .flip(0)[: window_frames * _KEPT_FRAMES // WINDOW_FRAMES]
    )


def smoothed_sd(sd: Float[Tensor, "back row col"]) -> Float[Tensor, "back row col"]:
    """`sd` with its variance averaged over neighbouring pixels and ages.

    With few draws neighbours differ by chance more than they do in truth: against 400 draws, 32
    are off by 13 %, and by 8 to 10 % once they are smoothed.
    """
    variance = gaussian_filter(sd.square().numpy(), _SMOOTHED_OVER, mode="nearest")
    return torch.from_numpy(variance).sqrt()


def save_posterior_sd(sd: Float[Tensor, "back row col"], folder: Path) -> None:
    """Write it beside a twin, as float16."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"sd": sd.half().contiguous()}, folder / POSTERIOR_FILE)


def load_posterior_sd(
    folder: Path, *, shape: tuple[int, int]
) -> Float[Tensor, "back row col"] | None:
    """What is stored beside the twin in `folder`, for a screen of `shape`; None if nothing is.

    Raises UnreadableFileError where the file is damaged or of another screen.
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


class _Local:
    """The posterior where the prediction is made linear at one video drawn from the prior."""

    def __init__(
        self, twin: Twin, block: EstimatedFrames, noise: Noise, generator: torch.Generator
    ) -> None:
        self._block, self._start = block, initial_state(block, history=0)
        asked = predictor(twin, block.basis, history=0, free=block.frames)
        behaviour = torch.tensor(twin.spec.behaviour_mean).expand(block.frames, -1)
        predict = asked.given(self._start.past[:0], behaviour)
        at = torch.randn(block.u_sd.shape, generator=generator)
        everywhere = torch.ones(1, twin.spec.neurons)
        self._matrix = GaussNewton(
            lambda white: predict(self._coefficients(white)),
            at,
            weights=observation_weights(
                noise, everywhere, likelihood_weight=noise.likelihood_weight, every=asked.every
            ),
            floor=noise.floor,
        )

    def deviation(self, generator: torch.Generator) -> Float[Tensor, "frame row col"]:
        """Grey levels of one draw from the posterior, less its mean."""
        white = torch.randn(self._block.u_sd.shape, generator=generator)
        drawn = _solved(self._matrix.times, white + self._matrix.noise(generator))
        basis = self._block.basis
        return basis.video(self._coefficients(drawn)) - basis.mean

    def _coefficients(self, white: Tensor) -> Float[Tensor, "frame krow kcol"]:
        return self._block.coefficients(white * self._block.u_sd, self._start.past)


def _solved(times: Product, right: Tensor) -> Tensor:
    """Conjugate gradients from 0 (Hestenes & Stiefel 1952)."""
    found, left = torch.zeros_like(right), right
    direction, size = left, left.square().sum()
    for _ in range(_ITERATIONS):
        product = times(direction)
        step = size / (direction * product).sum()
        found, left = found + step * direction, left - step * product
        before, size = size, left.square().sum()
        if size <= 1e-6 * right.square().sum():
            break
        direction = left + size / before * direction
    return found
