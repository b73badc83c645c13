"""How far single trials lie from a twin's prediction: what a neuron's word is worth."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rtdecode.decode.twin import Twin
from rtdecode.schema.errors import MissingFileError, TooShortError, UnreadableFileError

NOISE_FILE = "noise.safetensors"
_LAGS = 24
_LEAST_DISPERSION = 1e-2
_FEWEST_FRAMES = 2
"""Of which a standard deviation can be taken."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Spread of recorded about predicted activity, the twin's own mistakes included.

    dispersion: for each neuron, mean squared residual over mean prediction, in twin units (1 for
    a Poisson count). tau: by how much to divide what single frames say, because the residuals of
    neighbouring frames are alike: 1 over their integrated autocorrelation, in frames.
    """

    dispersion: Float[Tensor, " neuron"]
    tau: Float[Tensor, ""]

    def to(self, device: torch.device | None) -> "Noise":
        """The same noise on `device`."""
        return Noise(self.dispersion.to(device), self.tau.to(device))


def even_noise(neurons: int, *, tau: float = 0.2) -> Noise:
    """Noise of a mouse of which nothing is known: all neurons are Poisson."""
    return Noise(torch.ones(neurons), torch.tensor(tau))


@torch.no_grad()
def fit_noise(
    twin: Twin,
    trials: Iterable[tuple[Tensor, Tensor, Tensor]],
) -> Noise:
    """Noise of `twin` on held-out `trials`.

    Each trial is video (frame, row, col), behaviour (frame, channel), responses (frame, neuron);
    its first `history_frames` are left out, and with them a trial that has no two frames more, and
    whatever was not measured, which is NaN in the responses.
    Use trials that the twin was not fitted to: on its training trials a twin looks better than
    it is.

    Raises
    ------
    TooShortError
        If no trial is long enough.
    """
    history = twin.spec.history_frames
    longest = 0
    squared = torch.zeros(twin.spec.neurons)
    predicted = torch.zeros(twin.spec.neurons)
    alike = torch.zeros(_LAGS)
    for video, behaviour, responses in trials:
        longest = max(longest, len(video))
        if len(video) < history + _FEWEST_FRAMES:
            continue
        rate = twin(video[None], behaviour[None])[0, history:]
        measured = responses[history:].isfinite()
        residual = torch.where(measured, responses[history:] - rate, 0)
        squared += residual.square().sum(0)
        predicted += (rate * measured).sum(0)
        alike += _autocovariance(residual / (residual.std(0) + 1e-6))
    if longest < history + _FEWEST_FRAMES:
        raise TooShortError(
            what="the longest held-out trial", frames=longest, needed=history + _FEWEST_FRAMES
        )
    dispersion = (squared / predicted.clamp_min(1e-6)).clamp_min(_LEAST_DISPERSION)
    correlation = alike / alike[0].clamp_min(1e-6)
    integrated = 1 + 2 * correlation[1:].clamp_min(0).sum()
    return Noise(dispersion, 1 / integrated)


def _autocovariance(residual: Float[Tensor, "frame neuron"]) -> Float[Tensor, " lag"]:
    centred = residual - residual.mean(0)
    frames = len(centred)
    lags = range(min(_LAGS, frames))
    covariances = [(centred[lag:] * centred[: frames - lag]).mean() for lag in lags]
    return torch.stack(covariances + [covariances[0] * 0] * (_LAGS - len(covariances)))


def save_noise(noise: Noise, folder: Path) -> None:
    """Write `noise` beside a twin."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"dispersion": noise.dispersion.cpu(), "tau": noise.tau.cpu()}, folder / NOISE_FILE)


def load_noise(folder: Path, *, neurons: int, device: torch.device | None = None) -> Noise:
    """Read the noise stored beside the twin of `neurons` neurons in `folder`."""
    path = folder / NOISE_FILE
    if not path.is_file():
        raise MissingFileError(
            what="noise of the twin", path=path, remedy="`rtdecode fit twin` writes it"
        )
    try:
        noise = Noise(**load_file(path)).to(device)
    except (SafetensorError, TypeError) as error:
        raise UnreadableFileError(
            what="noise of the twin", path=path, expected="dispersion and tau", got=str(error)
        ) from error
    if len(noise.dispersion) != neurons:
        raise UnreadableFileError(
            what="noise of the twin",
            path=path,
            expected=f"the dispersion of {neurons} neurons, as the twin beside it has",
            got=f"that of {len(noise.dispersion)}",
        )
    return noise
