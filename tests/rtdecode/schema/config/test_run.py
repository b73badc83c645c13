"""Sections are immutable, refuse unknown keys, read earlier names and have one frame rate."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.config.roles import Role


def test_by_default_the_processes_follow_from_the_other_settings() -> None:
    assert RunConfig().processes is None


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="extra"):
        RunConfig.model_validate({"calcum": {}})


def test_a_section_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RunConfig().seconds = 3.0  # type: ignore[misc]


def test_nothing_runs_without_a_recorder() -> None:
    with pytest.raises(ValidationError, match="must include recorder"):
        RunConfig(processes=(Role.BRIDGE,))


def test_a_missing_recorder_is_reported_with_the_other_errors() -> None:
    with pytest.raises(ValidationError) as found:
        RunConfig.model_validate({"processes": ["bridge"], "seconds": "soon"})
    assert {mistake["loc"] for mistake in found.value.errors()} == {("processes",), ("seconds",)}


@pytest.mark.parametrize("lag", [36, 40])
def test_the_lag_lies_inside_the_window(lag: int) -> None:
    with pytest.raises(ValidationError, match="below window_frames=36"):
        DecodeConfig(lag_frames=lag)


EARLIER: dict[str, Any] = {
    "calcium": {"masks": "masks.npz", "min_masks_sd": 2.0},
    "decode": {"tau": 0.5, "free_frames": 20},
    "evaluate": {"mask": "mask.npy"},
}
PRESENT: dict[str, Any] = {
    "calcium": {"rois": "masks.npz", "min_rois_sd": 2.0},
    "decode": {"likelihood_weight": 0.5, "estimated_frames": 20},
    "evaluate": {"screen_mask": "mask.npy"},
}


def test_a_config_with_earlier_names_is_the_same_run() -> None:
    earlier, present = (RunConfig.model_validate(one) for one in (EARLIER, PRESENT))
    assert earlier == present
    assert earlier.calcium.rois == Path("masks.npz")
    assert earlier.decode is not None
    assert earlier.decode.likelihood_weight == 0.5


def test_the_present_names_are_written() -> None:
    written = RunConfig.model_validate(EARLIER).model_dump()
    for section, keys in EARLIER.items():
        assert not keys.keys() & written[section].keys()
        assert PRESENT[section].keys() <= written[section].keys()


@pytest.mark.parametrize("section", EARLIER)
def test_an_earlier_and_a_present_name_together_are_refused_by_name(section: str) -> None:
    earlier, present = next(iter(EARLIER[section])), next(iter(PRESENT[section]))
    both = EARLIER[section] | PRESENT[section]
    with pytest.raises(ValidationError, match=f"{earlier} is the earlier name of {present}"):
        RunConfig.model_validate({section: both})


def rates(**sections: float) -> dict[str, Any]:
    return {name: {"frame_rate_hz": rate} for name, rate in sections.items()}


@pytest.mark.parametrize(
    ("given", "rate_hz"),
    [
        ({}, 30.0),
        ({"frame_rate_hz": 25}, 25.0),
        (rates(emit=30), 30.0),
        (rates(emit=25, stimulus=25, calcium=25), 25.0),
        (rates(calcium=25) | {"frame_rate_hz": 25}, 25.0),
    ],
)
def test_frame_rates_of_single_sections_are_read_where_they_agree(
    given: dict[str, Any], rate_hz: float
) -> None:
    config = RunConfig.model_validate(given)
    assert config.frame_rate_hz == rate_hz
    assert "frame_rate_hz" not in config.emit.model_dump()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (rates(emit=25), "emit.frame_rate_hz differs from the frame rate of the run, 30"),
        (rates(calcium=25, emit=25), "emit.frame_rate_hz and calcium.frame_rate_hz"),
        (rates(stimulus=30) | {"frame_rate_hz": 25}, "remove stimulus.frame_rate_hz"),
    ],
)
def test_frame_rates_that_differ_are_refused_by_name(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        RunConfig.model_validate(given)
