"""ROIs of NWB files: images, pixels and voxels, accepted cells, axes, several tables."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from rtdecode.calcium.roi_files import read_pixel_lists, read_rois
from rtdecode.calcium.roi_nwb import accepted_column, accepted_rows
from rtdecode.calcium.rois import PixelLists
from rtdecode.schema.errors import RoisError

SHAPE = (6, 9)
PIXEL = np.dtype([("x", "u4"), ("y", "u4"), ("weight", "f4")])
VOXEL = np.dtype([("x", "u4"), ("y", "u4"), ("z", "u4"), ("weight", "f4")])
SEGMENTATION = "processing/ophys/ImageSegmentation"
CELL, BORDER = (7, 1, 1.0), (8, 1, 0.0)
"""Column 7 and row 1 with weight 1; the pixel beside it with weight 0."""


def movie(file: h5py.File, *, dimension: tuple[int, ...], plane: str = "plane") -> None:
    group = file.create_group(f"acquisition/{plane}_movie")
    group.attrs["neurodata_type"] = "TwoPhotonSeries"
    group["dimension"] = dimension
    group["imaging_plane"] = h5py.SoftLink(f"/general/{plane}")


def table(file: h5py.File, name: str = "cells", *, count: int, plane: str = "plane") -> h5py.Group:
    file.require_group(f"general/{plane}")
    group = file.create_group(f"{SEGMENTATION}/{name}")
    group.attrs["neurodata_type"] = "PlaneSegmentation"
    group["id"] = np.arange(count)
    group["imaging_plane"] = h5py.SoftLink(f"/general/{plane}")
    return group


def with_pixels(group: h5py.Group, *rois: list[tuple[float, ...]], kind: str = "pixel") -> None:
    dtype = PIXEL if kind == "pixel" else VOXEL
    group[f"{kind}_mask"] = np.array([pixel for roi in rois for pixel in roi], dtype)
    group[f"{kind}_mask_index"] = np.cumsum([len(roi) for roi in rois])


def pixel_file(path: Path, *rois: list[tuple[float, ...]], kind: str = "pixel") -> Path:
    with h5py.File(path, "w") as file:
        with_pixels(table(file, count=len(rois)), *rois, kind=kind)
    return path


def test_pixels_need_no_calibration_where_the_movie_states_the_size(tmp_path: Path) -> None:
    path = pixel_file(tmp_path / "a.nwb", [CELL])
    with pytest.raises(RoisError, match="does not state the size"):
        read_rois(path)
    assert read_rois(path, shape=SHAPE).pixels.tolist() == [16]
    with h5py.File(path, "a") as file:
        movie(file, dimension=(9, 6))
        movie(file, dimension=(20, 20), plane="another")
    rois = read_rois(path)
    assert (rois.shape, rois.pixels.tolist()) == (SHAPE, [16])


def test_pixels_of_swapped_axes_are_placed_by_the_size_of_the_scans(tmp_path: Path) -> None:
    path = pixel_file(tmp_path / "a.nwb", [(1, 7, 1.0)])
    with h5py.File(path, "a") as file:
        movie(file, dimension=(6, 9))
    assert read_rois(path, shape=SHAPE).pixels.tolist() == [16]


def test_files_of_suite2p_have_rows_as_x(tmp_path: Path) -> None:
    path = pixel_file(tmp_path / "a.nwb", [(1, 7, 1.0)])
    with h5py.File(path, "a") as file:
        movie(file, dimension=(6, 9))
        file["session_description"] = "suite2p_proc"
    found = read_pixel_lists(path)
    assert isinstance(found, PixelLists)
    assert found.placed_without_scan
    rois = found.placed(None)
    assert (rois.shape, rois.pixels.tolist()) == (SHAPE, [16])


def test_pixels_of_weight_0_are_left_out_and_negative_ones_refused(tmp_path: Path) -> None:
    rois = read_rois(pixel_file(tmp_path / "a.nwb", [CELL, BORDER]), shape=SHAPE)
    assert rois.pixels.tolist() == [16]
    with pytest.raises(RoisError, match="above 0"):
        read_rois(pixel_file(tmp_path / "b.nwb", [CELL, (8, 1, -1.0)]), shape=SHAPE)


def test_a_roi_without_pixels_is_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = pixel_file(tmp_path / "a.nwb", [CELL], [BORDER], [CELL])
    assert read_rois(path, shape=SHAPE).count == 2
    assert "1 ROIs" in caplog.text


def test_a_pixel_outside_the_field_is_an_error(tmp_path: Path) -> None:
    path = pixel_file(tmp_path / "a.nwb", [CELL], [(9, 1, 1.0)])
    with pytest.raises(RoisError, match="ROI 1 has a pixel at row 1, column 9, outside the field"):
        read_rois(path, shape=SHAPE)


def test_voxels_of_one_plane_are_read_and_of_a_volume_refused(tmp_path: Path) -> None:
    flat, deep = (7, 1, 3, 1.0), (7, 1, 4, 1.0)
    path = pixel_file(tmp_path / "a.nwb", [flat], [flat], kind="voxel")
    assert read_rois(path, shape=SHAPE).pixels.tolist() == [16, 16]
    with pytest.raises(RoisError, match=r"voxel_mask has voxels in the planes \[3, 4\]"):
        read_rois(pixel_file(tmp_path / "b.nwb", [flat], [deep], kind="voxel"), shape=SHAPE)


@pytest.mark.parametrize("name", ["accepted", "Accepted", "iscell", "isCell", "IS_CELL"])
def test_the_column_that_marks_cells_is_found_in_any_case(tmp_path: Path, name: str) -> None:
    path = pixel_file(tmp_path / "a.nwb", [CELL], [CELL], [CELL])
    with h5py.File(path, "a") as file:
        file[f"{SEGMENTATION}/cells/{name}"] = np.array([[1, 0.9], [0, 0.4], [1, 0.8]])
    assert read_rois(path, shape=SHAPE).count == 2


def test_accepted_is_preferred_to_iscell() -> None:
    assert accepted_column(["id", "iscell", "Accepted"]) == "Accepted"
    assert accepted_column(["id", "Rejected"]) is None
    assert accepted_rows(np.array([True, False])).tolist() == [True, False]


def test_all_tables_of_one_imaging_plane_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        with_pixels(table(file, "red", count=1), [(2, 0, 1.0)])
        with_pixels(table(file, "green", count=1), [(1, 0, 1.0)])
    assert read_rois(tmp_path / "a.nwb", shape=SHAPE).pixels.tolist() == [1, 2]
    assert read_rois(tmp_path / "a.nwb", shape=SHAPE, table="red").pixels.tolist() == [2]
    with pytest.raises(RoisError, match=r"named 'blue'.*cells|named 'blue'.*/green, .*/red"):
        read_rois(tmp_path / "a.nwb", shape=SHAPE, table="blue")


def test_tables_of_several_imaging_planes_require_a_name(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        with_pixels(table(file, "deep", count=1, plane="L5"), [(2, 0, 1.0)])
        with_pixels(table(file, "upper", count=1, plane="L2"), [(1, 0, 1.0)])
    with pytest.raises(RoisError, match=r"calcium\.rois_table to one: .*/deep, .*/upper"):
        read_rois(tmp_path / "a.nwb", shape=SHAPE)
    assert read_rois(tmp_path / "a.nwb", shape=SHAPE, table="deep").pixels.tolist() == [2]


@pytest.mark.parametrize("turned", [False, True])
def test_images_are_turned_to_the_known_size(tmp_path: Path, turned: bool) -> None:
    image = np.zeros(SHAPE)
    image[1, 7] = 1
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        table(file, count=1)["image_mask"] = np.array([image.T if turned else image])
    assert read_rois(tmp_path / "a.nwb", shape=SHAPE).pixels.tolist() == [16]
