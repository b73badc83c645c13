from pathlib import Path

import numpy as np
import pytest

from rtdecode.datasets.sensorium import SensoriumFolder, SessionWriter
from rtdecode.datasets.video_session import Segment
from rtdecode.schema.errors import FolderNotEmptyError


def a_trial(frames: int) -> Segment:
    rng = np.random.default_rng(frames)
    return Segment(
        video=rng.integers(0, 256, (frames, 4, 6)).astype(np.float32),
        responses=rng.random((frames, 5)).astype(np.float32),
        behaviour=rng.random((frames, 4)).astype(np.float32),
    )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    trials = [a_trial(7), a_trial(9)]
    writer = SessionWriter(tmp_path / "new")
    for trial, tier in zip(trials, ["train", "oracle"], strict=True):
        writer.add(trial, tier=tier)
    folder = SensoriumFolder(tmp_path / "new")
    assert folder.trials("oracle") == (1,)
    for number, trial in enumerate(trials):
        found = folder.segment(number)
        np.testing.assert_array_equal(found.video, trial.video)
        np.testing.assert_array_equal(found.responses, trial.responses)
        np.testing.assert_array_equal(found.behaviour, trial.behaviour)


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FolderNotEmptyError, match="not empty"):
        SessionWriter(tmp_path)
