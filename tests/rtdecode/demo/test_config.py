"""The demo is a run like any other: its config lies in the package with all its files."""

from pathlib import Path

import pytest

from rtdecode.demo.config import Purpose, demo_config
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.runtime.config_file import read_config, write_config
from rtdecode.schema.config.acquisition import SimulatedSource
from rtdecode.schema.config.stimulus import Display
from rtdecode.schema.errors import ClipError


def test_all_processes_take_part_and_every_file_is_there() -> None:
    config = demo_config(seconds=60, display=Display.AUTO, clips=None)
    assert config.processes is None
    assert isinstance(config.acquisition.source, SimulatedSource)
    assert config.decode is not None
    assert config.decode.twin is not None
    for file in (config.calcium.rois, config.calcium.calibration):
        assert file is not None
        assert file.is_file()
    assert (config.decode.twin / "twin.safetensors").is_file()
    assert scoring_mask(config).any()


def test_what_the_user_asks_for_is_in_the_config(tmp_path: Path) -> None:
    config = demo_config(seconds=12, display=Display.VIRTUAL, clips=tmp_path)
    assert config.seconds == 12
    assert config.stimulus.display is Display.VIRTUAL
    assert config.stimulus.clips == tmp_path


def test_clips_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "videos").mkdir()
    monkeypatch.chdir(tmp_path)
    config = demo_config(seconds=12, display=Display.AUTO, clips=Path("videos"))
    assert config.stimulus.clips == tmp_path / "videos"


def test_written_and_read_again_it_is_the_same_run(tmp_path: Path) -> None:
    config = demo_config(seconds=12, display=Display.AUTO, clips=tmp_path)
    write_config(config, tmp_path / "config.yaml")
    assert read_config(tmp_path / "config.yaml") == config


def test_clips_that_are_not_there_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="none cannot be shown: it does not exist; give videos"):
        demo_config(seconds=12, display=Display.AUTO, clips=tmp_path / "none")


def test_the_control_demo_differs_in_its_lag_alone() -> None:
    watched, controlled = (
        demo_config(seconds=12, display=Display.AUTO, clips=None, purpose=purpose)
        for purpose in Purpose
    )
    assert watched.decode is not None
    assert controlled.decode is not None
    assert controlled.decode.lag_frames < watched.decode.lag_frames
    as_watched = controlled.decode.model_copy(update={"lag_frames": watched.decode.lag_frames})
    assert controlled.model_copy(update={"decode": as_watched}) == watched
