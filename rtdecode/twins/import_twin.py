"""Import of published checkpoints as twin folders, for `rtdecode import-twin`.

Checkpoints are read as plain tensors (`weights_only=True`), so that no code in them is executed.
"""

import pickle
import struct
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rtdecode.schema.errors import ForeignWeightsError, MissingFileError
from rtdecode.schema.file_content import content_of
from rtdecode.twins.folder import AnyTwin, save_twin
from rtdecode.twins.published_weights import dwiseneuro_twin, still_twin

Published = Mapping[str, Tensor]


class Format(StrEnum):
    """Layout of a checkpoint: names and shapes of its parameters.

    `sensorium2022`: the image encoder of Lurz et al. 2020. `dwiseneuro`: the winner of Sensorium
    2023.
    """

    SENSORIUM2022 = "sensorium2022"
    DWISENEURO = "dwiseneuro"


def import_twin(
    weights: Path,
    out: Path,
    *,
    layout: Format,
    mouse: str | None = None,
    neurons: int | None = None,
) -> AnyTwin:
    """Read the published checkpoint `weights` and write it as a twin folder `out`.

    Parameters
    ----------
    weights
        A PyTorch file: a state dict, or a checkpoint that holds one.
    layout
        Names and shapes of its parameters.
    mouse
        Readout to import where there are several: its name, or for dwiseneuro its number, from 0.
    neurons
        Only for dwiseneuro: number of neurons of that mouse, where the file does not contain it;
        a readout may be padded by one row.

    Returns
    -------
    The twin, frozen and in evaluation mode.

    Raises
    ------
    MissingFileError
        If the file does not exist.
    ForeignWeightsError
        If it has another layout; the message names the parameter that is missing.
    """
    state, settings = published_state(weights)
    if layout is Format.SENSORIUM2022:
        twin: AnyTwin = still_twin(state, weights, mouse=mouse)
    else:
        twin = dwiseneuro_twin(state, weights, mouse=mouse, neurons=neurons, settings=settings)
    twin.requires_grad_(False)
    save_twin(twin.eval(), out)
    return twin


_UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
)
"""Exceptions that torch raises for bytes that are no checkpoint: its unpickler checks nothing."""


def _held_by(weights: Path, *, is_pickle: bool) -> str:
    """What a file is that is no checkpoint of tensors."""
    content = content_of(weights)
    if content not in (None, "zip (.npz, .zip)"):
        return f"a file in {content} format, which cannot be read as a checkpoint of PyTorch"
    if is_pickle:
        return "more than tensors and plain values, which cannot be read without executing it"
    return "a file that cannot be read as a checkpoint of PyTorch"


def published_state(weights: Path) -> tuple[Published, dict[str, Any]]:
    """Parameters by their published names, and the settings stored beside them, if any.

    Raises
    ------
    MissingFileError
        If the file does not exist.
    ForeignWeightsError
        If it is no checkpoint of tensors.
    """
    if not weights.is_file():
        raise MissingFileError(
            what="weights", path=weights, remedy="give the file that the authors published"
        )
    try:
        held = torch.load(weights, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        # torch advises to execute what is in the file, which this command never does
        held_instead = _held_by(weights, is_pickle=isinstance(error, pickle.UnpicklingError))
        raise ForeignWeightsError(path=weights, got=held_instead) from error
    if not isinstance(held, dict):
        raise ForeignWeightsError(path=weights, got=f"a {type(held).__name__}")
    settings = held.get("params")
    for nested in ("nn_state_dict", "model_state_dict", "state_dict"):
        if isinstance(held.get(nested), dict):
            held = held[nested]
            break
    state = {str(k).removeprefix("module."): v for k, v in held.items() if isinstance(v, Tensor)}
    return state, settings if isinstance(settings, dict) else {}
