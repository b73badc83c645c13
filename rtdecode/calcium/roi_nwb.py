"""Reads ROIs from the PlaneSegmentation tables of an NWB file, with h5py alone.

ROIs are images (`image_mask`) or lists of pixels (`pixel_mask`, `voxel_mask`). The format names the
axes x and y, but programs swap them, so the size of the field that is known from elsewhere decides.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.roi_matrices import hdf5_array, hdf5_stack
from rtdecode.calcium.rois import PixelLists, PixelWeights
from rtdecode.schema.array_files import ContentError
from rtdecode.schema.errors import RoisError

Bools = NDArray[np.bool_]
_ACCEPTED_COLUMNS = ("accepted", "iscell", "is_cell")
_MOVIES = ("TwoPhotonSeries", "OnePhotonSeries")
_SUITE2P = "suite2p_proc"
"""Session description of files that suite2p writes; it stores rows as x and columns as y."""
_IMAGE_AXES = 3


def accepted_column(names: Iterable[str]) -> str | None:
    """Name of the column of a ROI table that marks cells, in any case; None if there is none.

    suite2p's column is `iscell`, that of other programs `Accepted` or `accepted`, which is
    preferred.
    """
    lower = {name.lower(): name for name in names}
    return next((lower[name] for name in _ACCEPTED_COLUMNS if name in lower), None)


def accepted_rows(values: NDArray[Any]) -> Bools:
    """(ROI,) whether each ROI is a cell; of several columns the first is the flag."""
    flags = values.reshape(len(values), -1)
    return np.asarray(flags[:, 0] > 0)


def nwb_rois(file: h5py.File, path: Path, *, table: str | None) -> PixelLists:
    """The accepted ROIs of every PlaneSegmentation of one imaging plane, or of the one named.

    suite2p stores rows as x and columns as y; in other files the order of axes is uncertain.

    Raises
    ------
    RoisError
        If there is no such table, tables of several imaging planes are to be read at once, or
        their columns do not fit each other.
    """
    tables = _tables(file, path, named=table)
    neurons: list[PixelWeights] = []
    shapes: set[tuple[int, int]] = set()
    for one in tables:
        accepted, where = _accepted(one), f"in {path}, table {one.name},"
        if "image_mask" in one:
            images = hdf5_stack(one, "image_mask")
            neurons.extend(_image_pixels(images, accepted, where=where))
            shapes.add(images.shape[1:])
        else:
            neurons.extend(_listed_pixels(one, accepted, where=where))
    shape = shapes.pop() if shapes else _field(file, tables[0])
    if shapes:
        raise RoisError(where=f"in {path}", got="their image masks have several sizes")
    if "image_mask" not in tables[0] and _is_of_suite2p(file):
        neurons = [(col, row, weight) for row, col, weight in neurons]
        turned = None if shape is None else (shape[1], shape[0])
        return PixelLists(neurons, turned, source=str(path))
    return PixelLists(neurons, shape, source=str(path), axes_certain=False)


def _tables(file: h5py.File, path: Path, *, named: str | None) -> list[h5py.Group]:
    found = _of_type(file, ("PlaneSegmentation",))
    choices = ", ".join(one.name for one in found)
    if not found:
        raise RoisError(where=f"in {path}", got="it contains no PlaneSegmentation")
    if named is not None:
        chosen = [one for one in found if named in (one.name, one.name.rpartition("/")[2])]
        if len(chosen) != 1:
            got = f"{len(chosen)} tables are named '{named}' (calcium.rois_table); it has {choices}"
            raise RoisError(where=f"in {path}", got=got)
        return chosen
    planes = [one.get("imaging_plane") for one in found]
    if any(plane != planes[0] for plane in planes):
        got = (
            f"its tables belong to several imaging planes, set calcium.rois_table to one: {choices}"
        )
        raise RoisError(where=f"in {path}", got=got)
    return found


def _of_type(file: h5py.File, kinds: Sequence[str]) -> list[h5py.Group]:
    """All groups of the given NWB types, in the order of their paths."""
    found: list[h5py.Group] = []

    def keep(_: str, item: Any) -> None:
        kind = item.attrs.get("neurodata_type")
        if isinstance(item, h5py.Group) and isinstance(kind, str) and kind in kinds:
            found.append(item)

    file.visititems(keep)
    return sorted(found, key=lambda one: str(one.name))


def _accepted(table: h5py.Group) -> Bools:
    count = len(hdf5_array(table, "id"))
    name = accepted_column(table)
    if name is None:
        return np.ones(count, bool)
    values = hdf5_array(table, name)
    if len(values) != count:
        raise ContentError(f"column {name} of {table.name} has {len(values)} rows for {count} ROIs")
    return accepted_rows(values)


def _image_pixels(images: h5py.Dataset, accepted: Bools, *, where: str) -> list[PixelWeights]:
    if images.ndim != _IMAGE_AXES or len(images) != len(accepted):
        got = f"image_mask has shape {images.shape} for {len(accepted)} ROIs of one plane"
        raise RoisError(where=where, got=got)
    neurons: list[PixelWeights] = []
    for number in np.flatnonzero(accepted):
        image = np.asarray(images[number])
        row, col = np.nonzero(image > 0)
        neurons.append((row, col, image[row, col]))
    return neurons


def _listed_pixels(table: h5py.Group, accepted: Bools, *, where: str) -> list[PixelWeights]:
    """ROIs of a pixel_mask, or of a voxel_mask whose voxels lie in one plane."""
    name = next((name for name in ("pixel_mask", "voxel_mask") if name in table), None)
    if name is None:
        raise RoisError(where=where, got="it has no image_mask, pixel_mask or voxel_mask")
    pixels = hdf5_array(table, name)
    ends = hdf5_array(table, f"{name}_index").astype(np.int64)
    edges = np.concatenate([[0], ends])
    if len(ends) != len(accepted) or np.any(np.diff(edges) < 0) or edges[-1] > len(pixels):
        got = f"{name}_index does not fit {len(pixels)} pixels of {len(accepted)} ROIs"
        raise RoisError(where=where, got=got)
    parts = [pixels[a:b] for (a, b), kept in zip(pairwise(edges), accepted, strict=True) if kept]
    if name == "voxel_mask":
        planes = sorted({int(z) for part in parts for z in np.unique(part["z"])})
        if len(planes) > 1:
            got = f"voxel_mask has voxels in the planes {planes}; ROIs of single planes are read"
            raise RoisError(where=where, got=got)
    return [(part["y"], part["x"], part["weight"]) for part in parts]


def _field(file: h5py.File, table: h5py.Group) -> tuple[int, int] | None:
    """(row, col) that the movies of the table's imaging plane state; None if they do not agree.

    `dimension` is (x, y) in the format, and the data of a movie are (frame, x, y).
    """
    plane = table.get("imaging_plane")
    movies = [one for one in _of_type(file, _MOVIES) if one.get("imaging_plane") == plane]
    sizes = {size for one in movies if (size := _movie_size(one)) is not None}
    return sizes.pop() if len(sizes) == 1 else None


def _movie_size(movie: h5py.Group) -> tuple[int, int] | None:
    if "dimension" in movie:
        sides = hdf5_array(movie, "dimension").ravel()
        if len(sides) > 1 and sides[:2].min() > 0:
            return int(sides[1]), int(sides[0])
    data = movie.get("data")
    if isinstance(data, h5py.Dataset) and data.ndim >= _IMAGE_AXES and min(data.shape[1:]) > 0:
        return data.shape[2], data.shape[1]
    return None


def _is_of_suite2p(file: h5py.File) -> bool:
    item = file.get("session_description")
    return isinstance(item, h5py.Dataset) and item.shape == () and item.asstr()[()] == _SUITE2P
