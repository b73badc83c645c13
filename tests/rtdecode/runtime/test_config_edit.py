"""One setting of a config file changes, and comments, order and all other settings stay."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.runtime.config_edit import set_in_section
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.errors import ConfigError, MissingFileError

BLOCK = """# the rig of room 3
seconds: 60          # a minute
stimulus:
  # measured on Monday
  light_delay_ms: 3  # with the old monitor
  window_px: [640, 360]
view: {port: 0}
"""


def written(path: Path, text: str, value: float = 8.25) -> str:
    path.write_text(text)
    set_in_section(path, section="stimulus", key="light_delay_ms", value=value)
    return path.read_text()


def test_a_value_is_replaced_and_its_comment_stays(tmp_path: Path) -> None:
    found = written(tmp_path / "config.yaml", BLOCK)
    assert found == BLOCK.replace("light_delay_ms: 3 ", "light_delay_ms: 8.25 ")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "stimulus:\n  light_delay_ms: 8.25\n"),
        ("# nothing yet\n", "# nothing yet\nstimulus:\n  light_delay_ms: 8.25\n"),
        ("seconds: 60", "seconds: 60\nstimulus:\n  light_delay_ms: 8.25\n"),
        (
            "stimulus:  # later\nseconds: 9\n",
            "stimulus:\n  light_delay_ms: 8.25  # later\nseconds: 9\n",
        ),
        ("stimulus: {}\n", "stimulus: {light_delay_ms: 8.25}\n"),
        ("stimulus: {seed: 1}  # x\n", "stimulus: {light_delay_ms: 8.25, seed: 1}  # x\n"),
        ("{seconds: 60}", "{stimulus: {light_delay_ms: 8.25}, seconds: 60}"),
        (
            "stimulus:\n    # x\n    seed: 1  # kept\n    screen: 0\n",
            "stimulus:\n    # x\n    light_delay_ms: 8.25\n    seed: 1  # kept\n    screen: 0\n",
        ),
    ],
)
def test_a_value_that_is_not_there_is_added(tmp_path: Path, before: str, after: str) -> None:
    if before == "stimulus:  # later\nseconds: 9\n":
        # an empty section is null, which no config may have
        with pytest.raises(ConfigError):
            written(tmp_path / "config.yaml", before)
        return
    assert written(tmp_path / "config.yaml", before) == after


@given(value=st.floats(0, 500).map(lambda delay: round(delay, 2)), seed=st.integers(-9, 9))
def test_the_config_has_the_new_value_and_no_other_difference(
    tmp_path_factory: pytest.TempPathFactory, value: float, seed: int
) -> None:
    path = tmp_path_factory.mktemp("edit") / "config.yaml"
    written(path, f"# rig\nstimulus:\n  seed: {seed}\n", value)
    config = read_config(path)
    assert config.stimulus.light_delay_ms == pytest.approx(value, rel=1e-5, abs=0.006)
    assert config.stimulus.seed == seed
    assert path.read_text().startswith("# rig\n")


def test_a_file_that_is_no_config_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    with pytest.raises(ConfigError):
        written(path, "stimulus: {light_delay: 3}\n")
    assert path.read_text() == "stimulus: {light_delay: 3}\n"
    with pytest.raises(MissingFileError):
        set_in_section(tmp_path / "none.yaml", section="stimulus", key="light_delay_ms", value=1.0)
