"""A config file is read once; every mistake is told at once, with its line."""

from pathlib import Path

import pytest

from rtdecode.runtime.config_file import read_config, write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import ConfigError, MissingFileError

EARLIER_SESSION = Path(__file__).resolve().parents[2] / "golden" / "session_wire1" / "config.yaml"


def written(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text)
    return path


def test_an_empty_file_is_a_run_of_defaults(tmp_path: Path) -> None:
    assert read_config(written(tmp_path, "# nothing\n")).decode == RunConfig().decode


def test_what_is_written_reads_back_the_same(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, "seconds: 3\ncalcium: {rois: here/masks.npz}\n"))
    write_config(config, tmp_path / "again.yaml")
    assert read_config(tmp_path / "again.yaml") == config


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, "calcium: {rois: ../masks.npz}\n"))
    assert config.calcium.rois == tmp_path / "../masks.npz"


def test_all_mistakes_come_at_once_with_their_lines(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "seconds: soon\n"
        "decode:\n"
        "  window_frames: 8\n"
        "  lag_frames: 9\n"
        "acquisition:\n"
        "  source:\n"
        "    kind: simulated\n"
        "    neurons: -5\n"
        "calcum: {}\n",
    )
    with pytest.raises(ConfigError) as refusal:
        read_config(path)
    text = str(refusal.value)
    assert "4 mistakes" in text
    assert "line 1: seconds" in text
    assert "'soon'" in text
    assert "line 2: decode: lag_frames=9 lies outside the window" in text
    assert "line 8: acquisition.source" in text
    assert "line 9: calcum: unknown key" in text
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize("text", ["a: [1", "- 1\n- 2\n", "just words"])
def test_what_is_no_map_of_sections_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"run\.yaml has 1 mistake"):
        read_config(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"nowhere\.yaml does not exist"):
        read_config(tmp_path / "nowhere.yaml")


def test_a_run_without_a_recorder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must include recorder"):
        read_config(written(tmp_path, "processes: [bridge]\n"))


def test_the_config_of_an_earlier_session_is_read_and_written_with_present_names(
    tmp_path: Path,
) -> None:
    text = EARLIER_SESSION.read_text(encoding="utf-8")
    assert "masks:" in text
    assert text.count("frame_rate_hz: 30.0") == 3
    config = read_config(EARLIER_SESSION)
    assert config.frame_rate_hz == 30
    write_config(config, tmp_path / "again.yaml")
    again = (tmp_path / "again.yaml").read_text(encoding="utf-8")
    assert "masks:" not in again
    assert again.count("frame_rate_hz: 30.0") == 1
    assert read_config(tmp_path / "again.yaml") == config
