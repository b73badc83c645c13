"""The closed loop of the demo: each policy is made with its options, and armed at the start."""

from pathlib import Path

import pytest

from rtdecode.control.loading import made_policy
from rtdecode.control.policies import POLICIES
from rtdecode.demo.config import Purpose, demo_config
from rtdecode.demo.policies import ADAPTIVE, OPTIONS, OUTPUT, SHAM, with_policy
from rtdecode.pipeline.policy_setting import policy_setting
from rtdecode.pipeline.preflight import checked
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.control import Arm
from rtdecode.schema.config.stimulus import Display
from rtdecode.schema.errors import MissingOptionError, UnknownPolicyError


def looped(policy: str, session: Path | None = None) -> RunConfig:
    config = demo_config(seconds=12, display=Display.AUTO, clips=None, purpose=Purpose.CONTROL)
    return with_policy(config, policy, session=session)


def test_the_demo_has_options_for_each_policy() -> None:
    assert set(OPTIONS) == set(POLICIES)


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {SHAM}))
def test_each_policy_is_made_with_its_options_and_fires_an_output_that_exists(policy: str) -> None:
    config = looped(policy)
    assert config.control is not None
    assert config.control.arm is Arm.AT_START
    made_policy(config.control.policy, policy_setting(config))
    output = config.control.policy.options.get("output", OUTPUT)
    assert output in {one.name for one in config.control.outputs}


def checked_in(folder: Path, config: RunConfig) -> RunConfig:
    record = config.record.model_copy(update={"folder": folder, "min_free_mb": 0.0})
    return checked(config.model_copy(update={"record": record}))


def test_the_adaptive_policy_has_a_protocol_with_its_parameter(tmp_path: Path) -> None:
    config = checked_in(tmp_path, looped(ADAPTIVE))
    assert config.stimulus.protocol is not None
    text = config.stimulus.protocol.read_text(encoding="utf-8")
    assert f"{OPTIONS[ADAPTIVE]['parameter']}:" in text


def test_sham_needs_a_session() -> None:
    with pytest.raises(MissingOptionError, match=r"--session is needed for --policy sham"):
        looped(SHAM)
    config = looped(SHAM, Path("earlier"))
    assert config.control is not None
    assert config.control.policy.options == {"session": str(Path("earlier").resolve())}


def test_an_unknown_policy_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(UnknownPolicyError, match=r"guess.*hardest_next"):
        checked_in(tmp_path, looped("guess"))
