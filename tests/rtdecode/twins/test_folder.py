"""A twin that is saved and loaded predicts the same; a damaged folder is refused by name."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from rtdecode.schema.errors import (
    MissingFileError,
    NotFiniteWeightsError,
    UnreadableFileError,
)
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.dwiseneuro.network import DwiseNeuro
from rtdecode.twins.folder import AnyTwin, load_twin, read_spec, save_twin
from rtdecode.twins.linear import Linear
from rtdecode.twins.record import DESCRIPTION, WEIGHTS, twin_hash
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


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("tensor", ["position", "weights"])
def test_weights_that_are_not_finite_are_refused_with_their_tensor(
    tmp_path: Path, tensor: str, value: float
) -> None:
    twin = filled(Compact(TwinSpec("compact", 3, 8, 10, sizes={"hidden": 4, "features": 2})))
    getattr(twin, tensor).data[0, 1] = value
    save_twin(twin, tmp_path)
    with pytest.raises(NotFiniteWeightsError, match=rf"1 of \d+ values of tensor '{tensor}'") as e:
        load_twin(tmp_path)
    assert str(tmp_path / WEIGHTS) in str(e.value)
    assert e.value.exit_code == 2


def test_whoever_may_read_the_description_may_read_the_weights(tmp_path: Path) -> None:
    save_twin(filled(Compact(TwinSpec("compact", 3, 8, 10, sizes={"hidden": 4}))), tmp_path)
    modes = {file.stat().st_mode for file in tmp_path.iterdir()}
    assert len(modes) == 1


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"neurons": 0}, "neurons 0, which is not between 1 and"),
        ({"neurons": 10**12}, "neurons 1000000000000"),
        ({"neurons": "many"}, "neurons: Input should be a valid integer"),
        ({"rows_px": 0}, "rows_px 0"),
        ({"sizes": {"taps": 0}}, "sizes.taps 0"),
        ({"sizes": {"hidden": 3}}, "sizes.hidden 3, which is not even"),
        ({"sizes": [2]}, "has no attribute 'items'"),
        ({"frame_rate_hz": 0}, "frame_rate_hz 0"),
        ({"luminance_sd": float("nan")}, "luminance_sd nan"),
        ({"behaviour_mean": [0.0, float("inf"), 0.0, 0.0]}, "NaN or infinity"),
        ({"behaviour_sd": [1.0]}, "of different lengths"),
        ({"training_clips": [1]}, "training_clips.0: Input should be a valid string"),
    ],
)
def test_values_that_no_twin_has_are_refused_by_name(
    tmp_path: Path, changed: dict[str, object], named: str
) -> None:
    save_twin(TWINS[1], tmp_path)
    described(tmp_path, **changed)
    with pytest.raises(UnreadableFileError, match=named):
        read_spec(tmp_path)


def test_a_screen_too_small_for_the_feature_maps_is_refused(tmp_path: Path) -> None:
    save_twin(TWINS[0], tmp_path)
    described(tmp_path, rows_px=2)
    with pytest.raises(UnreadableFileError, match="got 2 x 10 px"):
        load_twin(tmp_path)


def test_weights_of_another_layout_are_refused_with_the_tensor(tmp_path: Path) -> None:
    save_twin(TWINS[1], tmp_path)
    state = load_file(tmp_path / WEIGHTS)
    for changed, named in (
        ({"bias": torch.zeros(4)}, r"bias of shape \(4,\) instead of \(3,\)"),
        ({"bias": torch.zeros(3, dtype=torch.int32)}, "bias of torch.int32"),
        ({"other": torch.zeros(1)}, "an unknown tensor other"),
    ):
        save_file({**state, **changed}, tmp_path / WEIGHTS)
        with pytest.raises(UnreadableFileError, match=named):
            load_twin(tmp_path)
    save_file({name: state[name] for name in ("bias", "spatial")}, tmp_path / WEIGHTS)
    with pytest.raises(UnreadableFileError, match="no tensor temporal"):
        load_twin(tmp_path)


@pytest.fixture(scope="module")
def undamaged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a compact twin."""
    folder = tmp_path_factory.mktemp("twin")
    save_twin(filled(TWINS[0]), folder)
    return {name: (folder / name).read_bytes() for name in (DESCRIPTION, WEIGHTS)}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@settings(max_examples=60)
@given(data=st.data(), name=st.sampled_from([DESCRIPTION, WEIGHTS]))
def test_a_damaged_folder_is_a_twin_or_a_named_error(
    undamaged: dict[str, bytes], scratch: Path, data: st.DataObject, name: str
) -> None:
    raw = bytearray(undamaged[name])
    for _ in range(data.draw(st.integers(0, 3))):
        # Flips in the header of a safetensors file, the first bytes, are the interesting ones.
        place = data.draw(st.integers(0, min(len(raw), 1500) - 1) | st.integers(0, len(raw) - 1))
        raw[place] ^= 1 << data.draw(st.integers(0, 7))
    kept = data.draw(st.just(len(raw)) | st.integers(0, len(raw)))
    content = data.draw(st.just(bytes(raw[:kept])) | st.binary(max_size=100))
    for each, whole in undamaged.items():
        (scratch / each).write_bytes(content if each == name else whole)
    with contextlib.suppress(UnreadableFileError, NotFiniteWeightsError):
        twin = load_twin(scratch)
        assert all(torch.isfinite(value).all() for value in twin.state_dict().values())


def test_a_compact_twin_is_read_without_the_compiler_of_torch(tmp_path: Path) -> None:
    save_twin(Compact(TwinSpec("compact", 3, 12, 16)), tmp_path)
    script = (
        "import sys\nfrom pathlib import Path\nfrom rtdecode.twins.folder import load_twin\n"
        f"load_twin(Path({str(tmp_path)!r}))\n"
        "print({'torch._dynamo', 'sympy'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert told.stdout == "set()\n", told.stderr
