"""Twins on disk, for every process that needs one: saving, loading, and the hash for the log.

A twin is a folder with `twin.safetensors` (weights by parameter name) and `twin.json` (the fields
of `TwinSpec`).
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from rtdecode.schema.atomic_file import written_atomically
from rtdecode.schema.errors import NotFiniteWeightsError, UnreadableFileError
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.dwiseneuro.network import DwiseNeuro
from rtdecode.twins.linear import Linear
from rtdecode.twins.record import DESCRIPTION, WEIGHTS, TwinSizes, existing
from rtdecode.twins.still import Still
from rtdecode.twins.twin import TwinSpec

_NAMES_ON_DISK = {"temporal_stride": "pace"}
"""Sizes that twin.json calls otherwise than the code, so that folders of all versions agree."""

_MOST = {"neurons": 10_000_000, "rows_px": 4096, "cols_px": 4096}
_MOST_FRAMES = 100_000
_FEWEST_SITES = 2
_MOST_SIZE = 4096
"""Larger numbers in twin.json are damage, and would fill the memory before any weight is read."""

AnyTwin = Compact | Linear | Still | DwiseNeuro
_KINDS: dict[str, type[AnyTwin]] = {
    "compact": Compact,
    "linear": Linear,
    "still": Still,
    "dwiseneuro": DwiseNeuro,
}


def save_twin(twin: AnyTwin, folder: Path) -> None:
    """Write `twin` into `folder`, which is created if it does not exist."""
    state = {name: value.detach().cpu().contiguous() for name, value in twin.state_dict().items()}
    with written_atomically(folder / WEIGHTS) as unfinished:
        unfinished.write_bytes(save(state))  # `save_file` gives its user alone access
    plain = twin.spec.as_json()
    plain["sizes"] = {_NAMES_ON_DISK.get(name, name): n for name, n in plain["sizes"].items()}
    text = json.dumps(plain, indent=2, sort_keys=True)
    with written_atomically(folder / DESCRIPTION) as unfinished:
        unfinished.write_text(text + "\n", encoding="utf-8")


def load_twin(folder: Path, *, device: torch.device | None = None) -> AnyTwin:
    """Read the twin in `folder`, frozen and in evaluation mode, onto `device`.

    Raises
    ------
    MissingFileError
        If one of the two files does not exist.
    UnreadableFileError
        If a file is damaged, the architecture is unknown, or the weights do not fit the
        description.
    NotFiniteWeightsError
        If a weight is NaN or infinite, as after a training that diverged.
    """
    spec = read_spec(folder)
    weights = existing(folder / WEIGHTS)
    # On the meta device a twin has shapes and no memory, whatever sizes the description states.
    with torch.device("meta"):
        _require_maps(outline := _built(spec, folder), folder)
    state = finite_tensors(weights, what="twin weights")
    if mistake := next(_differences(state, outline.state_dict()), None):
        raise UnreadableFileError(
            what="twin weights",
            path=weights,
            expected=f"the weights of a {spec.architecture} twin of {spec.neurons} neurons",
            got=mistake,
        )
    twin = _built(spec, folder)
    twin.load_state_dict(state)
    twin.requires_grad_(False)
    return twin.eval().to(device)


def finite_tensors(path: Path, *, what: str) -> dict[str, Tensor]:
    """The tensors by name in the safetensors file `path`, which exists.

    NaN must not reach the decoder: an index that is computed from it lies outside all memory.

    Raises
    ------
    UnreadableFileError
        If it is no safetensors file, or a damaged one.
    NotFiniteWeightsError
        If a tensor has a value that is NaN or infinite.
    """
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError, LookupError, RuntimeError, TypeError) as error:
        raise UnreadableFileError(
            what=what, path=path, expected="an undamaged safetensors file", got=str(error)
        ) from error
    for name, tensor in tensors.items():
        wrong = int((~torch.isfinite(tensor)).sum())
        if wrong:
            raise NotFiniteWeightsError(
                what=what, path=path, tensor=name, wrong=wrong, total=tensor.numel()
            )
    return tensors


def _differences(state: Mapping[str, Tensor], outline: Mapping[str, Tensor]) -> Iterator[str]:
    """What in the tensors of a file differs from a twin of the described sizes."""
    for name in sorted(state.keys() ^ outline.keys()):
        yield f"{'no tensor' if name in outline else 'an unknown tensor'} {name}"
    for name in sorted(state.keys() & outline.keys()):
        found, expected = state[name], outline[name]
        if found.shape != expected.shape:
            yield f"{name} of shape {tuple(found.shape)} instead of {tuple(expected.shape)}"
        elif found.is_floating_point() != expected.is_floating_point() or found.is_complex():
            yield f"{name} of {found.dtype} instead of {expected.dtype}"


def read_spec(folder: Path) -> TwinSpec:
    """Description of the twin in `folder`, without its weights.

    Raises
    ------
    MissingFileError
        If twin.json does not exist.
    UnreadableFileError
        If it is no JSON, its fields are not those of `TwinSpec`, or a value is out of range.
    """
    path = existing(folder / DESCRIPTION)
    try:
        plain = json.loads(path.read_bytes())
        in_code = {on_disk: name for name, on_disk in _NAMES_ON_DISK.items()}
        sizes = {in_code.get(name, name): n for name, n in plain.get("sizes", {}).items()}
        spec = TwinSpec.from_json({**plain, "sizes": sizes})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _bad_description(path, f"{where}: {first['msg']}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _bad_description(path, str(error)) from error
    if mistake := next(_out_of_range(spec), None):
        raise _bad_description(path, mistake)
    return spec


def sizes_in(spec: TwinSpec) -> TwinSizes:
    """What in `spec` has to agree with a run, and with twins that are inverted together."""
    return TwinSizes(
        spec.neurons, spec.rows_px, spec.cols_px, spec.frame_rate_hz, rois_hash=spec.rois_hash
    )


def _bad_description(path: Path, got: str) -> UnreadableFileError:
    return UnreadableFileError(
        what="twin description", path=path, expected="the fields of a twin as JSON", got=got
    )


def _out_of_range(spec: TwinSpec) -> Iterator[str]:
    """Values that no twin has."""
    counts = {name: (getattr(spec, name), 1, most) for name, most in _MOST.items()}
    frames = ("history_frames", "future_frames")
    counts |= {name: (getattr(spec, name), 0, _MOST_FRAMES) for name in frames}
    counts |= {f"sizes.{name}": (size, 1, _MOST_SIZE) for name, size in spec.sizes.items()}
    for name, (value, least, most) in counts.items():
        if not least <= value <= most:
            yield f"{name} {value}, which is not between {least} and {most}"
    if spec.sizes.get("hidden", 0) % 2:
        # one half of the subunits is rectified, the other half squared
        yield f"sizes.hidden {spec.sizes['hidden']}, which is not even"
    for name in ("frame_rate_hz", "luminance_sd"):
        value = getattr(spec, name)
        if not (value > 0 and math.isfinite(value)):
            yield f"{name} {value}, which is not a finite number above 0"
    behaviour = (*spec.behaviour_mean, *spec.behaviour_sd)
    if not all(map(math.isfinite, (spec.luminance_mean, *behaviour))):
        yield "NaN or infinity in luminance or behaviour"
    if {len(spec.behaviour_mean), len(spec.behaviour_sd)} != {len(spec.behaviour_channels)}:
        yield "behaviour_channels, behaviour_mean and behaviour_sd of different lengths"


def _built(spec: TwinSpec, folder: Path) -> AnyTwin:
    """An untrained twin with the sizes in `spec`; raises UnreadableFileError if there is none."""
    if spec.architecture not in _KINDS:
        raise UnreadableFileError(
            what="twin description",
            path=folder / DESCRIPTION,
            expected=f"architecture {', '.join(_KINDS)}",
            got=repr(spec.architecture),
        )
    try:
        return _KINDS[spec.architecture](spec)
    except (LookupError, TypeError, RuntimeError, ValueError, ArithmeticError) as error:
        raise UnreadableFileError(
            what="twin description",
            path=folder / DESCRIPTION,
            expected=f"sizes that a {spec.architecture} twin can be built from",
            got=f"{type(error).__name__}: {error}",
        ) from error


def _require_maps(twin: AnyTwin, folder: Path) -> None:
    """Refuse feature maps of less than 2 x 2 sites, between which no readout can interpolate."""
    if isinstance(twin, Compact):
        sites = min(twin.rows, twin.cols) // 2
    elif isinstance(twin, Still):
        sites = min(twin.map_rows, twin.map_cols)
    else:
        return
    if sites < _FEWEST_SITES:
        raise UnreadableFileError(
            what="twin description",
            path=folder / DESCRIPTION,
            expected=f"a screen on which a {twin.spec.architecture} twin has maps of 2 x 2 sites",
            got=f"{twin.spec.rows_px} x {twin.spec.cols_px} px",
        )
