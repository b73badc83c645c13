"""Parameters taken from a foreign checkpoint, or a sentence that says why not."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn

from rtdecode.schema.errors import ForeignWeightsError

Module = TypeVar("Module", bound=nn.Module)


def wanted(state: Mapping[str, Tensor], name: str, path: Path) -> Tensor:
    """The parameter `name`; ForeignWeightsError where it is missing."""
    if name not in state:
        raise ForeignWeightsError(path=path, got=f"no parameter '{name}' among {len(state)}")
    return state[name]


def filled(module: Module, state: Mapping[str, Tensor], path: Path) -> Module:
    """`module` with all its parameters from `state`; names and shapes must agree."""
    try:
        module.load_state_dict(dict(state))
    except RuntimeError as error:
        differences = [line.strip() for line in str(error).splitlines()[1:]]
        raise ForeignWeightsError(path=path, got=" ".join(differences[:3])) from error
    return module
