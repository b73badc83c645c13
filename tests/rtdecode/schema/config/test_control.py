"""A policy is named in one of two ways; without the section there is no controller."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.control import Arm, ControlConfig, PolicyConfig


def test_by_default_there_is_no_controller_and_nothing_is_armed() -> None:
    assert RunConfig().control is None
    assert ControlConfig(policy=PolicyConfig(name="open_loop")).arm is Arm.BY_HAND


def test_a_name_alone_is_short_for_a_policy_without_options() -> None:
    short = ControlConfig.model_validate({"policy": "threshold"})
    assert short == ControlConfig.model_validate({"policy": {"name": "threshold"}})
    assert ControlConfig.model_validate(short.model_dump()) == short


def test_the_file_of_a_policy_is_relative_to_the_config(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(
        "control:\n  policy:\n    file: mine.py\n    class: Mine\n    options: {above: 3}\n"
    )
    control = read_config(config).control
    assert control is not None
    assert control.policy.file == tmp_path / "mine.py"
    assert (control.policy.class_name, control.policy.options) == ("Mine", {"above": 3})


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({}, "give the name of a policy"),
        ({"name": "threshold", "file": "a.py", "class": "A"}, "and not both"),
        ({"file": "a.py"}, "file and class belong together"),
        ({"name": "threshold", "class": "A"}, "file and class belong together"),
    ],
)
def test_half_a_policy_and_two_policies_are_refused(policy: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ControlConfig.model_validate({"policy": policy})
