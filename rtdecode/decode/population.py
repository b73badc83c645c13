"""A twin with its prior and noise, read out by as many neurons as one asks for."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from rtdecode.decode.noise import Noise, load_noise
from rtdecode.decode.prior import VideoPrior, load_prior
from rtdecode.decode.twin_folder import load_twin
from rtdecode.decode.twins.compact import Compact
from rtdecode.schema.errors import UnreadableFileError

_NEURON_AXIS = {"position": 0, "weights": 0, "bias": 0, "scale": 0, "behaviour_gain": 1}


@dataclass(frozen=True, slots=True)
class Population:
    """A compact twin and what was learnt beside it."""

    twin: Compact
    prior: VideoPrior
    noise: Noise

    def of(self, neurons: int) -> "Population":
        """`neurons` of these neurons: the first ones, or all of them over and over.

        Neurons that come twice have the same tuning; what they cost is what measured ones would.
        """
        chosen = torch.arange(neurons, device=self.twin.bias.device) % self.twin.spec.neurons
        return Population(with_neurons(self.twin, chosen), self.prior, self.noise.of(chosen))


def load_population(folder: Path) -> Population:
    """Read the compact twin in `folder`; UnreadableFileError if it is of another architecture."""
    twin = load_twin(folder)
    if not isinstance(twin, Compact):
        raise UnreadableFileError(
            what="twin", path=folder, expected="a compact twin", got=twin.spec.architecture
        )
    noise = load_noise(folder, neurons=twin.spec.neurons)
    return Population(twin, load_prior(folder), noise)


def with_neurons(twin: Compact, chosen: Tensor) -> Compact:
    """The same filters, read out by the neurons `chosen`, (neuron,) int64, in this order."""
    made = Compact(replace(twin.spec, neurons=len(chosen)))
    state = {
        name: value.index_select(_NEURON_AXIS[name], chosen) if name in _NEURON_AXIS else value
        for name, value in twin.state_dict().items()
    }
    made.load_state_dict(state)
    return made.requires_grad_(requires_grad=False).eval()
