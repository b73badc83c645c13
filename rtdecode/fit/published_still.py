"""Parameter names of the published still encoder, read into the still twin."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from rtdecode.decode.twin import TwinSpec
from rtdecode.decode.twins.still import Still
from rtdecode.fit.foreign_weights import filled, wanted
from rtdecode.schema.errors import ForeignWeightsError

_CORE = "core.features."
_POSITION = "._mu"
_RENAMED = {
    "ds_conv.in_depth_conv.": "mix_in.",
    "ds_conv.spatial_conv.": "filter.",
    "ds_conv.out_depth_conv.": "mix_out.",
}


def still_twin(state: Mapping[str, Tensor], path: Path, *, mouse: str | None = None) -> Still:
    """The still twin with the parameters `state` of the file `path`.

    Raises ForeignWeightsError where a parameter is missing or has another shape than the
    architecture gives it, or where there are several mice and none is named.
    """
    readout = _readout(state, path, mouse)
    layers = 1 + max(
        (int(name.split(".")[0].removeprefix("layer")) for name in _core_names(state)), default=0
    )
    first = wanted(state, f"{_CORE}layer0.conv.weight", path)
    later = wanted(state, f"{_CORE}layer1.ds_conv.spatial_conv.weight", path)
    features = wanted(state, f"{readout}._features", path)
    position = wanted(state, f"{readout}{_POSITION}", path)
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
        "bias": wanted(state, f"{readout}.bias", path),
        **{_core_name(name): state[_CORE + name] for name in _core_names(state)},
    }
    return filled(Still(spec), ours, path)


def _core_names(state: Mapping[str, Tensor]) -> list[str]:
    return [name.removeprefix(_CORE) for name in state if name.startswith(f"{_CORE}layer")]


def _core_name(published: str) -> str:
    layer, rest = published.removeprefix("layer").split(".", 1)
    for theirs, our in _RENAMED.items():
        rest = rest.replace(theirs, our)
    return f"core.{layer}.{rest}"


def _readout(state: Mapping[str, Tensor], path: Path, mouse: str | None) -> str:
    found = [name.removesuffix(_POSITION) for name in state if name.endswith(_POSITION)]
    if not found:
        raise ForeignWeightsError(path=path, got="no readout position (readout.MOUSE._mu)")
    chosen = [name for name in found if mouse is None or name.removeprefix("readout.") == mouse]
    if len(chosen) != 1:
        mice = ", ".join(sorted(name.removeprefix("readout.") for name in found))
        raise ForeignWeightsError(path=path, got=f"mice {mice}: choose one of them with --mouse")
    return chosen[0]
