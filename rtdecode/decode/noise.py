"""How far single trials lie from a twin's prediction: what a neuron's word is worth."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor

from rtdecode.schema.errors import MissingFileError, UnreadableFileError
from rtdecode.twins.folder import finite_tensors

NOISE_FILE = "noise.safetensors"
_FILE_NAMES = {"likelihood_weight": "tau"}
"""Names of arrays in the file, where they are not those of the fields."""
FLOOR = 0.3
"""Part of a neuron's dispersion by which its variance exceeds a quasi-Poisson neuron's.

A twin is never so sure that a neuron keeps silent as its prediction, taken at its word, says.
"""


@dataclass(frozen=True, slots=True)
class Noise:
    """Spread of recorded about predicted activity, the twin's own mistakes included.

    dispersion: for each neuron, in twin units; it scatters about a prediction f with variance
    dispersion (f + floor), besides what it shares with others. likelihood_weight: factor of the
    log-likelihood of single frames, because the residuals of neighbouring frames are correlated:
    1 over their integrated autocorrelation, in frames. shared: L, what moves many neurons at once;
    scatter in units of each neuron's own spread has the covariance I + L L'.
    """

    dispersion: Float[Tensor, " neuron"]
    likelihood_weight: Float[Tensor, ""]
    shared: Float[Tensor, "neuron factor"]

    @property
    def floor(self) -> Float[Tensor, " neuron"]:
        """Added to a prediction before anything is compared with it, in twin units."""
        return FLOOR * self.dispersion

    def of(self, neurons: Tensor) -> "Noise":
        """That of the neurons with the numbers `neurons`, in this order."""
        return Noise(self.dispersion[neurons], self.likelihood_weight, self.shared[neurons])

    def to(self, device: torch.device | None) -> "Noise":
        """The same noise on `device`."""
        return Noise(
            self.dispersion.to(device), self.likelihood_weight.to(device), self.shared.to(device)
        )


def unshared(dispersion: Float[Tensor, " neuron"], likelihood_weight: Float[Tensor, ""]) -> Noise:
    """Noise of neurons that share nothing."""
    return Noise(dispersion, likelihood_weight, dispersion.new_zeros(len(dispersion), 0))


def even_noise(neurons: int, *, likelihood_weight: float = 0.2) -> Noise:
    """Noise of a mouse of which nothing is known: all neurons are alike, and share nothing."""
    return unshared(torch.ones(neurons), torch.tensor(likelihood_weight))


def save_noise(noise: Noise, folder: Path) -> None:
    """Write `noise` beside a twin."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        _FILE_NAMES.get(name, name): getattr(noise, name).cpu().contiguous()
        for name in Noise.__dataclass_fields__
    }
    save_file(arrays, folder / NOISE_FILE)


def load_noise(folder: Path, *, neurons: int, device: torch.device | None = None) -> Noise:
    """Read the noise stored beside the twin of `neurons` neurons in `folder`.

    A file from before noise was shared holds no directions: its neurons share nothing.
    """
    path = folder / NOISE_FILE
    if not path.is_file():
        raise MissingFileError(
            what="noise of the twin", path=path, remedy="`rtdecode fit twin` writes it"
        )
    try:
        stored = finite_tensors(path, what="noise of the twin")
        named = {stored_as: name for name, stored_as in _FILE_NAMES.items()}
        arrays = {named.get(name, name): value for name, value in stored.items()}
        noise = Noise(**{"shared": torch.zeros(neurons, 0), **arrays}).to(device)
    except TypeError as error:
        raise UnreadableFileError(
            what="noise of the twin",
            path=path,
            expected="dispersion, tau and shared",
            got=str(error),
        ) from error
    if {noise.dispersion.shape[:1], noise.shared.shape[:1]} != {(neurons,)}:
        raise UnreadableFileError(
            what="noise of the twin",
            path=path,
            expected=f"the dispersion of {neurons} neurons, as the twin beside it has",
            got=f"that of {noise.dispersion.numel()}",
        )
    return noise
