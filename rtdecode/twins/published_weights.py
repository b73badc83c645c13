"""Twins with the parameters of published checkpoints, for `import_twin`.

Sizes follow from the shapes of the parameters. A parameter that is missing or has an unexpected
shape raises ForeignWeightsError, which names it.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from rtdecode.schema.errors import ForeignWeightsError
from rtdecode.twins.dwiseneuro.network import DEFAULT_SIZES, SPAN_FRAMES, STEP, DwiseNeuro
from rtdecode.twins.still import Still
from rtdecode.twins.twin import TwinSpec

Module = TypeVar("Module", bound=nn.Module)


def required_parameter(state: Mapping[str, Tensor], name: str, path: Path) -> Tensor:
    """The parameter `name` of the file `path`; ForeignWeightsError if it is missing."""
    if name not in state:
        raise ForeignWeightsError(path=path, got=f"no parameter '{name}' among {len(state)}")
    return state[name]


def load_parameters(module: Module, state: Mapping[str, Tensor], path: Path) -> Module:
    """`module` with the parameters `state`; ForeignWeightsError if names or shapes differ."""
    try:
        module.load_state_dict(dict(state))
    except RuntimeError as error:
        differences = [line.strip() for line in str(error).splitlines()[1:]]
        raise ForeignWeightsError(path=path, got=" ".join(differences[:3])) from error
    return module


_CORE = "core.features."
_POSITION = "._mu"
_RENAMED = {
    "ds_conv.in_depth_conv.": "mix_in.",
    "ds_conv.spatial_conv.": "filter.",
    "ds_conv.out_depth_conv.": "mix_out.",
}


def still_twin(state: Mapping[str, Tensor], path: Path, *, mouse: str | None = None) -> Still:
    """The still twin with the parameters `state` of the file `path`.

    `mouse` is the name of its readout; it may be left out where there is one.

    Raises
    ------
    ForeignWeightsError
        If a parameter is missing or has a shape that the architecture does not give it, or if
        there are several mice and none is named.
    """
    readout = _readout(state, path, mouse)
    layers = 1 + max(
        (int(name.split(".")[0].removeprefix("layer")) for name in _core_names(state)), default=0
    )
    first = required_parameter(state, f"{_CORE}layer0.conv.weight", path)
    later = required_parameter(state, f"{_CORE}layer1.ds_conv.spatial_conv.weight", path)
    features = required_parameter(state, f"{readout}._features", path)
    position = required_parameter(state, f"{readout}{_POSITION}", path)
    spec = TwinSpec(
        architecture="still",
        neurons=features.shape[-1],
        response_units="activity divided by each neuron's SD over the training trials",
        history_frames=1,
        sizes={
            "channels": first.shape[0],
            "layers": layers,
            "first_px": first.shape[-1],
            "later_px": later.shape[-1],
        },
        provenance={
            "format": "sensorium2022",
            "readout": readout,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "method": "published image encoder (Lurz et al. 2020), imported",
        },
    )
    ours = {
        "position": position.reshape(-1, 2),
        "weights": features.reshape(-1, features.shape[-1]).T.contiguous(),
        "bias": required_parameter(state, f"{readout}.bias", path),
        **{_core_name(name): state[_CORE + name] for name in _core_names(state)},
    }
    return load_parameters(Still(spec), ours, path)


def _core_names(state: Mapping[str, Tensor]) -> list[str]:
    """Names of the core's parameters in the checkpoint, without their common prefix."""
    return [name.removeprefix(_CORE) for name in state if name.startswith(f"{_CORE}layer")]


def _core_name(published: str) -> str:
    """Name in `Still` of a parameter of the core, from that of `_core_names`."""
    layer, rest = published.removeprefix("layer").split(".", 1)
    for in_checkpoint, in_module in _RENAMED.items():
        rest = rest.replace(in_checkpoint, in_module)
    return f"core.{layer}.{rest}"


def _readout(state: Mapping[str, Tensor], path: Path, mouse: str | None) -> str:
    """Prefix of the names of one mouse's readout."""
    found = [name.removesuffix(_POSITION) for name in state if name.endswith(_POSITION)]
    if not found:
        raise ForeignWeightsError(path=path, got="no readout position (readout.MOUSE._mu)")
    chosen = [name for name in found if mouse is None or name.removeprefix("readout.") == mouse]
    if len(chosen) != 1:
        mice = ", ".join(sorted(name.removeprefix("readout.") for name in found))
        raise ForeignWeightsError(path=path, got=f"mice {mice}: choose one of them with --mouse")
    return chosen[0]


