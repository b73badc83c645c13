"""A policy that cannot be used is refused in one sentence that says what to do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtdecode.control.loading import made_policy, policy_hash, policy_name
from rtdecode.control.policy import Observation, PolicySetting, Request
from rtdecode.schema.config.control import PolicyConfig
from rtdecode.schema.errors import BadInputError

SETTING = PolicySetting(
    frame_rate_hz=30.0,
    clips=("owl",),
    screen_mask=np.ones((2, 2), np.bool_),
    seed=3,
    clip_frames=lambda _name: np.zeros((1, 2, 2), np.uint8),
    earlier_actions_s=lambda _folder: [],
)
HEAD = """
from dataclasses import dataclass
from rtdecode.control.policy import Request

@dataclass
class Kept:
    n: int = 0

class Mine:
    def __init__(self, setting, *, above=150.0, clip="owl"):
        self.clips, self.above, self.kept = setting.clips, above, Kept()

    def decide(self, observation):
        return [Request.show_clip(self.clips[0], reason=f"above {self.above}")]

class Mute:
    def __init__(self, setting):
        pass

class Picky:
    def __init__(self, setting):
        raise RuntimeError("no clip suits")

    def decide(self, observation):
        return []

class Bare:
    def decide(self, observation):
        return []

class Leaving:
    def __init__(self, setting):
        raise SystemExit("no licence")

    def decide(self, observation):
        return []

A_NUMBER = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(HEAD)
    return path


def config(file: Path, class_name: str = "Mine", **options: Any) -> PolicyConfig:
    return PolicyConfig(file=file, class_name=class_name, options=options)


def test_a_class_of_the_users_file_decides_with_its_options(file: Path) -> None:
    policy = made_policy(config(file, above=7), SETTING)
    (request,) = policy.decide(Observation(0))
    assert isinstance(request, Request)
    assert (request.target, request.reason) == ("owl", "above 7")
    assert policy_name(config(file)) == "Mine"


def test_another_content_has_another_hash_and_a_policy_by_name_has_none(file: Path) -> None:
    before = policy_hash(config(file))
    file.write_text(HEAD + "\n# changed\n")
    assert len(before) == 16
    assert policy_hash(config(file)) != before
    assert policy_hash(PolicyConfig(name="open_loop")) == ""


@pytest.mark.parametrize(
    ("class_name", "options", "said"),
    [
        ("Nobody", {}, "it has no class Nobody: give the name of the class"),
        ("A_NUMBER", {}, "it has another object named A_NUMBER"),
        ("Mute", {}, "Mute has no method decide: a policy needs"),
        ("Picky", {}, r"RuntimeError: no clip suits\): it takes no options"),
        ("Bare", {}, r"too many positional arguments\): it takes no options"),
        ("Leaving", {}, r"SystemExit: no licence\): it takes no options"),
        ("Mine", {"abvoe": 3}, "'abvoe'.*it takes above=150.0, clip='owl'"),
    ],
)
def test_what_is_no_policy_is_named(
    file: Path, class_name: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInputError, match=said) as refusal:
        made_policy(config(file, class_name, **options), SETTING)
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing_of_this_name", r"raised ModuleNotFoundError: .* \(line 1\)"),
        ("x = 1\nraise KeyError('a')", r"raised KeyError: 'a' \(line 2\): correct the file"),
        ("class Mine(:", "SyntaxError: invalid syntax .*mine.py, line 1"),
        ("raise SystemExit", "raised SystemExit"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(
    file: Path, text: str, said: str
) -> None:
    file.write_text(text)
    with pytest.raises(BadInputError, match=said):
        made_policy(config(file), SETTING)


def test_a_missing_file_and_an_unknown_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="there is no such file: give the Python file"):
        made_policy(config(tmp_path / "gone.py"), SETTING)
    with pytest.raises(BadInputError, match="there is no policy 'thresold': give one of"):
        made_policy(PolicyConfig(name="thresold"), SETTING)
    (tmp_path / "mine.txt").write_text(HEAD)
    with pytest.raises(BadInputError, match=r"does not end in \.py"):
        made_policy(config(tmp_path / "mine.txt"), SETTING)
