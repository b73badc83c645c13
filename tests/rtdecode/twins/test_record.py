"""What a session keeps of its twin agrees with its folder, and lacks what that lacks."""

import json
from pathlib import Path

import pytest

from rtdecode.pipeline.session_begin import twin_facts
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import MissingFileError
from rtdecode.twins.folder import save_twin
from rtdecode.twins.linear import Linear
from rtdecode.twins.record import TRAINING_REPORT, TwinRecord, twin_hash, twin_record
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
