"""Checkpoints of a training run, from which it resumes with identical results."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from rtdecode.schema.atomic_file import written_atomically
from rtdecode.schema.errors import CheckpointError, UnreadableFileError

State = dict[str, Tensor]


class WeightAverage:
    """Exponential moving average of the weights of `model`.

    average <- d average + (1 - d) weights, with d = min(decay, (k + 1) / (k + 10)) at step k: early
    averages are short, so that the random initial weights are forgotten quickly.
    """

    def __init__(self, model: nn.Module, *, decay: float) -> None:
        self._decay = decay
        self.state: State = copied(model.state_dict())

    def add(self, model: nn.Module, step: int) -> None:
        """Include the weights after `step`."""
        decay = min(self._decay, (step + 1) / (step + 10))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)


def copied(state: State) -> State:
    """A copy that is independent of later steps."""
    return {name: torch.clone(value.detach()) for name, value in state.items()}


FILE = "training.safetensors"


@dataclass(slots=True)
class Standing:
    """Progress of a training run; `best_r` is -1 before the first validation."""

    step: int = 0
    elapsed_s: float = 0.0
    best_r: float = -1.0
    best_step: int = 0
    worse_since: int = 0
    loss: float = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Trainee:
    """Everything that changes during training."""

    model: nn.Module
    average: WeightAverage
    optimiser: torch.optim.Optimizer
    best: State
    standing: Standing


def save_checkpoint(path: Path, trainee: Trainee, *, settings: dict[str, str]) -> None:
    """Write `trainee` atomically: `path` holds this or the previous checkpoint at any moment."""
    tensors = {f"model/{name}": value for name, value in trainee.model.state_dict().items()}
    tensors |= {f"average/{name}": value for name, value in trainee.average.state.items()}
    tensors |= {f"best/{name}": value for name, value in trainee.best.items()}
    for number, moments in trainee.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{number}/{name}": value for name, value in moments.items()}
    metadata = {"settings": json.dumps(settings), "standing": json.dumps(asdict(trainee.standing))}
    # cloned: safetensors refuses arrays that share memory, as those of a shared core do
    copies = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with written_atomically(path) as unfinished:
        unfinished.write_bytes(save(copies, metadata))


def load_checkpoint(path: Path, trainee: Trainee, *, settings: dict[str, str]) -> None:
    """Restore `trainee` from the checkpoint in `path`.

    Raises
    ------
    CheckpointError
        If it was written with other settings; the message names the first that differs.
    UnreadableFileError
        If the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise UnreadableFileError(
            what="checkpoint", path=path, expected="an interrupted training", got=str(error)
        ) from error
    _check_settings(path, json.loads(metadata["settings"]), settings)
    parts = {name: _part(tensors, name) for name in ("model", "average", "best", "optimiser")}
    trainee.model.load_state_dict(parts["model"])
    for own, name in ((trainee.average.state, "average"), (trainee.best, "best")):
        own.update({key: value.to(own[key].device) for key, value in parts[name].items()})
    trainee.optimiser.load_state_dict(_optimiser_state(trainee.optimiser, parts["optimiser"]))
    for name, value in json.loads(metadata["standing"]).items():
        setattr(trainee.standing, name, value)


def _part(tensors: dict[str, Tensor], name: str) -> State:
    prefix = f"{name}/"
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _optimiser_state(optimiser: torch.optim.Optimizer, moments: State) -> dict[str, Any]:
    state: dict[int, State] = {}
    for key, value in moments.items():
        number, name = key.split("/")
        state.setdefault(int(number), {})[name] = value
    return {**optimiser.state_dict(), "state": state}


def _check_settings(path: Path, found: dict[str, str], wanted: dict[str, str]) -> None:
    differing = sorted(name for name in found | wanted if found.get(name) != wanted.get(name))
    if differing:
        name = differing[0]
        raise CheckpointError(
            path=path, differing=f"{name} ({found.get(name)} there, {wanted.get(name)} here)"
        )
