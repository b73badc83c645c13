"""Sections are immutable, refuse unknown keys and check what belongs together."""

import pytest
from pydantic import ValidationError

from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.config.run import Role


def test_the_defaults_are_a_whole_run() -> None:
    assert RunConfig().processes == tuple(Role)


def test_unknown_keys_are_mistakes() -> None:
    with pytest.raises(ValidationError, match="extra"):
        RunConfig.model_validate({"calcum": {}})


def test_a_section_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RunConfig().seconds = 3.0  # type: ignore[misc]


def test_nothing_runs_without_a_recorder() -> None:
    with pytest.raises(ValidationError, match="must include recorder"):
        RunConfig(processes=(Role.BRIDGE,))


def test_a_missing_recorder_is_told_beside_other_mistakes() -> None:
    with pytest.raises(ValidationError) as found:
        RunConfig.model_validate({"processes": ["bridge"], "seconds": "soon"})
    assert {mistake["loc"] for mistake in found.value.errors()} == {("processes",), ("seconds",)}


@pytest.mark.parametrize("lag", [36, 40])
def test_the_lag_lies_inside_the_window(lag: int) -> None:
    with pytest.raises(ValidationError, match="below window_frames=36"):
        DecodeConfig(lag_frames=lag)