_READOUT = re.compile(r"readouts\.(\d+)\.layer\.1\.weight")
_BLOCK = re.compile(r"core\.blocks\.(\d+)\.conv_pw\.0\.weight")
_DENSE = re.compile(r"cortex\.layers\.(\d+)\.conv\.weight")


def dwiseneuro_twin(
    state: Mapping[str, Tensor],
    path: Path,
    *,
    mouse: str | None,
    neurons: int | None,
    settings: Mapping[str, Any],
) -> DwiseNeuro:
    """The twin of one mouse with the parameters `state` of the file `path`.

    Widths, expansion and groups follow from the shapes; `settings` are those of the checkpoint.

    Raises
    ------
    ForeignWeightsError
        If a parameter is missing, or if there are several mice and none is named.
    """
    number = _mouse_number(state, path, mouse)
    rows = len(required_parameter(state, f"readouts.{number}.layer.1.weight", path))
    sizes = _sizes(state, path, number)
    spec = TwinSpec(
        architecture="dwiseneuro",
        neurons=_neurons(settings, number, given=neurons, rows=rows, path=path),
        luminance_mean=0.0,
        luminance_sd=1.0,
        response_units="deconvolved activity, as released for Sensorium 2023",
        history_frames=SPAN_FRAMES,
        future_frames=SPAN_FRAMES - STEP,
        sizes=sizes,
        provenance={
            "format": "dwiseneuro",
            "mouse": str(number),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "causality": "not causal: kernels symmetric in time over stacks of 16 frames at step 2",
            "method": "published winner of Sensorium 2023, imported",
        },
    )
    readout = f"readouts.{number}."
    ours = {
        name.replace("_covn_", "_conv_").replace(readout, "readout."): value
        for name, value in state.items()
        if name.startswith(("core.", "cortex.", readout))
    }
    return load_parameters(DwiseNeuro(spec), ours, path)


def _sizes(state: Mapping[str, Tensor], path: Path, number: int) -> dict[str, int]:
    first = required_parameter(state, "core.blocks.1.conv_pw.0.weight", path)
    spatial = required_parameter(state, "core.blocks.1.spat_covn_dw.0.weight", path)
    temporal = required_parameter(state, "core.blocks.1.temp_covn_dw.0.weight", path)
    squeezed = required_parameter(state, "core.blocks.1.se.conv_reduce.weight", path)
    readout = required_parameter(state, f"readouts.{number}.layer.1.weight", path)
    core = _by_number(state, _BLOCK, axis=1)
    cortex = _by_number(state, _DENSE, axis=0)
    if not cortex:
        raise ForeignWeightsError(path=path, got="no parameter 'cortex.layers.0.conv.weight'")
    return {
        "expansion": first.shape[0] // first.shape[1],
        "squeeze": first.shape[0] // squeezed.shape[0],
        "space_px": spatial.shape[-1],
        "taps": temporal.shape[2],
        "groups": cortex[-1] // readout.shape[1],
        "hop_frames": DEFAULT_SIZES["hop_frames"],
        **{f"core_{i}": width for i, width in enumerate(core)},
        **{f"cortex_{i}": width for i, width in enumerate(cortex)},
    }


def _by_number(state: Mapping[str, Tensor], name: re.Pattern[str], *, axis: int) -> list[int]:
    found = {int(m[1]): value.shape[axis] for k, value in state.items() if (m := name.fullmatch(k))}
    return [found[number] for number in sorted(found)]


def _mouse_number(state: Mapping[str, Tensor], path: Path, mouse: str | None) -> int:
    mice = sorted(int(m[1]) for name in state if (m := _READOUT.fullmatch(name)))
    if not mice:
        raise ForeignWeightsError(path=path, got="no parameter 'readouts.0.layer.1.weight'")
    if mouse is None and len(mice) == 1:
        return mice[0]
    if mouse is None or not mouse.isdecimal() or int(mouse) not in mice:
        raise ForeignWeightsError(
            path=path, got=f"mice {mice[0]} to {mice[-1]}: choose one of them with --mouse"
        )
    return int(mouse)


def _neurons(
    settings: Mapping[str, Any], number: int, *, given: int | None, rows: int, path: Path
) -> int:
    """Number of neurons: as given, else from the settings, else the rows of the readout."""
    network = settings.get("nn_module")
    listed = network[1].get("readout_outputs") if isinstance(network, (tuple, list)) else None
    counts = listed if isinstance(listed, (tuple, list)) else ()
    count = given or (int(counts[number]) if number < len(counts) else rows)
    if not rows - 1 <= count <= rows:
        raise ForeignWeightsError(
            path=path, got=f"a readout of {rows} neurons for mouse {number}, not {count}"
        )
    return count
