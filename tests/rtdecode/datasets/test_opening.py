"""A path on the command line is read as what it is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtdecode.datasets.opening import holds_stills, open_clips, open_video_session
from rtdecode.datasets.own_session import OwnSession
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.stills import StillClips
from rtdecode.schema.errors import MissingFileError, UnreadableFileError


def test_a_folder_with_a_log_is_an_rtdecode_session(recorded: Any) -> None:
    assert isinstance(open_video_session(recorded.folder), OwnSession)
    assert isinstance(open_video_session(recorded.folder / "log.mcap"), OwnSession)
    assert isinstance(open_clips(recorded.folder), OwnSession)


def test_a_sensorium_folder_is_one(blob_session: SensoriumFolder) -> None:
    assert isinstance(open_video_session(blob_session.folder), SensoriumFolder)
    assert isinstance(open_clips(blob_session.folder), SensoriumFolder)


def test_a_nwb_file_is_known_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "MOUSE.NWB").touch()
    with pytest.raises(UnreadableFileError, match="NWB"):
        open_clips(tmp_path / "MOUSE.NWB")


def test_the_calibration_beside_a_log_is_no_session_of_stills(recorded: Any) -> None:
    np.savez(recorded.folder / "calibration.npz", noise=np.zeros(3))
    assert not holds_stills(recorded.folder)


def test_images_are_opened_as_clips(tmp_path: Path) -> None:
    trials = 4
    arrays = {
        "images": np.zeros((trials, 6, 8), np.float32),
        "responses": np.ones((trials, 3), np.float32),
        "behavior": np.zeros((trials, 3), np.float32),
        "pupil_center": np.zeros((trials, 2), np.float32),
        "tiers": np.array(["train", "train", "validation", "validation"]),
    }
    np.savez(tmp_path / "stills.npz", **arrays)
    assert holds_stills(tmp_path / "stills.npz")
    assert isinstance(open_clips(tmp_path / "stills.npz"), StillClips)


def test_an_unknown_layout_is_refused_with_both_remedies(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"Sensorium 2023 layout.*or.*log\.mcap"):
        open_video_session(tmp_path)
