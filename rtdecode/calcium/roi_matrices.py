"""Reads ROIs of CaImAn and EXTRACT, which store the weights of all pixels as one matrix.

CaImAn: `estimates/A`, (pixel, component) in compressed sparse columns or dense. EXTRACT:
`output.spatial_weights`, (row, col, neuron) in a .mat file of version 7.3, read as its public
documentation describes it; no file of the program itself has been tried. Both programs number the
pixels of an image down its columns. `hdf5_array` and `hdf5_stack` serve `roi_nwb` too.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.rois import PixelLists, PixelWeights
from rtdecode.schema.array_files import MOST_BYTES, ContentError, array_bytes
from rtdecode.schema.arrays import MAX_NEURONS
from rtdecode.schema.errors import RoisError

I64 = NDArray[np.int64]
_EXTRACT_VARIABLES = ("output", "extractAnalysisOutput")
_EXTRACT_IMAGES = ("summary_image", "max_image", "F_per_pixel")
"""Images of the field in `output.info`."""
_PLANE_AXES, _VOLUME_AXES = 2, 3


def caiman_rois(file: h5py.File, path: Path) -> PixelLists:
    """The accepted components of a result of CaImAn.

    Raises
    ------
    RoisError
        For a volume, or where the matrix does not fit the field or the list of components.
    """
    rows, cols = _caiman_shape(file, path)
    columns = _columns(file["estimates"], "A", where=f"in {path}", pixels=rows * cols)
    neurons: list[PixelWeights] = []
    for number in _chosen(file["estimates"], len(columns), path):
        pixels, weights = columns[number]
        col, row = np.divmod(pixels, rows)
        neurons.append((row, col, weights))
    return PixelLists(neurons, (rows, cols), source=str(path))


def extract_rois(file: h5py.File, path: Path) -> PixelLists | None:
    """The neurons of a result of EXTRACT; None if `file` is no such result.

    Raises
    ------
    RoisError
        If the weights were saved as an object that only MATLAB can read.
    """
    name = next((name for name in _EXTRACT_VARIABLES if _has_weights(file.get(name))), None)
    if name is None:
        return None
    output = file[name]
    weights, where = output["spatial_weights"], f"in {path}"
    if isinstance(weights, h5py.Group):
        rows, cols = _extract_shape(output, where)
        columns = _columns(output, "spatial_weights", where=where, pixels=rows * cols)
        placed = [(*np.divmod(pixels, rows)[::-1], weight) for pixels, weight in columns]
        return PixelLists(placed, (rows, cols), source=str(path))
    if weights.dtype.kind not in "iuf" or weights.ndim not in (_PLANE_AXES, _VOLUME_AXES):
        raise RoisError(
            where=where,
            got=f"{name}.spatial_weights is no array of numbers: save it again after "
            f"{name}.spatial_weights = full({name}.spatial_weights)",
        )
    if weights.ndim == _PLANE_AXES:
        return _extract_images([hdf5_array(output, "spatial_weights")], weights.shape, path)
    return _extract_images(hdf5_stack(output, "spatial_weights"), weights.shape[1:], path)


def hdf5_array(group: h5py.Group, name: str) -> NDArray[Any]:
    """The numbers of the dataset `name`; ContentError if it is missing, too large, or text."""
    item = _hdf5_dataset(group, name)
    _require_bounded(item, item.shape)
    return np.asarray(item[()])


def hdf5_stack(group: h5py.Group, name: str) -> h5py.Dataset:
    """The dataset `name` of images, (image, ...), which are to be read one by one.

    ContentError if it is missing, has too many or too large images, or is text.
    """
    item = _hdf5_dataset(group, name)
    if item.ndim == 0 or len(item) > MAX_NEURONS:
        raise ContentError(f"'{item.name}' has shape {item.shape}, which is no stack of images")
    _require_bounded(item, item.shape[1:])
    return item


def _hdf5_dataset(group: h5py.Group, name: str) -> h5py.Dataset:
    item = group.get(name)
    if not isinstance(item, h5py.Dataset):
        raise ContentError(f"no dataset '{name}' in '{group.name}'")
    if item.dtype.kind not in "iufbV" or item.shape is None:
        raise ContentError(f"'{item.name}' has no numbers")
    # A compressed chunk is expanded whole, whatever part of it is read.
    _require_bounded(item, item.chunks or ())
    return item


def _require_bounded(item: h5py.Dataset, sides: Sequence[int]) -> None:
    if array_bytes(sides, item.dtype) > MOST_BYTES:
        raise ContentError(f"'{item.name}' has {tuple(sides)} items to read at once, too many")


def _has_weights(item: Any) -> bool:
    return isinstance(item, h5py.Group) and "spatial_weights" in item


def _extract_images(
    images: Sequence[NDArray[Any]] | h5py.Dataset, shape: tuple[int, int], path: Path
) -> PixelLists:
    """MATLAB's (row, col, neuron) is (neuron, col, row) in HDF5, without the axis of one neuron."""
    neurons: list[PixelWeights] = []
    for number in range(len(images)):
        image = np.asarray(images[number]).T
        row, col = np.nonzero(image > 0)
        neurons.append((row, col, image[row, col]))
    return PixelLists(neurons, (shape[1], shape[0]), source=str(path))


