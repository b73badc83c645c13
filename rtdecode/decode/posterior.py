"""Posterior standard deviation of each pixel by Laplace approximation, for fitting and decoding.

Duties: draw from the approximate posterior, store its standard deviation beside the twin, and
state by what fraction activity reduces the variance of each pixel, for screen masks. It depends on
twin, prior and noise alone. This module must not depend on recorded activity or on the live
decoder.

The posterior is approximated by a normal distribution with covariance A⁻¹, A = I + J' W J the
Gauss-Newton matrix of eq. (7) of docs/decoder.md, with the prediction linearised at videos drawn
from the prior. Exact draws from it are solutions x of A x = e + J' W n with e standard normal and n
a draw of the observation noise, because e + J' W n has the covariance A and hence x has A⁻¹
(Papandreou & Yuille 2010, "Gaussian sampling by local perturbations"). Conjugate gradients solve
the system without the matrix. All frames of the horizon are estimated here, so that the uncertainty
of old frames adds to that of new ones.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from safetensors.torch import save
from scipy.ndimage import gaussian_filter
from torch import Tensor

from rtdecode.decode.gauss_newton import GaussNewton
from rtdecode.decode.horizon import EstimatedFrames, initial_state
from rtdecode.decode.likelihood import observation_weights
from rtdecode.decode.noise import Noise
from rtdecode.decode.predictor import predictor
from rtdecode.decode.prior import VideoPrior, forecast_variance
from rtdecode.schema.atomic_file import written_atomically
from rtdecode.schema.errors import UnreadableFileError
from rtdecode.schema.work import UNSEEN, Work
from rtdecode.twins.folder import finite_tensors
from rtdecode.twins.twin import Twin

POSTERIOR_FILE = "posterior.safetensors"
WINDOW_FRAMES = 36
_KEPT_FRAMES = 24
PART = "measuring uncertainty: posterior"
_DRAWS, _FEWEST_DRAWS = 32, 8
_DRAWS_A_WINDOW = 2
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
        Model that the decoder inverts, all on the device that computes, the twin frozen.
    window_frames
        Length of the horizon. The older third is not returned, because responses before the
        horizon, which would constrain it, are missing.
    draws
        Number of draws; the standard deviation has a relative error of 1 / sqrt(2 draws).
    work
        Receives each draw as a round. Once its time is over, no more than `_FEWEST_DRAWS` are made.
    """
    generator = torch.Generator().manual_seed(_SEED)
    block, device = EstimatedFrames(prior, frames=window_frames), prior.mean.device
    squares, drawn = torch.zeros(window_frames, *prior.mean.shape, device=device), 0
    behaviour = torch.tensor(twin.spec.behaviour_mean, device=device).expand(window_frames, -1)
    measured = torch.ones(1, twin.spec.neurons, device=device)
    each = -(-draws // _SOLVED_AT)
    total = _SOLVED_AT * each
    for k in work.rounds(PART, range(total), total=total, fewest=_FEWEST_DRAWS):
        if k % each == 0:
            at = block.white(generator)
            local = _LinearisedPosterior(
                twin, block, noise, at=at, behaviour=behaviour, measured=measured
            )
        white = block.white(generator)
        squares += local.deviation(white, generator).square()
        drawn += 1
    return (squares / drawn).sqrt().flip(0)[: window_frames * _KEPT_FRAMES // WINDOW_FRAMES]


@dataclass(frozen=True, slots=True)
class Presented:
    """A window of a trial at which the prediction of the twin is linearised."""

    video: Float[Tensor, "frame row col"]
    """Displayed frames in grey levels."""
    behaviour: Float[Tensor, "frame channel"]
    measured: Float[Tensor, " neuron"]
    """1 for a neuron that was measured, otherwise 0."""


def variance_reduction(
    twin: Twin,
    prior: VideoPrior,
    noise: Noise,
    windows: Iterable[Presented],
    *,
    draws: int = _DRAWS_A_WINDOW,
    spared: tuple[int, int] = (0, 0),
) -> Float[Tensor, "row col"]:
    """Fraction of the prior variance of each pixel that the activity of the neurons removes.

    1 - v / v0, with v the posterior and v0 the prior variance of a pixel, both summed over draws,
    frames and `windows`: 0 where activity says nothing about the video, 1 where it determines it.

    Parameters
    ----------
    twin, prior, noise
        As in `posterior_sd`.
    windows
        Windows of equal length, of trials that the twin was not fitted to; each is copied to the
        device of the prior.
    draws
        Draws from the posterior in each window.
    spared
        Number of frames at the beginning and at the end of a window that do not count: before them
        or after them responses are missing that a decoder would have.

    Notes
    -----
    Prior and posterior are drawn with the same e: v is that of x with A x = e + J' W n, v0 that of
    e. Where A is the identity both are equal, so that the estimate is exactly 0 for pixels outside
    all receptive fields, however few draws there are.
    """
    generator = torch.Generator().manual_seed(_SEED)
    before = after = prior.mean.new_zeros(())
    for window in windows:
        arrays = (window.video, window.behaviour, window.measured)
        video, behaviour, measured = (array.to(prior.mean.device) for array in arrays)
        block = EstimatedFrames(prior, frames=len(video))
        at = block.innovations(prior.basis.coefficients(video)) / block.u_sd
        local = _LinearisedPosterior(
            twin, block, noise, at=at, behaviour=behaviour, measured=measured[None]
        )
        counted = slice(spared[0], len(video) - spared[1])
        for _ in range(draws):
            white = block.white(generator)
            before = before + local.video(white)[counted].square().sum(0)
            after = after + local.deviation(white, generator)[counted].square().sum(0)
    return 1 - after / before


def smoothed_sd(sd: Float[Tensor, "back row col"]) -> Float[Tensor, "back row col"]:
    """`sd` with its variance averaged over neighbouring pixels and ages.

    With few draws the sampling error exceeds the differences between neighbours: compared with 400
    draws, 32 draws have an error of 13 %, and of 8 to 10 % after smoothing.
    """
    variance = gaussian_filter(sd.square().cpu().numpy(), _SMOOTHED_OVER, mode="nearest")
    return torch.from_numpy(variance).sqrt()


def save_posterior_sd(sd: Float[Tensor, "back row col"], folder: Path) -> None:
    """Write `sd` beside a twin, as float16."""
    with written_atomically(folder / POSTERIOR_FILE) as unfinished:
        unfinished.write_bytes(save({"sd": sd.half().cpu().contiguous()}))


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


class SdByAge:
    """Standard deviation of a pixel by the age of its frame, also of frames that are forecast.

    Parameters
    ----------
    sd
        (back, row, col) by frames behind the newest, in grey levels; None: 0.
    forecast_frames
        Number of frames after the newest; the variance of their innovations is added.
    """

    def __init__(
        self,
        sd: Float[Tensor, "back row col"] | None,
        prior: VideoPrior,
        *,
        forecast_frames: int,
    ) -> None:
        known = torch.zeros(1, *prior.mean.shape) if sd is None else sd
        ahead = torch.zeros(forecast_frames, *prior.mean.shape)
        if sd is not None and forecast_frames:
            added = forecast_variance(prior, frames=forecast_frames)
            ahead = (sd[:1].square() + added.to(sd)).sqrt()
        self._known, self._ahead = known.numpy(), ahead.numpy()

    def __call__(self, age_frames: int) -> NDArray[np.float32]:
        """(row, col) of a frame that is `age_frames` older than the newest; below 0 a forecast."""
        ahead, known = self._ahead, self._known
        sd = ahead[-age_frames - 1] if age_frames < 0 else known[min(age_frames, len(known) - 1)]
        found: NDArray[np.float32] = sd
        return found


class _LinearisedPosterior:
    """Normal posterior with the prediction linearised at one video.

    `at` are the whitened coordinates of the video, `behaviour` is (frame, channel), and `measured`
    (1, neuron) is 1 for neurons with measurements.
    """

    def __init__(
        self,
        twin: Twin,
        block: EstimatedFrames,
        noise: Noise,
        *,
        at: Tensor,
        behaviour: Tensor,
        measured: Tensor,
    ) -> None:
        self._block, self._start = block, initial_state(block, history=0)
        prediction = predictor(twin, block.basis, history=0, estimated=block.frames)
        predict = prediction.given(self._start.past[:0], behaviour)
        self._matrix = GaussNewton(
            lambda white: predict(self._coefficients(white)),
            at,
            weights=observation_weights(
                noise, measured, likelihood_weight=noise.likelihood_weight, stride=prediction.stride
            ),
            floor=noise.floor,
        )

    def deviation(
        self, white: Tensor, generator: torch.Generator
    ) -> Float[Tensor, "frame row col"]:
        """The posterior's deviation from its mean, in grey levels, for a draw `white` of e."""
        # A x = e + J' W n
        drawn = _conjugate_gradients(self._matrix.times, white + self._matrix.noise(generator))
        return self.video(drawn)

    def video(self, white: Tensor) -> Float[Tensor, "frame row col"]:
        """Deviation from the mean video, in grey levels, with whitened coordinates `white`."""
        basis = self._block.basis
        return basis.video(self._coefficients(white)) - basis.mean

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
        # one value is read back from the device for each product
        if size <= 1e-6 * right.square().sum():
            break
        direction = residual + size / before * direction
    return solution
