"""Monitor and patch are read from a config, also from earlier ones."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from rtdecode.schema.config.monitor import Corner, MonitorConfig, PatchCode, PatchConfig, Warp
from rtdecode.schema.config.stimulus import StimulusConfig

GEOMETRY = {"distance_cm": 20.0, "width_cm": 50.0}


@pytest.mark.parametrize("size", [0, 25])
def test_the_patch_of_an_earlier_config_keeps_its_size_and_alternates(size: int) -> None:
    config = StimulusConfig.model_validate({"sync_patch_px": size})
    assert config.patch == PatchConfig(size_px=size, code=PatchCode.ALTERNATE)


def test_both_names_of_the_patch_are_refused() -> None:
    both = {"sync_patch_px": 3, "patch": {"size_px": 4}}
    with pytest.raises(ValidationError, match="both are given: remove sync_patch_px"):
        StimulusConfig.model_validate(both)


def test_a_patch_is_where_the_config_states() -> None:
    patch = PatchConfig.model_validate({"corner": "upper_left", "code": "alternate"})
    assert (patch.corner, patch.code) == (Corner.UPPER_LEFT, PatchCode.ALTERNATE)
    with pytest.raises(ValidationError, match="'upper_left', 'upper_right'"):
        PatchConfig.model_validate({"corner": "middle"})


def test_gamma_is_an_exponent_or_a_file() -> None:
    assert MonitorConfig.model_validate(GEOMETRY | {"gamma": 2.2}).gamma == 2.2
    assert MonitorConfig.model_validate(GEOMETRY | {"gamma": "lut.csv"}).gamma == Path("lut.csv")


@pytest.mark.parametrize("wrong", [{"gamma": -1.0}, {"warp": "fisheye"}, {"distance_cm": 0}])
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        MonitorConfig.model_validate(GEOMETRY | wrong)
    assert MonitorConfig.model_validate(GEOMETRY).warp is Warp.NONE
