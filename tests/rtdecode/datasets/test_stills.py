"""Sessions with still images are read from both layouts alike; what is wrong in one is named."""

import re
from pathlib import Path

import numpy as np
import pytest

from rtdecode.datasets.stills import StillClips, StillSession, is_still_session
from rtdecode.datasets.video_session import VALIDATION
from rtdecode.schema.errors import (
    MissingFileError,
    NonFiniteError,
    NoSuchTierError,
    UnreadableFileError,
)

TRIALS, NEURONS, ROWS, COLS = 60, 5, 6, 8
Arrays = dict[str, np.ndarray]


def arrays() -> Arrays:
    rng = np.random.default_rng(0)
    return {
        "images": rng.integers(0, 256, (TRIALS, ROWS, COLS)).astype(np.uint8),
        "responses": rng.gamma(0.5, 2, (TRIALS, NEURONS)).astype(np.float32),
        "behavior": rng.normal(size=(TRIALS, 3)).astype(np.float32),
        "pupil_center": rng.normal(size=(TRIALS, 2)).astype(np.float32),
        "tiers": np.array(["train"] * 30 + ["validation"] * 30),
    }


def packed(folder: Path, **changes: np.ndarray) -> Path:
    path = folder / "session.npz"
    np.savez(path, **{**arrays(), **changes})  # type: ignore[arg-type]
    return path


def unpacked(folder: Path) -> Path:
    """The same in the layout of the competition, images with an axis of one colour."""
    held = arrays()
    (folder / "meta" / "trials").mkdir(parents=True)
    np.save(folder / "meta" / "trials" / "tiers.npy", held["tiers"])
    for name in ("images", "responses", "behavior", "pupil_center"):
        (folder / "data" / name).mkdir(parents=True)
        for trial, values in enumerate(held[name]):
            shaped = values[None] if name == "images" else values
            np.save(folder / "data" / name / f"{trial}.npy", shaped)
    return folder


@pytest.mark.parametrize("layout", ["file", "folder with the file", "competition"])
def test_both_layouts_give_the_same_trials(tmp_path: Path, layout: str) -> None:
    path = unpacked(tmp_path) if layout == "competition" else packed(tmp_path)
    path = tmp_path if layout == "folder with the file" else path
    session, held = StillSession(path), arrays()
    assert is_still_session(path)
    np.testing.assert_array_equal(session.images, held["images"])
    np.testing.assert_array_equal(session.activity, held["responses"])
    np.testing.assert_array_equal(session.behaviour[:, 0], held["behavior"][:, 2])
    np.testing.assert_array_equal(session.behaviour[:, 2:], held["pupil_center"])
    assert session.trials("validation").tolist() == list(range(30, 60))


def test_a_folder_with_videos_is_none(tmp_path: Path) -> None:
    (tmp_path / "data" / "videos").mkdir(parents=True)
    assert not is_still_session(tmp_path)
    np.savez(tmp_path / "truth.npz", receptive_fields=np.zeros((3, 2)))
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    assert not is_still_session(tmp_path)


def test_other_files_beside_the_packed_one_do_not_matter(tmp_path: Path) -> None:
    packed(tmp_path)
    np.savez(tmp_path / "notes.npz", depth_um=np.zeros(3))
    assert is_still_session(tmp_path)
    assert len(StillSession(tmp_path).images) == TRIALS


def test_activity_below_zero_from_rounding_is_zero(tmp_path: Path) -> None:
    responses = arrays()["responses"] - 1e-7
    responses[0] = -6e-8
    assert StillSession(packed(tmp_path, responses=responses)).activity.min() == 0


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"images": np.zeros((TRIALS, 3))}, UnreadableFileError, r"images \(trial, row, col\)"),
        ({"responses": np.zeros((9, 4))}, UnreadableFileError, "responses of 60 trials"),
        ({"behavior": np.zeros((TRIALS, 2))}, UnreadableFileError, r"behavior \(trial, 3\)"),
        ({"tiers": np.array(["train"])}, UnreadableFileError, "tiers of 60 trials"),
        (
            {"responses": np.full((TRIALS, 4), np.nan)},
            NonFiniteError,
            "responses of trial 0",
        ),
    ],
)
def test_an_array_that_does_not_fit_is_named(
    tmp_path: Path, changes: Arrays, error: type[Exception], told: str
) -> None:
    path = packed(tmp_path, **changes)
    with pytest.raises(error, match=told) as raised:
        StillSession(path)
    assert str(path) in str(raised.value)


def test_what_is_missing_is_named_with_the_layouts(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="Sensorium 2022"):
        StillSession(tmp_path / "nothing.npz")
    folder = unpacked(tmp_path)
    (folder / "data" / "responses" / "7.npy").unlink()
    with pytest.raises(MissingFileError, match=re.escape("responses/7.npy")):
        StillSession(folder)
    held = arrays()
    del held["pupil_center"]
    np.savez(tmp_path / "part.npz", **held)  # type: ignore[arg-type]
    with pytest.raises(MissingFileError, match="array pupil_center"):
        StillSession(tmp_path / "part.npz")


def test_a_file_without_arrays_is_reported(tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"PK no")
    with pytest.raises(UnreadableFileError, match=r"broken\.npz"):
        StillSession(tmp_path / "broken.npz")


def test_a_tier_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoSuchTierError, match="train, validation"):
        StillSession(packed(tmp_path)).trials("test")


def test_held_out_images_follow_one_another_as_clips(tmp_path: Path) -> None:
    session = StillSession(packed(tmp_path))
    clips = StillClips(session)
    assert clips.trials(VALIDATION) == (0,)
    assert clips.frames(0) == 24
    cut = clips.segment(0, first=2, frames=5)
    np.testing.assert_array_equal(cut.video, session.images[32:37])
    sd = session.activity[:30].std(0)
    np.testing.assert_allclose(cut.responses, session.activity[32:37] / sd, rtol=1e-5)
    with pytest.raises(NoSuchTierError):
        clips.trials("train")
