"""Reads ROIs from files of this project, suite2p, CaImAn, EXTRACT and NWB, for the pipeline.

The format is recognised from the file. Here are the dispatch and suite2p; `roi_matrices` reads
CaImAn and EXTRACT, `roi_nwb` NWB.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.pickled_arrays import objects_of_npy
from rtdecode.calcium.roi_matrices import caiman_rois, extract_rois
from rtdecode.calcium.roi_nwb import nwb_rois
from rtdecode.calcium.rois import PixelLists, PixelWeights, Rois
from rtdecode.schema.array_files import (
    ContentError,
    array_of_npy,
    damage_named,
    require_regular,
)
from rtdecode.schema.config.calcium import MASKS_FILE
from rtdecode.schema.errors import MissingFileError, RoisError, UnreadableFileError

_WHAT = "the ROI file"
_SUITE2P = "suite2p's file"
_REMEDY = "give the file or folder that holds the ROIs"
_SIZE_FILES = ("ops.npy", "db.npy", "reg_outputs.npy")
"""Files of suite2p with the size of the field; ops.npy is written by default only."""


def read_rois(
    path: Path, *, shape: tuple[int, int] | None = None, table: str | None = None
) -> Rois:
    """ROIs of the accepted cells in `path`, in a field of `shape`, (row, col), if it is known.

    Raises
    ------
    RoisError
        If the size of the field is neither given nor in the file.
    MissingFileError, UnreadableFileError, RoisError, UnsafePickleError
        As `read_pixel_lists` and `PixelLists.placed` do.
    """
    found = read_pixel_lists(path, shape=shape, table=table)
    return found if isinstance(found, Rois) else found.placed(shape)


def read_pixel_lists(
    path: Path, *, shape: tuple[int, int] | None = None, table: str | None = None
) -> Rois | PixelLists:
    """ROIs of the accepted cells in `path`; those of other programs are not placed in a field yet.

    Parameters
    ----------
    path
        This project's .npz or a folder with its masks.npz; a suite2p plane folder or its
        stat.npy; CaImAn .hdf5; EXTRACT .mat (version 7.3); NWB .nwb.
    shape
        (row, col) of the field of view if it is known; a suite2p folder then needs no size.
    table
        Name or path of one PlaneSegmentation of an NWB file; None reads all of them.

    Raises
    ------
    MissingFileError, UnreadableFileError, RoisError, UnsafePickleError
    """
    with damage_named(path, what=_WHAT, expected="a path that can be read", remedy=_REMEDY):
        if not path.exists():
            raise MissingFileError(what=_WHAT, path=path, remedy=_REMEDY)
        is_folder, has_rois = path.is_dir(), (path / MASKS_FILE).is_file()
    if has_rois:
        return Rois.load(path / MASKS_FILE)
    if is_folder or path.name == "stat.npy":
        return _suite2p(path if is_folder else path.parent, shape)
    if path.suffix == ".npz":
        return Rois.load(path)
    return _of_hdf5(require_regular(path, what=_WHAT, remedy=_REMEDY), table)


def _of_hdf5(path: Path, table: str | None) -> PixelLists:
    expected = (
        "a .npz of ROIs, a suite2p folder, CaImAn .hdf5, EXTRACT .mat (saved with -v7.3) or NWB"
    )
    with (
        damage_named(path, what=_WHAT, expected=expected, remedy=_REMEDY),
        h5py.File(path, "r") as file,
    ):
        if "estimates" in file:
            return caiman_rois(file, path)
        return extract_rois(file, path) or nwb_rois(file, path, table=table)


def _suite2p(folder: Path, shape: tuple[int, int] | None) -> PixelLists:
    path = folder / "stat.npy"
    stat = _objects(path, expected="an array of ROIs as suite2p writes it")
    with damage_named(path, what=_SUITE2P, expected="the pixels of each ROI", remedy=_REMEDY):
        cells = accepted_cells(folder / "iscell.npy", len(stat))
        neurons = [_pixels(roi) for roi, is_cell in zip(stat, cells, strict=True) if is_cell]
    return PixelLists(neurons, _suite2p_shape(folder) or _required(shape, folder), str(folder))


def _pixels(roi: dict[str, NDArray[Any]]) -> PixelWeights:
    row, col, weight = (np.asarray(roi[name]) for name in ("ypix", "xpix", "lam"))
    kinds = (
        row.dtype.kind + col.dtype.kind in ("ii", "uu", "iu", "ui") and weight.dtype.kind in "fiu"
    )
    if not kinds or not row.shape == col.shape == weight.shape or row.ndim != 1:
        raise ContentError(f"ypix {row.shape}, xpix {col.shape} and lam {weight.shape} of one ROI")
    positive = weight > 0
    return row[positive], col[positive], weight[positive]


def _suite2p_shape(folder: Path) -> tuple[int, int] | None:
    """(Ly, Lx) of the first file that states them, or the size of its mean image."""
    for path in (folder / name for name in _SIZE_FILES):
        if not path.exists():
            continue
        settings = _objects(path, expected="a dictionary of settings")
        with damage_named(path, what=_SUITE2P, expected="Ly and Lx in px", remedy=_REMEDY):
            found = settings.item()
            if "Ly" in found and "Lx" in found:
                return int(found["Ly"]), int(found["Lx"])
            if np.ndim(found.get("meanImg", 0)) == len(("row", "col")):
                rows, cols = np.shape(found["meanImg"])
                return rows, cols
    return None


def _required(shape: tuple[int, int] | None, folder: Path) -> tuple[int, int]:
    if shape is not None:
        return shape
    present = [name for name in _SIZE_FILES if (folder / name).exists()]
    if not present:
        remedy = "give the plane folder that suite2p wrote, with ops.npy or db.npy"
        raise MissingFileError(what=_SUITE2P, path=folder / _SIZE_FILES[0], remedy=remedy)
    raise UnreadableFileError(
        what=_SUITE2P,
        path=folder / present[0],
        expected="the entries Ly and Lx, the size of the field in px",
        got=f"no Ly and Lx in {' or '.join(present)}",
    )


def accepted_cells(path: Path, count: int) -> NDArray[np.bool_]:
    """(ROI,) True for a cell: the first of two columns of iscell.npy, or one column of flags.

    All of `count` ROIs are cells where there is no such file. Raises RoisError if it has another
    number of rows, and as `array_of_npy`.
    """
    if not path.exists():
        return np.ones(count, bool)
    iscell = array_of_npy(path, what=_SUITE2P, expected="flags of cells", remedy=_REMEDY)
    columns = iscell.reshape(len(iscell), -1) if iscell.ndim else iscell.reshape(1, 1)
    if len(columns) != count:
        raise RoisError(
            where=f"in {path}",
            got=f"iscell.npy has {len(columns)} rows for {count} ROIs in stat.npy",
        )
    flags = columns[:, 0]
    if columns.shape[1] == 1 and not np.isin(flags, (0, 1)).all():
        raise RoisError(
            where=f"in {path}",
            got=f"its shape is {iscell.shape}, one column, with values other than flags 0 and 1",
        )
    return np.asarray(flags > 0)


def _objects(path: Path, *, expected: str) -> NDArray[Any]:
    remedy = "give the plane folder that suite2p wrote"
    return objects_of_npy(path, what=_SUITE2P, expected=expected, remedy=remedy)