def _extract_shape(output: h5py.Group, where: str) -> tuple[int, int]:
    for name in _EXTRACT_IMAGES:
        image = output.get(f"info/{name}")
        if isinstance(image, h5py.Dataset) and image.ndim == _PLANE_AXES:
            return image.shape[1], image.shape[0]
    raise RoisError(
        where=where,
        got="spatial_weights is sparse, and no image of output.info states the size of the field",
    )


def _caiman_shape(file: h5py.File, path: Path) -> tuple[int, int]:
    for name in ("estimates/dims", "dims", "params/data/dims"):
        item = file.get(name)
        # CaImAn writes None as the text NoneType.
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "iuf" or item.size == 0:
            continue
        dims = [int(side) for side in hdf5_array(file, name).ravel()[:4]]
        if len(dims) == _VOLUME_AXES and dims[-1] == 1:
            dims = dims[:-1]
        if len(dims) != _PLANE_AXES:
            raise RoisError(
                where=f"in {path}",
                got=f"{name} is {tuple(dims)}, a volume (3-D); ROIs of single planes are read",
            )
        return dims[0], dims[1]
    raise RoisError(where=f"in {path}", got="no dims state the size of the field")


def _chosen(estimates: h5py.Group, count: int, path: Path) -> Sequence[int]:
    """Numbers of the accepted components; all, where none were selected."""
    item = estimates.get("idx_components")
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "iu":
        return range(count)
    chosen = [int(one) for one in hdf5_array(estimates, "idx_components").ravel()]
    wrong = next((one for one in chosen if not 0 <= one < count), None)
    if wrong is not None:
        raise RoisError(
            where=f"in {path}",
            got=f"estimates/idx_components names component {wrong} of {count} (from 0)",
        )
    return chosen


def _columns(
    parent: h5py.Group, name: str, *, where: str, pixels: int
) -> list[tuple[I64, NDArray[Any]]]:
    """Pixels and positive weights of each column of a (pixel, component) matrix."""
    matrix = parent.get(name)
    if not isinstance(matrix, h5py.Group):
        return _dense_columns(hdf5_array(parent, name), where=where, name=name, pixels=pixels)
    # scipy's names, then those of MATLAB
    names = ("data", "indices", "indptr") if "indptr" in matrix else ("data", "ir", "jc")
    data, index, edges = (hdf5_array(matrix, one) for one in names)
    _require_sparse(data, index, edges, where=f"{where} ({name})", pixels=pixels)
    columns = []
    for begin, end in pairwise(edges.astype(np.int64)):
        positive = data[begin:end] > 0
        columns.append((index[begin:end][positive].astype(np.int64), data[begin:end][positive]))
    return columns


def _dense_columns(
    dense: NDArray[Any], *, where: str, name: str, pixels: int
) -> list[tuple[I64, NDArray[Any]]]:
    if dense.ndim != _PLANE_AXES or len(dense) != pixels:
        raise RoisError(
            where=where, got=f"the dense {name} has shape {dense.shape}, not one row a pixel"
        )
    return [(np.flatnonzero(column > 0), column[column > 0]) for column in dense.T]


def _require_sparse(
    data: NDArray[Any], index: NDArray[Any], edges: NDArray[Any], *, where: str, pixels: int
) -> None:
    kinds = {index.dtype.kind, edges.dtype.kind} <= set("iu") and data.dtype.kind in "iuf"
    flat = data.ndim == index.ndim == edges.ndim == 1 and len(edges) > 0
    if not kinds or not flat or len(data) != len(index):
        raise RoisError(where=where, got="it is no matrix in compressed sparse columns")
    ends = edges.astype(np.int64)
    if ends[0] != 0 or ends[-1] != len(data) or np.any(np.diff(ends) < 0):
        raise RoisError(where=where, got="the beginnings of its columns do not fit its data")
    if len(index) and not 0 <= int(index.min()) <= int(index.max()) < pixels:
        raise RoisError(where=where, got=f"a pixel lies outside the field of {pixels} pixels")
