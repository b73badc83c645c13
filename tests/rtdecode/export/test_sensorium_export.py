"""A session as a Sensorium folder: what is in it, and that it is read back as the session."""

import json
from pathlib import Path

import numpy as np
import pytest
from seen_run import NEURONS, STATED, SeenRun, blobs, write_seen_run

from rtdecode.datasets.own_session import OwnSession
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.video_session import Causality
from rtdecode.export.sensorium import write_sensorium
from rtdecode.offline.ridge import fit_ridge
from rtdecode.schema.errors import (
    FolderNotEmptyError,
    StreamMissingError,
    TooFewClipsError,
    UnreadableFileError,
)
from rtdecode.session.recorded import RecordedSession

TIERS = ("train", "oracle", "test")


def whole_run(folder: Path, **sections: object) -> Path:
    """A session in which all neurons are measured in all frames."""
    run = SeenRun(folder, **sections)
    for number in range(6):
        run.clip(f"clip{number}", blobs(number))
    return run.end().folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_run(tmp_path_factory.mktemp("whole") / "session", session=STATED)


@pytest.fixture(scope="module")
def folder(whole: Path) -> Path:
    out = whole.parent / "sensorium"
    assert write_sensorium(RecordedSession(whole), out) == []
    return out


def test_trials_are_those_of_the_session(whole: Path, folder: Path) -> None:
    session, read = OwnSession(whole), SensoriumFolder(folder)
    assert (read.frame_rate_hz, read.causality) == (30.0, Causality.CAUSAL)
    assert (read.neurons, read.rois_hash) == (NEURONS, session.rois_hash)
    for tier in TIERS:
        assert read.trials(tier) == session.trials(tier)
        for number in session.trials(tier):
            one, other = session.segment(number), read.segment(number)
            np.testing.assert_array_equal(other.video, one.video)
            np.testing.assert_array_equal(other.responses, one.responses)
            np.testing.assert_array_equal(other.behaviour, one.behaviour)


def test_a_linear_decoder_is_fitted_to_it(whole: Path, folder: Path) -> None:
    mine, theirs = (
        fit_ridge(data, lag_frames=4) for data in (OwnSession(whole), SensoriumFolder(folder))
    )
    np.testing.assert_array_equal(mine.weights, theirs.weights)


def test_statistics_are_those_of_the_training_trials(folder: Path) -> None:
    read = SensoriumFolder(folder)
    trials = [read.segment(number) for number in read.trials("train")]
    kept = folder / "meta" / "statistics"
    video = np.concatenate([trial.video for trial in trials])
    responses = np.concatenate([trial.responses for trial in trials])
    for name, measure in (
        ("mean", np.mean),
        ("std", np.std),
        ("median", np.median),
        ("min", np.min),
        ("max", np.max),
    ):
        found = np.load(kept / "videos" / "all" / f"{name}.npy")
        np.testing.assert_allclose(found, measure(video.astype(float)), rtol=1e-6)
        found = np.load(kept / "responses" / "all" / f"{name}.npy")
        np.testing.assert_allclose(found, measure(responses.astype(float), axis=0), rtol=1e-5)
    assert np.load(kept / "behavior" / "all" / "std.npy").shape == (2,)


def test_positions_follow_from_rois_and_scale(folder: Path) -> None:
    positions = np.load(folder / "meta" / "neurons" / "cell_motor_coordinates.npy")
    # pixels k and k + 1 of the first row with weights 1 and 3, 0.8 µm wide, 180 µm deep
    expected = [[0.8 * (k + 0.75), 0, 180] for k in range(NEURONS)]
    np.testing.assert_allclose(positions, expected, atol=1e-6)
    assert np.load(folder / "meta" / "neurons" / "unit_ids.npy").tolist() == list(range(NEURONS))


def test_repeated_clips_have_one_number(tmp_path: Path) -> None:
    run = SeenRun(tmp_path / "session")
    for number in (0, 1, 2, 0):
        run.clip(f"clip{number}", blobs(number))
    write_sensorium(RecordedSession(run.end().folder), tmp_path / "out")
    assert np.load(tmp_path / "out" / "meta" / "trials" / "video_ids.npy").tolist() == [0, 1, 2, 0]


