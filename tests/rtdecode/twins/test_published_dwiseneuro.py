"""Checkpoints with the published names and shapes become twins that predict the same."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rtdecode.schema.errors import ForeignWeightsError
from rtdecode.twins.dwiseneuro.network import DEFAULT_SIZES, DwiseNeuro, widths
from rtdecode.twins.published_weights import dwiseneuro_twin
from rtdecode.twins.twin import TwinSpec

MICE = (5, 8)
SIZES = {
    "expansion": 3,
    "squeeze": 4,
    "space_px": 3,
    "taps": 5,
    "groups": 2,
    "hop_frames": 8,
    **{f"core_{i}": width for i, width in enumerate((4, 4, 8))},
    **{f"cortex_{i}": width for i, width in enumerate((12, 16))},
}
PUBLISHED_SHAPES = {
    "core.stem.0.weight": (64, 5, 1, 1, 1),
    "core.stem.1.bn.running_var": (64,),
    "core.blocks.0.inv_freq": (11,),
    "core.blocks.1.conv_pw.0.weight": (448, 64, 1, 1, 1),
    "core.blocks.1.spat_covn_dw.0.weight": (448, 1, 1, 3, 3),
    "core.blocks.1.temp_covn_dw.0.weight": (448, 1, 5, 1, 1),
    "core.blocks.1.se.conv_reduce.weight": (14, 448, 1, 1, 1),
    "core.blocks.7.conv_pwl.0.weight": (128, 448, 1, 1, 1),
    "core.blocks.17.bn_sc.bn.weight": (256,),
    "cortex.layers.0.conv.weight": (1024, 128, 1),
    "cortex.layers.2.bn.bn.bias": (4096,),
    "readouts.0.layer.1.weight": (7864, 2048, 1),
}
"""Of the winner of Sensorium 2023, of whose first mouse 7,863 neurons were recorded."""


def a_network(neurons: int, sizes: dict[str, int]) -> DwiseNeuro:
    twin = DwiseNeuro(TwinSpec("dwiseneuro", neurons, sizes=sizes))
    for name, value in twin.state_dict().items():
        if value.is_floating_point() and value.device.type == "cpu" and "inv_freq" not in name:
            value.normal_(0, 0.3, generator=torch.Generator().manual_seed(neurons + len(name)))
        if name.endswith("running_var"):
            value.square_().add_(0.5)
    return twin.requires_grad_(requires_grad=False).eval()


def published(networks: list[DwiseNeuro]) -> dict[str, Tensor]:
    """Of several mice with one core, by the names that the authors gave (`covn` is theirs)."""
    state: dict[str, Tensor] = {}
    for number, network in enumerate(networks):
        for name, value in network.state_dict().items():
            theirs = name.replace("_conv_dw", "_covn_dw")
            state[theirs.replace("readout.", f"readouts.{number}.")] = value
    return state


@pytest.fixture(scope="module")
def networks() -> list[DwiseNeuro]:
    """Two mice that share core and cortex."""
    first, second = (a_network(neurons, SIZES) for neurons in MICE)
    shared = {k: v for k, v in first.state_dict().items() if not k.startswith("readout")}
    second.load_state_dict(shared, strict=False)
    return [first, second]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "theirs.pth"
    path.write_bytes(b"the bytes that the hash is of")
    return path


def imported(state: dict[str, Tensor], file: Path, **how: Any) -> DwiseNeuro:
    options = {"mouse": None, "neurons": None, "settings": {}, **how}
    return dwiseneuro_twin(state, file, **options).eval()


@pytest.mark.parametrize("mouse", [0, 1])
def test_each_mouse_of_a_checkpoint_predicts_as_it_did(
    networks: list[DwiseNeuro], file: Path, mouse: int
) -> None:
    twin = imported(published(networks), file, mouse=str(mouse), neurons=MICE[mouse])
    generator = torch.Generator().manual_seed(0)
    video = 255 * torch.rand(1, 40, 36, 64, generator=generator)
    behaviour = torch.rand(1, 40, 4, generator=generator)
    with torch.no_grad():
        predicted, expected = twin(video, behaviour), networks[mouse](video, behaviour)
    assert predicted.shape == (1, 40, MICE[mouse])
    assert expected.std() > 0
    torch.testing.assert_close(predicted, expected)


def test_the_published_sizes_have_the_published_names_and_shapes() -> None:
    with torch.device("meta"):
        network = DwiseNeuro(TwinSpec("dwiseneuro", 7863, sizes=DEFAULT_SIZES))
    state = published([network])
    assert {name: tuple(state[name].shape) for name in PUBLISHED_SHAPES} == PUBLISHED_SHAPES


def test_all_sizes_follow_from_the_shapes(networks: list[DwiseNeuro], file: Path) -> None:
    twin = imported(published(networks), file, mouse="1")
    assert twin.spec.sizes == SIZES
    assert widths(twin.spec.sizes, "core") == (4, 4, 8)
    assert twin.spec.neurons == 8


def test_padding_rows_of_a_readout_are_left_out(networks: list[DwiseNeuro], file: Path) -> None:
    """Two groups need an even number of rows; the number of neurons is given or in the settings."""
    state = published(networks)
    assert len(state["readouts.0.layer.1.weight"]) == 6
    assert imported(state, file, mouse="0", neurons=5).spec.neurons == 5
    settings = {"nn_module": ("dwiseneuro", {"readout_outputs": MICE})}
    assert imported(state, file, mouse="0", settings=settings).spec.neurons == 5
    with pytest.raises(ForeignWeightsError, match="readout of 6 neurons for mouse 0, not 4"):
        imported(state, file, mouse="0", neurons=4)


def test_the_description_has_the_origin_and_that_the_twin_is_not_causal(
    networks: list[DwiseNeuro], file: Path
) -> None:
    spec = imported(published(networks), file, mouse="1").spec
    assert spec.future_frames > 0
    assert "not causal" in spec.provenance["causality"]
    assert spec.provenance["mouse"] == "1"
    assert len(spec.provenance["sha256"]) == 64


@pytest.mark.parametrize("mouse", [None, "2", "first"])
def test_of_several_mice_one_must_be_named(
    networks: list[DwiseNeuro], file: Path, mouse: str | None
) -> None:
    with pytest.raises(ForeignWeightsError, match=r"theirs\.pth.*mice 0 to 1.*--mouse"):
        imported(published(networks), file, mouse=mouse)


@pytest.mark.parametrize(
    "missing",
    [
        "core.blocks.1.conv_pw.0.weight",
        "core.blocks.3.se.conv_expand.bias",
        "cortex.layers.0.conv.weight",
        "readouts.0.layer.1.bias",
    ],
)
def test_a_missing_parameter_is_named(networks: list[DwiseNeuro], file: Path, missing: str) -> None:
    state = published(networks[:1])
    del state[missing]
    known = missing.replace("readouts.0.", "readout.")
    with pytest.raises(ForeignWeightsError, match=known):
        imported(state, file)


def test_a_checkpoint_without_readouts_is_refused(networks: list[DwiseNeuro], file: Path) -> None:
    state = {k: v for k, v in published(networks).items() if not k.startswith("readouts")}
    with pytest.raises(ForeignWeightsError, match=r"no parameter 'readouts\.0\.layer\.1\.weight'"):
        imported(state, file)
