"""Each error says what was got, what was expected, and what to do, and knows its exit code."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from rtdecode.schema import errors
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
