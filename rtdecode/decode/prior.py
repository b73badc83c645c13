"""Gaussian-process prior of natural video, and spectral shrinkage of the output, for the decoder.

Duties: estimate the prior from training clips, store it beside a twin, and provide the gains of the
output. This module must not depend on twins, neurons or the solver.

Equation (2) of docs/decoder.md: x[t] = mean + D y[t], y[t] = Σ_j a_j y[t-j] + s u[t],
u[t] ~ N(0, I). In space the covariance is diagonal in a cosine basis (DCT-II), of which the lowest
frequencies are kept. In time each spatial frequency follows its own autoregression, so that a few
numbers for each frequency represent the whole covariance, and conditioning on history is exact: the
whitened coordinates of a frame are its innovations u, which stay the same when the horizon moves.

>>> white = np.random.default_rng(0).normal(110, 20, (200, 6, 8))
>>> prior = fit_prior([white], order=1)
>>> tuple(prior.power.shape), bool(prior.autoregression.abs().max() < 0.2)
((6, 8), True)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from rtdecode.schema.atomic_file import written_atomically
from rtdecode.schema.errors import MissingFileError, ShapeError, UnreadableFileError
from rtdecode.twins.basis import Basis, cosine_basis, cosine_frequency
from rtdecode.twins.folder import finite_tensors
from rtdecode.twins.record import MEASURED_BY

PRIOR_FILE = "prior.safetensors"
ORDER = 4
KEPT_ROWS, KEPT_COLS = 18, 32
_RINGS = 14
_SIDES = 3
_SLOWEST = 0.99
"""Largest root of a regression that was unstable: 10 % of an impulse remain after 230 frames."""


@dataclass(frozen=True, slots=True)
class VideoPrior:
    """Mean video, and variance and autoregression of each kept spatial frequency, eq. (2).

    mean: grey levels. power: variance of each coefficient y of the orthonormal cosine basis, in
    grey levels squared. autoregression: y[t] = Σ_k autoregression[k] y[t - 1 - k] + innovation_sd
    u[t]. innovation_sd: s, in grey levels.
    """

    mean: Float[Tensor, "row col"]
    power: Float[Tensor, "krow kcol"]
    autoregression: Float[Tensor, "order krow kcol"]
    innovation_sd: Float[Tensor, "krow kcol"]

    @property
    def basis(self) -> Basis:
        """Cosine basis D of the coefficients, about the mean."""
        (rows, cols), (kept_rows, kept_cols) = self.mean.shape, self.power.shape
        down = cosine_basis(int(rows), kept=int(kept_rows)).to(self.mean)
        across = cosine_basis(int(cols), kept=int(kept_cols)).to(self.mean)
        return Basis(down, across, self.mean)

    def to(self, device: torch.device | None) -> "VideoPrior":
        """The prior on `device`."""
        return VideoPrior(
            self.mean.to(device),
            self.power.to(device),
            self.autoregression.to(device),
            self.innovation_sd.to(device),
        )


def fit_prior(videos: Iterable[NDArray[np.generic]], *, order: int = ORDER) -> VideoPrior:
    """Prior of `videos`, each (frame, row, col) grey levels 0..255, at least `order` + 2 frames.

    Power and autocorrelation are pooled over rings of similar spatial frequency, because a few
    minutes of video do not determine those of a single frequency. The regression coefficients
    solve the Yule-Walker equations R a = r.

    Raises
    ------
    ShapeError
        If there is no video, or one is too short or of another screen than the first.
    """
    clips = [_clip(video, order=order) for video in videos]
    if not clips:
        raise ShapeError("videos", expected="one video or more", got=np.zeros(0))
    for clip in clips:
        if clip.shape[1:] != clips[0].shape[1:]:
            raise ShapeError(
                "videos", expected=f"frames of {tuple(clips[0].shape[1:])} px", got=clip.numpy()
            )
    frames = sum(len(clip) for clip in clips)
    mean = torch.stack([clip.sum(0) for clip in clips]).sum(0) / frames
    rows, cols = (int(side) for side in mean.shape)
    down, across = (
        cosine_basis(rows, kept=min(KEPT_ROWS, rows)),
        cosine_basis(cols, kept=min(KEPT_COLS, cols)),
    )
    products = torch.zeros(order + 1, len(down), len(across))
    for clip in clips:
        coefficients = down @ (clip - mean) @ across.T
        for lag in range(order + 1):
            products[lag] += (coefficients[lag:] * coefficients[: len(clip) - lag]).sum(0)
    counts = torch.tensor([frames - lag * len(clips) for lag in range(order + 1)])
    return _from_autocovariance(mean, products / counts[:, None, None])


def _clip(video: NDArray[np.generic], *, order: int) -> Float[Tensor, "frame row col"]:
    array = np.array(video, dtype=np.float32)
    if array.ndim != _SIDES or len(array) < order + 2:
        expected = f"(frame, row, col), {order + 2} frames or more"
        raise ShapeError("videos", expected=expected, got=array)
    return torch.from_numpy(array)


def _from_autocovariance(
    mean: Float[Tensor, "row col"], covariance: Float[Tensor, "lag krow kcol"]
) -> VideoPrior:
    order = len(covariance) - 1
    rings = _ring_weights(*covariance.shape[1:], screen=(int(mean.shape[0]), int(mean.shape[1])))
    power = torch.exp(_pooled(covariance[0].clamp_min(1e-3).log(), rings))
    pooled = torch.stack([_pooled(c / covariance[0].clamp_min(1e-3), rings) for c in covariance])
    pooled = pooled / pooled[:1].clamp_min(1e-6)
    lags = torch.arange(order)
    toeplitz = pooled[(lags[:, None] - lags[None, :]).abs()].permute(2, 3, 0, 1)
    toeplitz = toeplitz + 1e-4 * torch.eye(order)
    # Yule-Walker equations R a = r, with R[j, k] = r[|j - k|] and r[0] = 1
    solved = torch.linalg.solve(toeplitz, pooled[1:].permute(1, 2, 0)[..., None])[..., 0]
    autoregression = solved.permute(2, 0, 1)
    # innovation variance s² = power (1 - Σ_j a_j r_j)
    unexplained = (1 - (autoregression * pooled[1:]).sum(0)).clamp_min(1e-4)
    return VideoPrior(mean, power, _stabilised(autoregression), (power * unexplained).sqrt())


def _stabilised(
    autoregression: Float[Tensor, "order krow kcol"],
) -> Float[Tensor, "order krow kcol"]:
    """`autoregression` where it is stable, otherwise with its roots moved into the unit circle.

    Sample correlations of few frames can be those of no stationary process, and predictions of such
    a regression would diverge. a_j c^j has roots that are c times those of a.
    """
    order = len(autoregression)
    companion = torch.zeros(*autoregression.shape[1:], order, order)
    companion[..., 0, :] = autoregression.permute(1, 2, 0)
    companion[..., 1:, :-1] = torch.eye(order - 1)
    radius = torch.linalg.eigvals(companion).abs().amax(-1)
    contraction = torch.where(radius < 1, 1.0, _SLOWEST / radius)
    return autoregression * contraction ** torch.arange(1, order + 1)[:, None, None]


def _ring_weights(
    kept_rows: int, kept_cols: int, *, screen: tuple[int, int]
) -> Float[Tensor, "ring krow kcol"]:
    """Soft membership of each frequency in rings spaced evenly in log frequency."""
    rows_px, cols_px = screen
    frequency = cosine_frequency(kept_rows, kept_cols, rows_px=rows_px, cols_px=cols_px)
    position = torch.log(frequency + 0.5 / (2 * max(screen)))
    centre = torch.linspace(float(position.min()), float(position.max()), _RINGS)
    width = centre[1] - centre[0]
    return (1 - (position[None] - centre[:, None, None]).abs() / width).clamp_min(0)


def _pooled(
    values: Float[Tensor, "krow kcol"], rings: Float[Tensor, "ring krow kcol"]
) -> Float[Tensor, "krow kcol"]:
    """Mean of `values` over each ring, interpolated at each frequency."""
    means = (rings * values).sum((1, 2)) / rings.sum((1, 2)).clamp_min(1e-6)
    return (rings * means[:, None, None]).sum(0) / rings.sum(0)


def forecast_variance(prior: VideoPrior, *, frames: int) -> Float[Tensor, "frame row col"]:
    """Variance of each pixel, in grey levels squared, that unknown innovations cause.

    Of the 1st to the `frames`-th frame after the last known one: by eq. (2) that of coefficient q
    after t frames is s[q]² Σ_{j<t} h_j[q]², with the impulse response h of the autoregression.
    """
    response = [torch.ones_like(prior.power)]
    for _ in range(frames - 1):
        terms = zip(prior.autoregression, reversed(response), strict=False)
        response.append(sum((a * h for a, h in terms), torch.zeros_like(prior.power)))
    variance = (torch.stack(response).square() * prior.innovation_sd.square()).cumsum(0)
    basis = prior.basis
    return basis.down.T.square() @ variance @ basis.across.square()


def save_prior(prior: VideoPrior, folder: Path) -> None:
    """Write `prior` beside a twin."""
    names = VideoPrior.__dataclass_fields__
    arrays = {name: getattr(prior, name).detach().cpu().contiguous() for name in names}
    with written_atomically(folder / PRIOR_FILE) as unfinished:
        unfinished.write_bytes(save(arrays))


def load_prior(folder: Path, *, device: torch.device | None = None) -> VideoPrior:
    """Read the prior stored beside the twin in `folder`.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no file, or it is damaged.
    """
    path = folder / PRIOR_FILE
    if not path.is_file():
        raise MissingFileError(what="video prior", path=path, remedy=MEASURED_BY)
    try:
        return VideoPrior(**finite_tensors(path, what="video prior")).to(device)
    except TypeError as error:
        raise UnreadableFileError(
            what="video prior", path=path, expected="the arrays of a prior", got=str(error)
        ) from error


FINE_GAIN = 0.5
"""Gain of the finest patterns, of whose amplitude about half is noise."""
EDGE_CYCLES_PER_PX = 0.12
"""Spatial frequency at which the gain is half-way between 1 and `FINE_GAIN`."""
_STEEPNESS = 8


def spectral_shrinkage(prior: VideoPrior) -> Float[Tensor, "krow kcol"]:
    """Output gain of each cosine coefficient, a Wiener-type gain; 1 for a uniform frame.

    gain(q) = g + (1 - g) / (1 + (q / q_edge)^8), with g = `FINE_GAIN` and q in cycles per pixel.
    """
    (kept_rows, kept_cols), (rows_px, cols_px) = prior.power.shape, prior.mean.shape
    frequency = cosine_frequency(kept_rows, kept_cols, rows_px=rows_px, cols_px=cols_px)
    coarse = 1 / (1 + (frequency / EDGE_CYCLES_PER_PX) ** _STEEPNESS)
    return (FINE_GAIN + (1 - FINE_GAIN) * coarse).to(prior.mean)
