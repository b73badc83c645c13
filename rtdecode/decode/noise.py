"""Noise model of a twin: dispersion, noise correlations and likelihood weight, for the likelihood.

Duties: define the model, eqs. (3) and (4) of docs/decoder.md, and store it beside the twin.
`rtdecode.train.noise_fit` estimates it. This module must not depend on prior, solver or recorded
activity.

>>> noise = even_noise(2)
>>> noise.dispersion.tolist(), noise.shared.shape[1]
([1.0, 1.0], 0)
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor

from rtdecode.schema.atomic_file import written_atomically
from rtdecode.schema.errors import MissingFileError, UnreadableFileError
from rtdecode.twins.folder import finite_tensors
from rtdecode.twins.record import MEASURED_BY

NOISE_FILE = "noise.safetensors"
_FILE_NAMES = {"likelihood_weight": "tau"}
"""Names of arrays in the file, where they are not those of the fields."""
FLOOR = 0.3
"""Variance floor relative to the dispersion: variance = φ (f + 0.3 φ).

It limits the weight of neurons with near-zero predicted activity, for which one spike would
dominate the likelihood.
"""


@dataclass(frozen=True, slots=True)
class Noise:
    """Distribution of recorded about predicted activity, with the misfit of the twin included.

    dispersion: φ of each neuron in twin units; its independent variance about a prediction f is
    φ (f + floor), eq. (3). likelihood_weight: λ, factor of the log-likelihood of single frames,
    one over the integrated autocorrelation of the residuals in frames, because the residuals of
    neighbouring frames are correlated. shared: L, noise correlations; residuals in units of each
    neuron's independent standard deviation have the covariance I + L L', eq. (4).
    """

    dispersion: Float[Tensor, " neuron"]
    likelihood_weight: Float[Tensor, ""]
    shared: Float[Tensor, "neuron factor"]

    @property
    def floor(self) -> Float[Tensor, " neuron"]:
        """0.3 φ, the variance floor of eq. (3), added to predictions, in twin units."""
        return FLOOR * self.dispersion

    def of(self, neurons: Tensor) -> "Noise":
        """Noise model of the neurons with the indices `neurons`, in this order."""
        return Noise(self.dispersion[neurons], self.likelihood_weight, self.shared[neurons])

    def to(self, device: torch.device | None) -> "Noise":
        """The noise model on `device`."""
        return Noise(
            self.dispersion.to(device), self.likelihood_weight.to(device), self.shared.to(device)
        )


def unshared(dispersion: Float[Tensor, " neuron"], likelihood_weight: Float[Tensor, ""]) -> Noise:
    """Noise model without noise correlations (L has no columns)."""
    return Noise(dispersion, likelihood_weight, dispersion.new_zeros(len(dispersion), 0))


def even_noise(neurons: int, *, likelihood_weight: float = 0.2) -> Noise:
    """Noise model before any measurement: dispersion 1 for all neurons, no noise correlations."""
    return unshared(torch.ones(neurons), torch.tensor(likelihood_weight))


def save_noise(noise: Noise, folder: Path) -> None:
    """Write `noise` beside a twin."""
    arrays = {
        _FILE_NAMES.get(name, name): getattr(noise, name).cpu().contiguous()
        for name in Noise.__dataclass_fields__
    }
    with written_atomically(folder / NOISE_FILE) as unfinished:
        unfinished.write_bytes(save(arrays))


def load_noise(folder: Path, *, neurons: int, device: torch.device | None = None) -> Noise:
    """Read the noise stored beside the twin of `neurons` neurons in `folder`.

    Files of earlier versions have no noise correlations; L has then no columns.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no file, or it is damaged or has another number of neurons.
    """
    path = folder / NOISE_FILE
    if not path.is_file():
        raise MissingFileError(what="noise of the twin", path=path, remedy=MEASURED_BY)
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
