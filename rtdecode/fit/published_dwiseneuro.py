"""Parameter names of the published DwiseNeuro checkpoints, read into the twin of one mouse."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from rtdecode.decode.twin import TwinSpec
from rtdecode.decode.twins.dwiseneuro.network import DEFAULT_SIZES, SPAN_FRAMES, STEP, DwiseNeuro
from rtdecode.fit.foreign_weights import filled, wanted
from rtdecode.schema.errors import ForeignWeightsError

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

    Widths, expansion and groups follow from the shapes. Raises ForeignWeightsError where a
    parameter is missing, or where there are several mice and none is named.
    """
    number = _mouse_number(state, path, mouse)
    rows = len(wanted(state, f"readouts.{number}.layer.1.weight", path))
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
    return filled(DwiseNeuro(spec), ours, path)


def _sizes(state: Mapping[str, Tensor], path: Path, number: int) -> dict[str, int]:
    first = wanted(state, "core.blocks.1.conv_pw.0.weight", path)
    spatial = wanted(state, "core.blocks.1.spat_covn_dw.0.weight", path)
    temporal = wanted(state, "core.blocks.1.temp_covn_dw.0.weight", path)
    squeezed = wanted(state, "core.blocks.1.se.conv_reduce.weight", path)
    readout = wanted(state, f"readouts.{number}.layer.1.weight", path)
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
    """As given, as the checkpoint's own settings say, or as many as the readout has rows."""
    network = settings.get("nn_module")
    told = network[1].get("readout_outputs") if isinstance(network, (tuple, list)) else None
    counts = told if isinstance(told, (tuple, list)) else ()
    count = given or (int(counts[number]) if number < len(counts) else rows)
    if not rows - 1 <= count <= rows:
        raise ForeignWeightsError(
            path=path, got=f"a readout of {rows} neurons for mouse {number}, not {count}"
        )
    return count
