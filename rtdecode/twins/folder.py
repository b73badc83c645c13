"""Twins on disk, for every process that needs one: saving, loading, and the hash for the log.

A twin is a folder with `twin.safetensors` (weights by parameter name) and `twin.json` (the fields
of `TwinSpec`).
"""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from rtdecode.schema.errors import MissingFileError, UnreadableFileError
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.dwiseneuro.network import DwiseNeuro
from rtdecode.twins.linear import Linear
from rtdecode.twins.still import Still
from rtdecode.twins.twin import TwinSpec

WEIGHTS = "twin.safetensors"
DESCRIPTION = "twin.json"
_REMEDY = "give a folder that `rtdecode fit twin` or `rtdecode import-twin` wrote"

_NAMES_ON_DISK = {"temporal_stride": "pace"}
"""Sizes that twin.json calls otherwise than the code, so that folders of all versions agree."""

AnyTwin = Compact | Linear | Still | DwiseNeuro


def save_twin(twin: AnyTwin, folder: Path) -> None:
    """Write `twin` into `folder`, which is created if it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().cpu().contiguous() for name, value in twin.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    plain = twin.spec.as_json()
    plain["sizes"] = {_NAMES_ON_DISK.get(name, name): n for name, n in plain["sizes"].items()}
    text = json.dumps(plain, indent=2, sort_keys=True)
    (folder / DESCRIPTION).write_text(text + "\n")


def load_twin(folder: Path, *, device: torch.device | None = None) -> AnyTwin:
    """Read the twin in `folder`, frozen and in evaluation mode, onto `device`.

    Raises
    ------
    MissingFileError
        If one of the two files does not exist.
    UnreadableFileError
        If a file is damaged, the architecture is unknown, or the weights do not fit the
        description.
    """
    spec = read_spec(folder)
    weights = _existing(folder / WEIGHTS)
    twin = _built(spec, folder)
    try:
        state = load_file(weights)
        twin.load_state_dict(state)
    except (SafetensorError, RuntimeError) as error:
        raise UnreadableFileError(
            what="twin weights",
            path=weights,
            expected=f"the weights of a {spec.architecture} twin of {spec.neurons} neurons",
            got=str(error).splitlines()[-1].strip(),
        ) from error
    twin.requires_grad_(False)
    return twin.eval().to(device)


def read_spec(folder: Path) -> TwinSpec:
    """Description of the twin in `folder`, without its weights.

    Raises
    ------
    MissingFileError
        If twin.json does not exist.
    UnreadableFileError
        If it is no JSON, or its fields are not those of `TwinSpec`.
    """
    path = _existing(folder / DESCRIPTION)
    try:
        plain = json.loads(path.read_text())
        in_code = {on_disk: name for name, on_disk in _NAMES_ON_DISK.items()}
        sizes = {in_code.get(name, name): n for name, n in plain.get("sizes", {}).items()}
        return TwinSpec.from_json({**plain, "sizes": sizes})
    except (ValueError, TypeError, AttributeError) as error:
        raise UnreadableFileError(
            what="twin description",
            path=path,
            expected="the fields of a twin as JSON",
            got=str(error),
        ) from error


def twin_hash(folder: Path) -> str:
    """SHA-256 of description and weights, in hexadecimal, which identifies a twin in a log.

    Raises
    ------
    MissingFileError
        If one of the two files does not exist.
    """
    digest = hashlib.sha256()
    for name in (DESCRIPTION, WEIGHTS):
        digest.update(_existing(folder / name).read_bytes())
    return digest.hexdigest()


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise MissingFileError(what="twin file", path=path, remedy=_REMEDY)
    return path


def _built(spec: TwinSpec, folder: Path) -> AnyTwin:
    """An untrained twin with the sizes in `spec`; raises UnreadableFileError if there is none."""
    kinds: dict[str, type[AnyTwin]] = {
        "compact": Compact,
        "linear": Linear,
        "still": Still,
        "dwiseneuro": DwiseNeuro,
    }
    if spec.architecture not in kinds:
        raise UnreadableFileError(
            what="twin description",
            path=folder / DESCRIPTION,
            expected=f"architecture {', '.join(kinds)}",
            got=repr(spec.architecture),
        )
    try:
        return kinds[spec.architecture](spec)
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise UnreadableFileError(
            what="twin description",
            path=folder / DESCRIPTION,
            expected=f"sizes that a {spec.architecture} twin can be built from",
            got=f"{type(error).__name__}: {error}",
        ) from error
