"""What a session keeps of its twin agrees with its folder, and lacks what that lacks."""

import json
from pathlib import Path

import pytest

from rtdecode.pipeline.session_begin import twin_facts
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.decode import RoisCheck
from rtdecode.schema.errors import MissingFileError, TwinRoisError
from rtdecode.twins.folder import save_twin
from rtdecode.twins.linear import Linear
from rtdecode.twins.record import (
    LOADED,
    TRAINING_REPORT,
    TwinRecord,
    TwinSizes,
    require_rois,
    sizes_if_loaded,
    state_loaded,
    twin_hash,
    twin_record,
)
from rtdecode.twins.twin import TwinSpec

CLIPS = {"a": "1f", "b": "2e"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    provenance = {"session": "s7", "trained": "Poisson loss, 10 steps, seed 1"}
    spec = TwinSpec("linear", 3, 6, 8, sizes={"taps": 2}, provenance=provenance)
    save_twin(Linear(spec), tmp_path / "mouse")
    return tmp_path / "mouse"


def test_name_hash_training_and_score_are_those_of_the_folder(folder: Path) -> None:
    (folder / TRAINING_REPORT).write_text(json.dumps({"single_trial_r": {"mean": 0.25}}))
    record = twin_record(folder)
    assert (record.name, record.hash) == ("mouse", twin_hash(folder))
    assert (record.architecture, record.neurons) == ("linear", 3)
    assert (record.trained_on, record.training_r) == ("s7", 0.25)
    assert TwinRecord.from_json(record.as_json()) == record


def test_the_record_of_several_twins_names_them_all(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "second"
    save_twin(Linear(TwinSpec("linear", 3, 6, 8, sizes={"taps": 3})), other)
    (folder / TRAINING_REPORT).write_text(json.dumps({"single_trial_r": {"mean": 0.25}}))
    record = twin_record(folder, other)
    assert record.name == "mouse, second"
    assert record.folder == f"{folder}, {other}"
    assert (record.architecture, record.neurons, record.trained_on) == ("linear", 3, "s7")
    assert record.training_r is None
    (other / TRAINING_REPORT).write_text(json.dumps({"single_trial_r": {"mean": 0.35}}))
    assert twin_record(folder, other).training_r == pytest.approx(0.3)
    assert record.hash == twin_hash(folder, other) != twin_hash(other, folder)
    assert twin_hash(folder) not in {twin_hash(folder, other), twin_hash(other)}
    both = RunConfig.model_validate({"decode": {"twins": [str(folder), str(other)]}})
    assert (twin_facts(both) or {})["name"] == "mouse, second"


@pytest.mark.parametrize(
    "content",
    [None, "", "[]", '{"single_trial_r": 3}', '{"single_trial_r": {"mean": NaN}}'],
)
def test_a_twin_without_a_usable_record_of_its_training_has_no_score(
    folder: Path, content: str | None
) -> None:
    if content is not None:
        (folder / TRAINING_REPORT).write_text(content)
    assert twin_record(folder).training_r is None


def test_no_twin_is_none_and_a_folder_without_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="twin file"):
        twin_record(tmp_path)
    assert twin_facts(RunConfig.model_validate({"decode": None})) is None
    absent = {"decode": {"twin": str(tmp_path / "absent")}}
    assert twin_facts(RunConfig.model_validate(absent)) is None


def test_sizes_of_a_twin_are_known_without_loading_it_until_one_of_its_files_changes(
    folder: Path,
) -> None:
    for name in ("prior", "noise", "posterior"):
        (folder / f"{name}.safetensors").write_bytes(name.encode())
    assert sizes_if_loaded(folder) is None
    state_loaded(folder)
    assert sizes_if_loaded(folder) == TwinSizes(3, 6, 8, 30.0)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert sizes_if_loaded(folder) is None, path
        path.unlink()
        assert sizes_if_loaded(folder) is None, path
        path.write_bytes(content)
    assert sizes_if_loaded(folder) is not None


@pytest.mark.parametrize("content", ["", "[]", '{"sha256": 3}', '{"sha256": {}}'])
def test_a_record_that_is_damaged_states_nothing(folder: Path, content: str) -> None:
    (folder / LOADED).write_text(content)
    assert sizes_if_loaded(folder) is None


@pytest.mark.parametrize(
    ("trained", "streamed", "by"),
    [("", "b", RoisCheck.CONTENT), ("a", "", RoisCheck.CONTENT), ("a", "b", RoisCheck.COUNT)],
)
def test_rois_are_compared_where_both_are_known(trained: str, streamed: str, by: RoisCheck) -> None:
    require_rois(trained, streamed, by=by, twin="mouse")
    with pytest.raises(TwinRoisError, match="mouse"):
        require_rois("a", "b", by=RoisCheck.CONTENT, twin="mouse")