def test_what_was_not_measured_is_left_out_and_stated(tmp_path: Path) -> None:
    run = SeenRun(tmp_path / "session")
    for number in range(6):
        valid = np.ones((150, NEURONS), bool)
        valid[:, 5] = False
        valid[10 * number, 2] = False
        run.clip(f"clip{number}", blobs(number, frames=150), valid=valid)
    valid = np.zeros((150, NEURONS), bool)
    valid[[0, 50, -1]] = True
    valid[:, 5] = False
    run.clip("clip0", blobs(0, frames=150), valid=valid)
    session, out = run.end().folder, tmp_path / "out"
    lacks = write_sensorium(RecordedSession(session), out)
    text = " ".join(lacks)
    assert "1 of 12 neurons were not measured in any trial" in text
    assert "1 of 7 trials are left out" in text
    assert "156 frames are left out" in text
    assert "session.imaging.pixel_um" in text
    assert json.loads((out / "meta" / "rtdecode.json").read_text())["lacks"] == lacks
    units = np.load(out / "meta" / "neurons" / "unit_ids.npy")
    read, whole = SensoriumFolder(out), OwnSession(session)
    lengths = [read.frames(k) for tier in TIERS for k in read.trials(tier)]
    assert sum(lengths) == 6 * 150 - sum(1 + 10 * k for k in range(6))
    for number in range(6):
        first = 10 * number + 1
        np.testing.assert_array_equal(
            read.segment(number).responses, whole.segment(number).responses[first:, units]
        )
        np.testing.assert_array_equal(read.video(number), whole.video(number)[first:])


def test_a_tier_that_was_not_measured_is_stated(tmp_path: Path) -> None:
    run = SeenRun(tmp_path / "session", session=STATED)
    for number in range(3):
        run.clip(f"clip{number}", blobs(number))
    tiers = OwnSession(run.end().folder)
    [name] = [f"clip{number}" for number in tiers.trials("test")]
    run = SeenRun(tmp_path / "broken", session=STATED)
    for number in range(3):
        valid = np.ones((100, NEURONS), bool)
        valid[50] = name != f"clip{number}"
        run.clip(f"clip{number}", blobs(number), valid=valid)
    lacks = write_sensorium(RecordedSession(run.end().folder), tmp_path / "out")
    assert lacks[-1] == "No trial of the tier test is left."


def test_a_pupil_that_was_not_recorded_is_stated(tmp_path: Path) -> None:
    run = SeenRun(tmp_path / "session", session=STATED)
    run._behave = lambda _: None  # type: ignore[method-assign]
    for number in range(3):
        run.clip(f"clip{number}", blobs(number))
    lacks = write_sensorium(RecordedSession(run.end().folder), tmp_path / "out")
    assert lacks == ["No behaviour was recorded: data/behavior and data/pupil_center are zeros."]
    assert not SensoriumFolder(tmp_path / "out").segment(0).behaviour.any()


def test_sessions_that_cannot_be_trained_on_are_refused(tmp_path: Path, whole: Path) -> None:
    few = write_seen_run(tmp_path / "few", clips=2).folder
    with pytest.raises(TooFewClipsError, match="2 different clips"):
        write_sensorium(RecordedSession(few), tmp_path / "out")
    empty = SeenRun(tmp_path / "empty").run.end().folder
    with pytest.raises(StreamMissingError, match="no displayed frames"):
        write_sensorium(RecordedSession(empty), tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(FolderNotEmptyError):
        write_sensorium(RecordedSession(whole), tmp_path / "full")


def test_a_damaged_statement_is_named(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    (copy / "meta").mkdir(parents=True)
    (copy / "meta" / "rtdecode.json").write_text('{"frame_rate_hz": "fast"}')
    with pytest.raises(UnreadableFileError, match=r"rtdecode\.json.*export the session again"):
        SensoriumFolder(copy)
