"""A twin that is saved and loaded predicts the same; a damaged folder is refused by name."""

import json
from pathlib import Path

import pytest
import torch

from rtdecode.schema.errors import MissingFileError, UnreadableFileError
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.dwiseneuro.network import DwiseNeuro
from rtdecode.twins.folder import (
    DESCRIPTION,
    WEIGHTS,
    AnyTwin,
    load_twin,
    read_spec,
    save_twin,
    twin_hash,
)
from rtdecode.twins.linear import Linear
from rtdecode.twins.still import Still
from rtdecode.twins.twin import TwinSpec

SMALL = {"expansion": 2, "squeeze": 2, "space_px": 3, "taps": 3, "groups": 2, "hop_frames": 16}
TWINS: list[AnyTwin] = [
    Compact(TwinSpec("compact", 3, 8, 10, sizes={"hidden": 4, "features": 2})),
    Linear(TwinSpec("linear", 3, 6, 8, sizes={"taps": 2})),
    Still(TwinSpec("still", 3, 10, 12, sizes={"channels": 4, "layers": 2, "first_px": 5})),
    DwiseNeuro(TwinSpec("dwiseneuro", 3, 6, 8, sizes={**SMALL, "core_0": 2, "cortex_0": 4})),
]


def filled(twin: AnyTwin) -> AnyTwin:
    """Each parameter another than a new twin has it."""
    generator = torch.Generator().manual_seed(0)
    for parameter in twin.parameters():
        parameter.data.normal_(0, 0.3, generator=generator)
    return twin.eval()


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.spec.architecture)
def test_what_is_saved_predicts_the_same_when_it_is_read(twin: AnyTwin, tmp_path: Path) -> None:
    save_twin(filled(twin), tmp_path / "new" / "twin")
    loaded = load_twin(tmp_path / "new" / "twin")
    assert type(loaded) is type(twin)
    assert loaded.spec == twin.spec
    video = torch.rand(1, 6, twin.spec.rows_px, twin.spec.cols_px) * 255
    behaviour = torch.randn(1, 6, 4)
    torch.testing.assert_close(loaded(video, behaviour), twin(video, behaviour))


def test_the_temporal_stride_is_called_pace_in_the_file_as_in_folders_of_earlier_versions(
    tmp_path: Path,
) -> None:
    sizes = {"hidden": 4, "features": 2, "temporal_stride": 3}
    save_twin(Compact(TwinSpec("compact", 3, 8, 10, sizes=sizes)), tmp_path)
    on_disk = json.loads((tmp_path / DESCRIPTION).read_text())["sizes"]
    assert on_disk == {"hidden": 4, "features": 2, "pace": 3}
    loaded = load_twin(tmp_path)
    assert loaded.spec.sizes == sizes
    assert isinstance(loaded, Compact)
    assert loaded.temporal_stride == 3


def test_a_twin_that_is_read_is_frozen(tmp_path: Path) -> None:
    save_twin(TWINS[2].train(), tmp_path)
    loaded = load_twin(tmp_path)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_the_hash_depends_on_weights_and_description(tmp_path: Path) -> None:
    twin = Linear(TwinSpec("linear", 3, 6, 8, sizes={"taps": 2}))
    save_twin(twin, tmp_path / "one")
    save_twin(twin, tmp_path / "same")
    twin.bias.data[0] = 1e-3
    save_twin(twin, tmp_path / "other")
    description = tmp_path / "same" / DESCRIPTION
    first = twin_hash(tmp_path / "one")
    assert first == twin_hash(tmp_path / "same")
    assert len(first) == 64
    assert twin_hash(tmp_path / "other") != first
    description.write_text(description.read_text().replace("30.0", "29.9"))
    assert twin_hash(tmp_path / "same") != first


@pytest.mark.parametrize("name", [DESCRIPTION, WEIGHTS])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    save_twin(TWINS[1], tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(MissingFileError, match=f"{name} does not exist.*rtdecode fit twin"):
        load_twin(tmp_path)
    with pytest.raises(MissingFileError, match=name):
        twin_hash(tmp_path)


@pytest.mark.parametrize("text", ["{", "[1]", '{"neurons": 3}', '{"hue": 1}', "\udcff"])
def test_a_damaged_description_is_named(tmp_path: Path, text: str) -> None:
    save_twin(TWINS[1], tmp_path)
    (tmp_path / DESCRIPTION).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UnreadableFileError, match="twin description"):
        read_spec(tmp_path)


def described(folder: Path, **changed: object) -> None:
    plain = json.loads((folder / DESCRIPTION).read_text())
    (folder / DESCRIPTION).write_text(json.dumps({**plain, **changed}))


def test_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    save_twin(TWINS[1], tmp_path)
    described(tmp_path, architecture="transformer")
    with pytest.raises(UnreadableFileError, match=r"compact, linear, .* got 'transformer'"):
        load_twin(tmp_path)


@pytest.mark.parametrize("sizes", [{}, {"taps": -1}, {"taps": "two"}])
def test_sizes_that_make_no_twin_are_refused(tmp_path: Path, sizes: dict[str, object]) -> None:
    save_twin(TWINS[1], tmp_path)
    described(tmp_path, sizes=sizes)
    with pytest.raises(UnreadableFileError, match="twin description"):
        load_twin(tmp_path)


def test_weights_of_other_neurons_than_described_are_refused(tmp_path: Path) -> None:
    save_twin(TWINS[1], tmp_path)
    described(tmp_path, neurons=4)
    with pytest.raises(UnreadableFileError, match="a linear twin of 4 neurons"):
        load_twin(tmp_path)


def test_weights_that_were_cut_off_are_refused(tmp_path: Path) -> None:
    save_twin(TWINS[1], tmp_path)
    whole = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(whole[:-9])
    with pytest.raises(UnreadableFileError, match="twin weights"):
        load_twin(tmp_path)
