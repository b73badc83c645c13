"""A twin on disk: a folder with `twin.safetensors` (weights) and `twin.json` (everything else)."""

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

AnyTwin = Compact | Linear | Still | DwiseNeuro


def save_twin(twin: AnyTwin, folder: Path) -> None:
    """Write `twin` into `folder`, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().cpu().contiguous() for name, value in twin.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    text = json.dumps(twin.spec.as_json(), indent=2, sort_keys=True)
    (folder / DESCRIPTION).write_text(text + "\n")


def load_twin(folder: Path, *, device: torch.device | None = None) -> AnyTwin:
    """Read the twin in `folder`, frozen and in evaluation mode, onto `device`.

    Raises
    ------
    MissingFileError
        If one of the two files is not there.
    UnreadableFileError
        If a file is damaged, names an unknown architecture, or the two do not belong together.
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
    """Description of the twin in `folder`; raises as `load_twin` does."""
    path = _existing(folder / DESCRIPTION)
    try:
        plain = json.loads(path.read_text())
        return TwinSpec.from_json(plain)
    except (ValueError, TypeError, AttributeError) as error:
        raise UnreadableFileError(
            what="twin description",
            path=path,
            expected="the fields of a twin as JSON",
            got=str(error),
        ) from error


def twin_hash(folder: Path) -> str:
    """SHA-256 over description and weights, in hexadecimal: names this very twin in a log."""
    digest = hashlib.sha256()
    for name in (DESCRIPTION, WEIGHTS):
        digest.update(_existing(folder / name).read_bytes())
    return digest.hexdigest()


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise MissingFileError(what="twin file", path=path, remedy=_REMEDY)
    return path


def _built(spec: TwinSpec, folder: Path) -> AnyTwin:
    """An untrained twin of the sizes in `spec`."""
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
