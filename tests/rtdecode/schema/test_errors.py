"""Each error states what was got, what was expected, and what to do, and has its exit code."""

import inspect
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from pydantic import BaseModel
from typer.main import get_command

from rtdecode.cli import UnloadedVerb, app
from rtdecode.schema import errors
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import (
    BadInputError,
    ConfigError,
    DataLostError,
    NeuronCountError,
    ProcessFailedError,
    RtdecodeError,
    ShapeError,
)

CLASSES = [
    error
    for _, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, RtdecodeError)
]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_is_documented_and_has_an_exit_code(error: type[RtdecodeError]) -> None:
    assert error.__doc__
    assert error.exit_code in (1, 2, 3)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_of_a_worker_process_arrives_with_its_sentence(
    kind: type[RtdecodeError],
) -> None:
    error = kind.__new__(kind)
    error.args = ("what was got",)
    error.__dict__["figure"] = 3
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is kind
    assert (str(arrived), arrived.figure) == ("what was got", 3)


def test_a_count_that_does_not_match_names_both_and_the_way_out() -> None:
    text = str(NeuronCountError(streamed=90, trained=100, twin="mouse"))
    assert "90" in text
    assert "100" in text
    assert "calcium.rois" in text


def test_mistakes_of_a_config_are_listed_one_a_line() -> None:
    text = str(ConfigError(path=Path("run.yaml"), mistakes=["line 1: a", "line 2: b"]))
    assert text.splitlines() == ["run.yaml has 2 mistakes:", "  line 1: a", "  line 2: b"]


def test_a_shape_is_told_as_it_is() -> None:
    error = ShapeError("mask", expected="the shape of the scan", got=np.zeros((2, 3)))
    assert "got shape (2, 3)" in str(error)


@pytest.mark.parametrize(("code", "passed_on"), [(2, 2), (3, 3), (-9, 1), (1, 1)])
def test_the_run_ends_with_the_code_of_the_process_that_failed(code: int, passed_on: int) -> None:
    assert ProcessFailedError(name="decoder", code=code, tail="").exit_code == passed_on


def test_lost_data_and_bad_input_have_their_own_codes() -> None:
    assert DataLostError(lost=1, permitted=0, where="bridge/scan").exit_code == 3
    assert BadInputError.exit_code == 2


SENTENCES = "".join(path.read_text() for path in Path(errors.__file__).parent.glob("*.py"))
CONFIG_KEY = r"(?<![\w./`])((?:%s)(?:\.[a-z_0-9]+)+)"


def config_keys(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Dotted names of all settings of a config, those of every kind of source included."""
    for name, field in section.model_fields.items():
        yield prefix + name
        for part in _models_in(field.annotation):
            yield from config_keys(part, f"{prefix}{name}.")


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def options(command: object) -> Iterator[str]:
    """Names of the options of a command and of all commands below it."""
    for parameter in getattr(command, "params", ()):
        yield from parameter.opts
    for below in getattr(command, "commands", {}).values():
        yield from options(below.loaded() if isinstance(below, UnloadedVerb) else below)


def test_the_settings_that_sentences_advise_exist() -> None:
    advised = re.findall(CONFIG_KEY % "|".join(RunConfig.model_fields), SENTENCES)
    assert len(set(advised)) > 10
    assert set(advised) - set(config_keys(RunConfig)) == set()


def test_the_options_that_sentences_advise_exist() -> None:
    advised = set(re.findall(r"--[a-z][a-z-]+", SENTENCES))
    assert len(advised) > 5
    assert advised - set(options(get_command(app))) == set()
