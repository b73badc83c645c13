"""Reads ROIs from files of this project, suite2p, CaImAn and NWB, for the pipeline."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.array_pickle import arrays_from_pickle
from rtdecode.calcium.rois import Rois, rois_from_lists
from rtdecode.schema.config.calcium import MASKS_FILE
from rtdecode.schema.errors import MissingFileError, RoisError, UnreadableFileError

Neurons = list[tuple[NDArray[Any], NDArray[Any]]]


def read_rois(path: Path, *, shape: tuple[int, int] | None = None) -> Rois:
    """ROIs of the accepted cells in `path`; the format is recognised from the file.

    Parameters
    ----------
    path
        This project's .npz or a folder with its masks.npz; a suite2p plane folder or its
        stat.npy; CaImAn .hdf5; NWB .nwb.
    shape
        (row, col) of the field of view. It determines the order of axes of an NWB image mask, is
        required for NWB pixel masks, and replaces the size in suite2p's ops.npy.

    Raises
    ------
    MissingFileError, UnreadableFileError, RoisError, UnsafePickleError
    """
    if not path.exists():
        raise MissingFileError(
            what="the ROI file", path=path, remedy="give the file or folder that holds the ROIs"
        )
    if (path / MASKS_FILE).is_file():
        return Rois.load(path / MASKS_FILE)
    if path.is_dir() or path.name == "stat.npy":
        return _suite2p(path if path.is_dir() else path.parent, shape)
    if path.suffix == ".npz":
        return Rois.load(path)
    try:
        with h5py.File(path, "r") as file:
            return _caiman(file, path) if "estimates" in file else _nwb(file, path, shape)
    except (OSError, KeyError) as error:
        raise UnreadableFileError(
            what="the ROI file",
            path=path,
            expected="a .npz of ROIs, a suite2p folder, CaImAn .hdf5 or NWB",
            got=str(error),
        ) from error


def _suite2p(folder: Path, shape: tuple[int, int] | None) -> Rois:
    stat = arrays_from_pickle(_present(folder / "stat.npy"))
    cells = _iscell(folder / "iscell.npy", len(stat))
    rows, cols = _suite2p_shape(folder) if shape is None else shape
    neurons: Neurons = []
    for roi, is_cell in zip(stat, cells, strict=True):
        if is_cell:
            inside = (roi["ypix"] < rows) & (roi["xpix"] < cols) & (roi["lam"] > 0)
            flat = roi["ypix"][inside].astype(np.int64) * cols + roi["xpix"][inside]
            neurons.append((flat, roi["lam"][inside]))
    return _checked((rows, cols), neurons, folder)


def _suite2p_shape(folder: Path) -> tuple[int, int]:
    ops = arrays_from_pickle(_present(folder / "ops.npy")).item()
    return int(ops["Ly"]), int(ops["Lx"])


def _iscell(path: Path, count: int) -> NDArray[np.bool_]:
    if not path.exists():
        return np.ones(count, bool)
    iscell = np.atleast_2d(np.load(path, allow_pickle=False))
    if len(iscell) != count:
        raise RoisError(
            where=f"in {path}",
            got=f"iscell.npy has {len(iscell)} rows for {count} ROIs in stat.npy",
        )
    return np.asarray(iscell[:, 0] > 0)


def _caiman(file: h5py.File, path: Path) -> Rois:
    estimates = file["estimates"]
    rows, cols = (int(side) for side in estimates["dims"][()])
    matrix = estimates["A"]
    indptr, indices, data = (matrix[name][()] for name in ("indptr", "indices", "data"))
    accepted = estimates["idx_components"]
    chosen = accepted[()] if accepted.shape else range(len(indptr) - 1)
    neurons: Neurons = []
    for component in chosen:
        part = slice(indptr[component], indptr[component + 1])
        # CaImAn flattens images in column order.
        col, row = np.divmod(indices[part], rows)
        positive = data[part] > 0
        neurons.append(((row * cols + col)[positive], data[part][positive]))
    return _checked((rows, cols), neurons, path)


def _nwb(file: h5py.File, path: Path, shape: tuple[int, int] | None) -> Rois:
    tables: list[h5py.Group] = []
    file.visititems(lambda _, item: _keep_table(tables, item))
    if not tables:
        raise RoisError(where=f"in {path}", got="it contains no PlaneSegmentation")
    table = tables[0]
    accepted = table["Accepted"][()] > 0 if "Accepted" in table else np.ones(len(table["id"]), bool)
    if "image_mask" in table:
        return _image_rois(table["image_mask"], accepted, path=path, shape=shape)
    if "pixel_mask" in table and shape is not None:
        return _pixel_rois(table, accepted, path=path, shape=shape)
    raise RoisError(
        where=f"in {path}", got="no image_mask, or a pixel_mask while the field's size is unknown"
    )


def _keep_table(tables: list[h5py.Group], item: Any) -> None:
    if item.attrs.get("neurodata_type") == "PlaneSegmentation":
        tables.append(item)


def _image_rois(
    images: h5py.Dataset,
    accepted: NDArray[np.bool_],
    *,
    path: Path,
    shape: tuple[int, int] | None,
) -> Rois:
    """ROIs of an image mask; `shape` determines the order of its axes, which programs swap.

    Without a known shape, or in a square field, rows come first, as suite2p's converters write it.
    """
    turned = shape is not None and images.shape[1:] != shape and images.shape[:0:-1] == shape
    neurons: Neurons = []
    for number in np.flatnonzero(accepted):
        image = np.asarray(images[number])
        mask = image.T if turned else image
        flat = np.flatnonzero(mask > 0)
        neurons.append((flat, mask.reshape(-1)[flat]))
    rows, cols = images.shape[:0:-1] if turned else images.shape[1:]
    return _checked((rows, cols), neurons, path)


def _pixel_rois(
    table: h5py.Group, accepted: NDArray[np.bool_], *, path: Path, shape: tuple[int, int]
) -> Rois:
    ends = table["pixel_mask_index"][()].astype(np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    voxels = table["pixel_mask"][()]
    neurons: Neurons = []
    for number in np.flatnonzero(accepted):
        part = voxels[starts[number] : ends[number]]
        neurons.append((part["y"].astype(np.int64) * shape[1] + part["x"], part["weight"]))
    return _checked(shape, neurons, path)


def _checked(shape: tuple[int, int], neurons: Neurons, path: Path) -> Rois:
    try:
        return rois_from_lists(shape, [neuron for neuron in neurons if len(neuron[0])])
    except RoisError as error:
        raise RoisError(where=f"in {path}", got=str(error)) from error


def _present(path: Path) -> Path:
    if not path.exists():
        raise MissingFileError(
            what="suite2p's file", path=path, remedy="give the plane folder that suite2p wrote"
        )
    return path
