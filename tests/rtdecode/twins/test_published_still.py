"""The imported still encoder equals torch's functions with the published parameters."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rtdecode.schema.errors import ForeignWeightsError
from rtdecode.twins.import_twin import published_state
from rtdecode.twins.published_weights import still_twin

CHANNELS, NEURONS, FIRST_PX, LATER_PX = 6, 9, 9, 7
STILL = torch.zeros(1, 1, 4)


def published(mouse: str = "20457-5-9-0") -> dict[str, Tensor]:
    """A small state dict in the layout of Lurz et al. 2020."""
    generator = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> Tensor:
        return 0.4 * torch.randn(*shape, generator=generator)

    state = {"core.features.layer0.conv.weight": normal(CHANNELS, 1, FIRST_PX, FIRST_PX)}
    for layer in range(3):
        name = f"core.features.layer{layer}"
        if layer:
            state[f"{name}.ds_conv.in_depth_conv.weight"] = normal(CHANNELS, CHANNELS, 1, 1)
            state[f"{name}.ds_conv.spatial_conv.weight"] = normal(CHANNELS, 1, LATER_PX, LATER_PX)
            state[f"{name}.ds_conv.out_depth_conv.weight"] = normal(CHANNELS, CHANNELS, 1, 1)
        state[f"{name}.norm.weight"], state[f"{name}.norm.bias"] = (
            normal(CHANNELS),
            normal(CHANNELS),
        )
        state[f"{name}.norm.running_mean"] = normal(CHANNELS)
        state[f"{name}.norm.running_var"] = normal(CHANNELS).square() + 0.5
        state[f"{name}.norm.num_batches_tracked"] = torch.tensor(7)
    readout = f"readout.{mouse}"
    state[f"{readout}._mu"] = normal(1, NEURONS, 1, 2)
    state[f"{readout}._features"] = normal(1, CHANNELS, 1, NEURONS)
    state[f"{readout}.bias"] = normal(NEURONS)
    return state


def written_out(state: dict[str, Tensor], images: Tensor, readout: str) -> Tensor:
    """(image, neuron) by the published names, from torch's functions alone."""
    maps = (images[:, None] - 111.3) / 60.9
    for layer in range(len([name for name in state if name.endswith("norm.weight")])):
        name = f"core.features.layer{layer}"
        if layer:
            deep = f"{name}.ds_conv"
            maps = functional.conv2d(maps, state[f"{deep}.in_depth_conv.weight"])
            kernel = state[f"{deep}.spatial_conv.weight"]
            maps = functional.conv2d(
                maps, kernel, padding=kernel.shape[-1] // 2, groups=len(kernel)
            )
            maps = functional.conv2d(maps, state[f"{deep}.out_depth_conv.weight"])
        else:
            maps = functional.conv2d(maps, state[f"{name}.conv.weight"])
        norm = ("running_mean", "running_var", "weight", "bias")
        maps = functional.batch_norm(maps, *(state[f"{name}.norm.{part}"] for part in norm))
        maps = functional.elu(maps)
    at = state[f"{readout}._mu"].clamp(-1, 1).expand(len(maps), -1, -1, -1)
    read = functional.grid_sample(maps, at, align_corners=True)[..., 0]
    drive = (read * state[f"{readout}._features"][0, :, 0]).sum(1) + state[f"{readout}.bias"]
    return functional.elu(drive) + 1


def some_images(count: int = 4) -> Tensor:
    return 255 * torch.rand(count, 36, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "theirs.pth"
    path.write_bytes(b"the bytes that the hash is of")
    return path


def test_it_predicts_what_the_published_layers_give(file: Path) -> None:
    state, images = published(), some_images()
    with torch.no_grad():
        predicted = still_twin(state, file).eval()(images[:, None], STILL.expand(4, -1, -1))[:, 0]
    expected = written_out(state, images, "readout.20457-5-9-0")
    torch.testing.assert_close(predicted, expected, rtol=1e-4, atol=1e-4)


def test_sizes_follow_from_the_shapes(file: Path) -> None:
    spec = still_twin(published(), file).spec
    assert spec.neurons == NEURONS
    assert spec.sizes == {
        "channels": CHANNELS,
        "layers": 3,
        "first_px": FIRST_PX,
        "later_px": LATER_PX,
    }


def test_one_of_several_mice_is_chosen_by_name(file: Path) -> None:
    other = {
        name: value + 1 for name, value in published("7").items() if name.startswith("readout")
    }
    both = published() | other
    with pytest.raises(ForeignWeightsError, match=r"mice 20457-5-9-0, 7: choose one.*--mouse"):
        still_twin(both, file)
    assert torch.equal(still_twin(both, file, mouse="7").bias, other["readout.7.bias"])


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("core.features.layer0.conv.weight", r"layer0\.conv\.weight"),
        ("core.features.layer2.norm.running_var", r"core\.2\.norm\.running_var"),
        ("readout.20457-5-9-0._mu", "no readout position"),
        ("readout.20457-5-9-0.bias", r"readout\.20457-5-9-0\.bias"),
    ],
)
def test_a_missing_parameter_is_named(file: Path, missing: str, message: str) -> None:
    state = published()
    del state[missing]
    with pytest.raises(ForeignWeightsError, match=rf"theirs\.pth.*{message}"):
        still_twin(state, file)


@pytest.mark.shared
def test_the_real_weights_predict_the_real_mouse(shared_folder: Path) -> None:
    """The authors' neurons, on images they were not fitted to: 0.30 on single trials."""
    folder = shared_folder / "data" / "mouse_stills"
    path = folder / "lurz2020_mouse20457_sota_model.pth"
    state = dict(published_state(path)[0])
    twin = still_twin(state, path).eval()
    with np.load(folder / "lurz2020_mouse20457_train_validation.npz") as packed:
        held_out = np.flatnonzero(packed["tiers"] == "validation")[:150]
        images = torch.from_numpy(packed["images"][held_out].astype(np.float32))
        recorded = packed["responses"][held_out].astype(np.float64)
    with torch.no_grad():
        predicted = torch.cat(
            [
                twin(part[:, None], STILL.expand(len(part), -1, -1))[:, 0]
                for part in images.split(25)
            ]
        ).double()
    readout = next(name for name in state if name.endswith("._mu")).removesuffix("._mu")
    expected = written_out(state, images[:2], readout)
    torch.testing.assert_close(predicted[:2].float(), expected, rtol=1e-3, atol=1e-3)
    active = recorded.std(0) > 0
    r = [np.corrcoef(predicted[:, n], recorded[:, n])[0, 1] for n in np.flatnonzero(active)]
    assert np.mean(r) > 0.25
