"""Published checkpoints become twin folders, and no code in a file is executed."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rtdecode.schema.errors import ForeignWeightsError, MissingFileError
from rtdecode.twins.dwiseneuro.network import DwiseNeuro
from rtdecode.twins.folder import load_twin
from rtdecode.twins.import_twin import Format, import_twin, published_state
from rtdecode.twins.twin import TwinSpec

SIZES = {
    "expansion": 2,
    "squeeze": 4,
    "space_px": 3,
    "taps": 5,
    "groups": 2,
    "hop_frames": 8,
    "core_0": 4,
    "core_1": 8,
    "cortex_0": 12,
}


def a_network() -> DwiseNeuro:
    network = DwiseNeuro(TwinSpec("dwiseneuro", 6, sizes=SIZES))
    generator = torch.Generator().manual_seed(0)
    for name, value in network.state_dict().items():
        if value.is_floating_point() and not name.endswith(("running_var", "inv_freq")):
            value.normal_(0, 0.3, generator=generator)
    return network.eval()


def published(network: DwiseNeuro) -> dict[str, Tensor]:
    return {
        name.replace("_conv_dw", "_covn_dw").replace("readout.", "readouts.0."): value
        for name, value in network.state_dict().items()
    }


def tiny_still() -> dict[str, Tensor]:
    """The least state dict in the layout of the published still encoder."""
    norm = {"weight": 1.0, "bias": 0.1, "running_mean": 0.0, "running_var": 1.0}
    state = {
        "core.features.layer0.conv.weight": torch.full((2, 1, 9, 9), 0.01),
        "core.features.layer1.ds_conv.in_depth_conv.weight": torch.eye(2)[:, :, None, None],
        "core.features.layer1.ds_conv.spatial_conv.weight": torch.full((2, 1, 7, 7), 0.02),
        "core.features.layer1.ds_conv.out_depth_conv.weight": torch.eye(2)[:, :, None, None],
        "readout.m._mu": torch.zeros(1, 3, 1, 2),
        "readout.m._features": torch.ones(1, 2, 1, 3),
        "readout.m.bias": torch.tensor([0.0, 1.0, 2.0]),
    }
    for layer in range(2):
        for part, value in norm.items():
            state[f"core.features.layer{layer}.norm.{part}"] = torch.full((2,), value)
        state[f"core.features.layer{layer}.norm.num_batches_tracked"] = torch.tensor(1)
    return state


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: state,
        lambda state: {"model_state_dict": state, "epoch": 12},
        lambda state: {
            "nn_state_dict": {f"module.{name}": value for name, value in state.items()},
            "params": {"nn_module": ("dwiseneuro", {"readout_outputs": (6,)})},
        },
    ],
)
def test_a_published_checkpoint_becomes_a_folder_that_predicts_the_same(
    tmp_path: Path, wrapped: Any
) -> None:
    network = a_network()
    torch.save(wrapped(published(network)), tmp_path / "theirs.pth")
    import_twin(tmp_path / "theirs.pth", tmp_path / "twin", layout=Format.DWISENEURO)
    twin = load_twin(tmp_path / "twin")
    generator = torch.Generator().manual_seed(1)
    video = 255 * torch.rand(1, 34, 36, 64, generator=generator)
    behaviour = torch.rand(1, 34, 4, generator=generator)
    with torch.no_grad():
        torch.testing.assert_close(twin(video, behaviour), network(video, behaviour))


def test_an_image_encoder_becomes_a_folder_too(tmp_path: Path) -> None:
    """An even image: the maps are even, and neurons differ by their bias alone."""
    torch.save(tiny_still(), tmp_path / "theirs.pth")
    import_twin(tmp_path / "theirs.pth", tmp_path / "twin", layout=Format.SENSORIUM2022)
    twin = load_twin(tmp_path / "twin")
    grey = torch.full((1, 1, 36, 64), 111.3)
    with torch.no_grad():
        one, two, three = twin(grey, torch.zeros(1, 1, 4))[0, 0].tolist()
    assert two - one == pytest.approx(1, abs=1e-5)
    assert three - two == pytest.approx(1, abs=1e-5)
    assert twin.spec.architecture == "still"


def test_no_code_in_a_checkpoint_is_executed(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    (tmp_path / "theirs.pth").write_bytes(pickle.dumps({"core": Harm()}, protocol=2))
    torch.save({"core": Harm()}, tmp_path / "zipped.pth")
    for name in ("theirs.pth", "zipped.pth"):
        with pytest.raises(ForeignWeightsError, match=f"{name}.*without executing it") as refused:
            published_state(tmp_path / name)
        # the advice of torch itself would execute the file
        assert "weights_only" not in str(refused.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "got"),
    [(b"", "a file that cannot be read"), (b"this is no checkpoint", "a file in text format")],
)
def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path, content: bytes, got: str) -> None:
    (tmp_path / "theirs.pth").write_bytes(content)
    with pytest.raises(ForeignWeightsError, match=rf"theirs\.pth.*{got}"):
        published_state(tmp_path / "theirs.pth")


@given(content=st.binary(max_size=60))
def test_any_other_bytes_are_refused_by_name(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.pth"
    file.write_bytes(content)
    with pytest.raises(ForeignWeightsError, match=r"any\.pth"):
        published_state(file)


def test_a_tensor_alone_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save(torch.zeros(3), tmp_path / "theirs.pth")
    with pytest.raises(ForeignWeightsError, match="they hold a Tensor"):
        published_state(tmp_path / "theirs.pth")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"theirs\.pth does not exist"):
        import_twin(tmp_path / "theirs.pth", tmp_path / "twin", layout=Format.DWISENEURO)
    assert not (tmp_path / "twin").exists()


def test_the_wrong_format_leaves_no_folder(tmp_path: Path) -> None:
    torch.save(tiny_still(), tmp_path / "theirs.pth")
    with pytest.raises(ForeignWeightsError, match="check --format"):
        import_twin(tmp_path / "theirs.pth", tmp_path / "twin", layout=Format.DWISENEURO)
    assert not (tmp_path / "twin").exists()
