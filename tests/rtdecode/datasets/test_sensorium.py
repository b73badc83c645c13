from pathlib import Path

import numpy as np
import pytest

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.schema.errors import (
    MissingFileError,
    NonFiniteError,
    NoSuchTierError,
    UnreadableFileError,
)

FRAMES, NEURONS = 20, 3


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Two training trials and one for validation, each value telling what and where it is."""
    rng = np.random.default_rng(0)
    for kind, shape in (("responses", (NEURONS,)), ("behavior", (2,)), ("pupil_center", (2,))):
        (tmp_path / "data" / kind).mkdir(parents=True)
        for k in range(3):
            values = rng.random((*shape, FRAMES)).astype(np.float32)
            np.save(tmp_path / "data" / kind / f"{k}.npy", values)
    (tmp_path / "data" / "videos").mkdir()
    for k in range(3):
        video = rng.integers(0, 256, (4, 6, FRAMES)).astype(np.uint8)
        np.save(tmp_path / "data" / "videos" / f"{k}.npy", video)
    (tmp_path / "meta" / "trials").mkdir(parents=True)
    np.save(tmp_path / "meta" / "trials" / "tiers.npy", np.array(["train", "oracle", "train"]))
    return tmp_path


def test_a_segment_is_a_cut_of_the_files_with_time_first(session: Path) -> None:
    segment = SensoriumFolder(session).segment(2, first=5, frames=7)
    video = np.load(session / "data/videos/2.npy")
    responses = np.load(session / "data/responses/2.npy")
    np.testing.assert_array_equal(segment.video, video[..., 5:12].transpose(2, 0, 1))
    np.testing.assert_array_equal(segment.responses, responses[:, 5:12].T)


def test_behaviour_comes_in_the_order_running_pupil_centre(session: Path) -> None:
    pupil, running = np.load(session / "data/behavior/0.npy")
    x, y = np.load(session / "data/pupil_center/0.npy")
    behaviour = SensoriumFolder(session).segment(0).behaviour
    np.testing.assert_array_equal(behaviour, np.column_stack([running, pupil, x, y]))


def test_trials_are_selected_by_tier(session: Path) -> None:
    folder = SensoriumFolder(session)
    assert folder.trials("train") == (0, 2)
    assert folder.trials("oracle") == (1,)
    with pytest.raises(NoSuchTierError, match="'final': its tiers are oracle, train"):
        folder.trials("final")


def test_nan_padding_at_the_end_is_cut_off(session: Path) -> None:
    for kind in ("videos", "responses", "behavior", "pupil_center"):
        path = session / "data" / kind / "0.npy"
        values = np.load(path).astype(np.float32)
        values[..., 15:] = np.nan
        np.save(path, values)
    folder = SensoriumFolder(session)
    assert folder.frames(0) == 15
    assert folder.segment(0).responses.shape == (15, NEURONS)
    assert folder.frames(1) == FRAMES


def test_a_hole_inside_a_trial_names_file_and_frame(session: Path) -> None:
    path = session / "data" / "responses" / "0.npy"
    values = np.load(path)
    values[1, 7] = np.nan
    np.save(path, values)
    with pytest.raises(NonFiniteError, match=r"responses/0\.npy.*frame 7"):
        SensoriumFolder(session).segment(0, first=2)


def test_opening_reads_no_values(session: Path) -> None:
    np.save(session / "data/responses/0.npy", np.full((NEURONS, FRAMES), np.nan, np.float32))
    assert SensoriumFolder(session).neurons == NEURONS


@pytest.mark.parametrize(
    ("kind", "shape", "expected"),
    [
        ("responses", (NEURONS + 1, FRAMES), r"\(3, 20\)"),
        ("responses", (NEURONS, FRAMES - 1), r"\(3, 20\)"),
        ("behavior", (3, FRAMES), r"\(2, 20\)"),
        ("videos", (4, 5, FRAMES), r"\(4, 6, 20\)"),
    ],
)
def test_an_odd_shape_names_the_file_and_the_expectation(
    session: Path, kind: str, shape: tuple[int, ...], expected: str
) -> None:
    np.save(session / "data" / kind / "1.npy", np.zeros(shape, np.float32))
    with pytest.raises(UnreadableFileError, match=rf"{kind}/1\.npy.*{expected}"):
        SensoriumFolder(session)


def test_a_missing_trial_names_its_file(session: Path) -> None:
    (session / "data/pupil_center/2.npy").unlink()
    with pytest.raises(MissingFileError, match=r"pupil_center/2\.npy"):
        SensoriumFolder(session)


def test_no_array_is_refused(session: Path) -> None:
    (session / "data/videos/0.npy").write_bytes(b"not an array")
    with pytest.raises(UnreadableFileError, match=r"videos/0\.npy"):
        SensoriumFolder(session)


def test_tiers_must_be_strings(session: Path) -> None:
    np.save(session / "meta/trials/tiers.npy", np.zeros(3))
    with pytest.raises(UnreadableFileError, match="one tier name for each trial"):
        SensoriumFolder(session)


def test_a_folder_of_another_layout_is_refused_with_the_layout_needed(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"Sensorium 2023 layout"):
        SensoriumFolder(tmp_path / "nothing")


def test_traces_have_time_first(session: Path) -> None:
    (session / "data/traces").mkdir()
    dff = np.arange(NEURONS * 5, dtype=np.float32).reshape(NEURONS, 5)
    np.savez(session / "data/traces/0.npz", dff=dff, t_s=np.arange(5.0), phase_s=np.zeros(NEURONS))
    folder = SensoriumFolder(session)
    np.testing.assert_array_equal(folder.traces(0).dff, dff.T)
    with pytest.raises(MissingFileError, match="--input responses"):
        folder.traces(1)
