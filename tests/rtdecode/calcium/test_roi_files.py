"""ROIs of suite2p and of real files are read correctly, and foreign files are refused."""

import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from rtdecode.calcium.roi_files import read_rois
from rtdecode.schema.errors import (
    MissingFileError,
    RoisError,
    UnreadableFileError,
    UnsafePickleError,
)

SHAPE = (6, 9)


class Harmful:
    """Unpickling this makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def suite2p_folder(folder: Path) -> Path:
    rois = [
        {
            "ypix": np.array([1, 1, 2]),
            "xpix": np.array([3, 4, 3]),
            "lam": np.array([0.5, 1, 0.5], np.float32),
            "med": [np.float64(1), np.float64(3)],
        },
        {"ypix": np.array([5]), "xpix": np.array([8]), "lam": np.ones(1, np.float32)},
    ]
    np.save(folder / "stat.npy", np.array(rois, object), allow_pickle=True)
    np.save(folder / "iscell.npy", np.array([[1, 0.9], [0, 0.1]]))
    ops = np.array({"Ly": SHAPE[0], "Lx": SHAPE[1], "fs": 10.0}, object)
    np.save(folder / "ops.npy", ops, allow_pickle=True)
    return folder


def test_suite2p_gives_its_accepted_cells(tmp_path: Path) -> None:
    rois = read_rois(suite2p_folder(tmp_path))
    assert rois.shape == SHAPE
    assert rois.pixels.tolist() == [12, 13, 21]
    assert rois.weights.tolist() == [0.5, 1, 0.5]


def test_a_pickle_that_would_run_code_runs_nothing(tmp_path: Path) -> None:
    suite2p_folder(tmp_path)
    made = tmp_path / "made"
    np.save(tmp_path / "stat.npy", np.array([Harmful(made)], object), allow_pickle=True)
    with pytest.raises(UnsafePickleError, match="mkdir"):
        read_rois(tmp_path)
    assert not made.exists()


def test_a_cut_pickle_is_refused_by_name(tmp_path: Path) -> None:
    file = suite2p_folder(tmp_path) / "stat.npy"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(UnreadableFileError, match=r"stat\.npy"):
        read_rois(tmp_path)
    file.write_bytes(pickle.dumps({"no": "array"}))
    with pytest.raises(UnreadableFileError):
        read_rois(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("db.npy", {"Ly": SHAPE[0], "Lx": SHAPE[1]}),
        ("reg_outputs.npy", {"meanImg": np.zeros(SHAPE, np.float32)}),
    ],
)
def test_suite2p_without_ops_takes_the_size_from_its_other_files(
    tmp_path: Path, name: str, content: dict[str, object]
) -> None:
    folder = suite2p_folder(tmp_path)
    (folder / "ops.npy").unlink()
    with pytest.raises(MissingFileError, match=r"ops\.npy or db\.npy"):
        read_rois(folder)
    assert read_rois(folder, shape=SHAPE).shape == SHAPE
    np.save(folder / name, np.array(content, object), allow_pickle=True)
    assert read_rois(folder).pixels.tolist() == [12, 13, 21]


def test_an_ops_file_without_the_size_is_named_with_the_missing_entries(tmp_path: Path) -> None:
    folder = suite2p_folder(tmp_path)
    np.save(folder / "ops.npy", np.array({}, object), allow_pickle=True)
    with pytest.raises(UnreadableFileError, match=r"ops\.npy.*no Ly and Lx"):
        read_rois(folder)


def test_one_column_of_iscell_is_read_as_flags_and_nothing_else(tmp_path: Path) -> None:
    folder = suite2p_folder(tmp_path)
    for flags in ([1.0, 0.0], [[1], [0]], [True, False]):
        np.save(folder / "iscell.npy", np.array(flags))
        assert read_rois(folder).count == 1
    np.save(folder / "iscell.npy", np.array([0.9, 0.2]))
    with pytest.raises(RoisError, match=r"\(2,\), one column"):
        read_rois(folder)
    np.save(folder / "iscell.npy", np.ones((3, 2)))
    with pytest.raises(RoisError, match="3 rows for 2 ROIs"):
        read_rois(folder)


def test_the_size_in_a_file_is_kept_so_that_another_field_is_noticed(tmp_path: Path) -> None:
    assert read_rois(suite2p_folder(tmp_path), shape=(12, 12)).shape == SHAPE


def test_a_pixel_of_suite2p_outside_its_field_is_an_error(tmp_path: Path) -> None:
    folder = suite2p_folder(tmp_path)
    ops = np.array({"Ly": 2, "Lx": SHAPE[1]}, object)
    np.save(folder / "ops.npy", ops, allow_pickle=True)
    with pytest.raises(RoisError, match="row 2, column 3, outside the field of 2 x 9"):
        read_rois(folder)


@pytest.mark.parametrize("name", ["masks.npz", "a.nwb", "a.hdf5", "a.mat", "plane0/stat.npy"])
@pytest.mark.parametrize("kind", ["pipe", "empty", "folder"])
def test_a_file_that_is_none_is_refused_at_once(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "empty":
        path.touch()
    else:
        path.mkdir()
    with pytest.raises((UnreadableFileError, RoisError, MissingFileError), match=str(path)):
        read_rois(path)


def test_files_without_rois_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_rois(tmp_path / "absent.npz")
    with h5py.File(tmp_path / "empty.nwb", "w"):
        pass
    with pytest.raises(RoisError, match="PlaneSegmentation"):
        read_rois(tmp_path / "empty.nwb")
    (tmp_path / "text.hdf5").write_text("no")
    with pytest.raises(UnreadableFileError):
        read_rois(tmp_path / "text.hdf5")


@pytest.mark.shared
def test_real_files_give_the_cells_that_their_programs_accepted(shared_folder: Path) -> None:
    vendor = shared_folder / "data" / "vendor"
    suite2p = read_rois(vendor / "suite2p" / "plane0")
    caiman = read_rois(vendor / "caiman" / "caiman_analysis.hdf5")
    nwb = read_rois(vendor / "nwb" / "nwb_test.nwb")
    assert [rois.count for rois in (suite2p, caiman, nwb)] == [7, 72, 7]
    assert suite2p.shape == caiman.shape == nwb.shape == (128, 128)
    np.testing.assert_allclose(suite2p.centers_px, nwb.centers_px, atol=0.01)
