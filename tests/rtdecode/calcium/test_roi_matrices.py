"""ROIs of CaImAn and EXTRACT lie where their programs drew them, or are refused by name."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy import sparse

from rtdecode.calcium.roi_files import read_rois
from rtdecode.calcium.roi_matrices import extract_rois
from rtdecode.schema.errors import RoisError, UnreadableFileError

SHAPE = (6, 9)
PIXELS = [2 * 9 + 5, 3 * 9 + 5]
"""Flat indices of the pixels (2, 5) and (3, 5)."""


def image() -> np.ndarray:
    field = np.zeros(SHAPE)
    field[2, 5], field[3, 5] = 1, 2
    return field


def caiman(path: Path, *, dims: Any = SHAPE, chosen: Any = "NoneType", dense: bool = False) -> Path:
    """A result with the component `image` twice."""
    column = image().reshape(-1, 1, order="F")
    matrix = sparse.csc_array(np.hstack([column, column]))
    with h5py.File(path, "w") as file:
        file["estimates/dims"] = dims
        file["estimates/idx_components"] = chosen
        if dense:
            file["estimates/A"] = matrix.toarray()
        else:
            for name in ("data", "indices", "indptr"):
                file[f"estimates/A/{name}"] = getattr(matrix, name)
    return path


@pytest.mark.parametrize("dense", [False, True])
def test_caiman_pixels_run_down_the_columns(tmp_path: Path, dense: bool) -> None:
    rois = read_rois(caiman(tmp_path / "a.hdf5", dense=dense))
    assert rois.shape == SHAPE
    assert rois.pixels.tolist() == PIXELS * 2
    assert rois.weights.tolist() == [1, 2, 1, 2]


def test_caiman_gives_the_selected_components_only(tmp_path: Path) -> None:
    assert read_rois(caiman(tmp_path / "a.hdf5", chosen=[1])).count == 1


def test_caiman_without_dims_in_estimates_takes_those_at_the_top(tmp_path: Path) -> None:
    path = caiman(tmp_path / "a.hdf5", dims="NoneType")
    with pytest.raises(RoisError, match="no dims"):
        read_rois(path)
    with h5py.File(path, "a") as file:
        file["dims"] = SHAPE
    assert read_rois(path).pixels.tolist() == PIXELS * 2


def test_caiman_results_of_a_volume_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RoisError, match=r"\(6, 9, 2\), a volume"):
        read_rois(caiman(tmp_path / "a.hdf5", dims=(*SHAPE, 2)))
    assert read_rois(caiman(tmp_path / "b.hdf5", dims=(*SHAPE, 1))).shape == SHAPE


@pytest.mark.parametrize("number", [2, -1, 3306118025])
def test_a_component_that_does_not_exist_is_named(tmp_path: Path, number: int) -> None:
    with pytest.raises(RoisError, match=f"component {number} of 2"):
        read_rois(caiman(tmp_path / "a.hdf5", chosen=[0, number]))


def test_a_matrix_that_does_not_fit_the_field_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RoisError, match="not one row a pixel"):
        read_rois(caiman(tmp_path / "a.hdf5", dims=(6, 8), dense=True))
    with pytest.raises(RoisError, match="outside the field"):
        read_rois(caiman(tmp_path / "b.hdf5", dims=(2, 2)))


def extract(path: Path, weights: np.ndarray, *, name: str = "output") -> Path:
    """A .mat file of version 7.3, in which MATLAB's axes are reversed."""
    with h5py.File(path, "w") as file:
        file[f"{name}/spatial_weights"] = weights.T
    return path


@pytest.mark.parametrize("name", ["output", "extractAnalysisOutput"])
def test_extract_images_are_row_column_neuron(tmp_path: Path, name: str) -> None:
    weights = np.stack([image(), np.zeros(SHAPE), image()[::-1]], axis=2)
    rois = read_rois(extract(tmp_path / "a.mat", weights, name=name))
    assert rois.shape == SHAPE
    assert rois.pixels.tolist() == [*PIXELS, 2 * 9 + 5, 3 * 9 + 5]
    assert rois.weights.tolist() == [1, 2, 2, 1]


def test_extract_of_one_neuron_has_no_third_axis(tmp_path: Path) -> None:
    assert read_rois(extract(tmp_path / "a.mat", image())).pixels.tolist() == PIXELS


def test_sparse_weights_of_extract_take_the_field_from_an_image(tmp_path: Path) -> None:
    matrix = sparse.csc_array(image().reshape(-1, 1, order="F"))
    with h5py.File(tmp_path / "a.mat", "w") as file:
        for name, values in (("data", matrix.data), ("ir", matrix.indices), ("jc", matrix.indptr)):
            file[f"output/spatial_weights/{name}"] = values
    with pytest.raises(RoisError, match="size of the field"):
        read_rois(tmp_path / "a.mat")
    with h5py.File(tmp_path / "a.mat", "a") as file:
        file["output/info/summary_image"] = np.zeros(SHAPE).T
    assert read_rois(tmp_path / "a.mat").pixels.tolist() == PIXELS


def test_weights_that_only_matlab_can_read_are_refused_with_the_way_out(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["output/spatial_weights"] = np.zeros((1, 6), np.uint32)[0]
    with pytest.raises(RoisError, match=r"full\(output\.spatial_weights\)"):
        read_rois(tmp_path / "a.mat")


def test_a_mat_file_of_an_earlier_version_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(600))
    with pytest.raises(UnreadableFileError, match=r"-v7\.3"):
        read_rois(tmp_path / "a.mat")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("estimates/A", (54, 2**30)),
        ("output/spatial_weights", (2**40, 9, 6)),
        ("output/spatial_weights", (3, 2**20, 2**20)),
    ],
)
def test_a_shape_that_a_damaged_file_claims_takes_no_memory(
    tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["estimates/dims" if name == "estimates/A" else "dims"] = SHAPE
        file.create_dataset(name, shape=shape, chunks=(1,) * len(shape), dtype="f4")
    with pytest.raises(UnreadableFileError, match=name):
        read_rois(tmp_path / "a.hdf5")


def test_weights_beyond_the_range_of_float32_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RoisError, match="finite"):
        read_rois(extract(tmp_path / "a.mat", image() * 1e300))


def test_other_hdf5_files_are_no_result_of_extract(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file["output"] = np.zeros(3)
        assert extract_rois(file, tmp_path / "a.nwb") is None
