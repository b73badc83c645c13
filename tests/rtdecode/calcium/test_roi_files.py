"""ROIs of other programs are read correctly, and files with code are refused."""

import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import sparse

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


def test_caiman_pixels_run_down_the_columns(tmp_path: Path) -> None:
    image = np.zeros(SHAPE)
    image[2, 5], image[3, 5] = 1, 2
    matrix = sparse.csc_array(image.reshape(-1, 1, order="F"))
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["estimates/dims"] = np.array(SHAPE)
        file["estimates/idx_components"] = "NoneType"
        for name in ("data", "indices", "indptr"):
            file[f"estimates/A/{name}"] = getattr(matrix, name)
    rois = read_rois(tmp_path / "a.hdf5")
    assert rois.pixels.tolist() == [2 * 9 + 5, 3 * 9 + 5]
    assert rois.weights.tolist() == [1, 2]


def nwb_file(path: Path, images: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        table = file.create_group("processing/ophys/ImageSegmentation/PlaneSegmentation")
        table.attrs["neurodata_type"] = "PlaneSegmentation"
        table["id"] = np.arange(len(images))
        table["image_mask"] = images
    return path


@pytest.mark.parametrize("turned", [False, True])
def test_nwb_images_are_turned_to_the_known_size(tmp_path: Path, turned: bool) -> None:
    image = np.zeros(SHAPE)
    image[1, 7] = 1
    path = nwb_file(tmp_path / "a.nwb", np.array([image.T if turned else image]))
    assert read_rois(path, shape=SHAPE).pixels.tolist() == [16]


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
