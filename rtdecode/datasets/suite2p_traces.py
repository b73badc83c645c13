"""Fluorescence that suite2p extracted: `F.npy`, `Fneu.npy` and `iscell.npy` of a plane folder."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.pickled_arrays import objects_of_npy
from rtdecode.calcium.roi_files import accepted_cells
from rtdecode.datasets.timed_table import times_of_scans
from rtdecode.schema.array_files import damage_named, mapped_array_of_npy
from rtdecode.schema.errors import (
    MissingOptionError,
    NonFiniteError,
    UnreadableFileError,
)

F32 = NDArray[np.float32]

_WHAT = "suite2p's file"
_REMEDY = "give the plane folder that suite2p wrote, with F.npy and Fneu.npy"
_RANK = 2


@dataclass(frozen=True, slots=True, eq=False)
class RoiTraces:
    """Fluorescence of the accepted cells of one recording."""

    f_raw: F32
    """(scan, neuron) means of the ROIs, before neuropil correction."""
    f_neuropil: F32
    """(scan, neuron) means of the rings around them; zeros where none was measured."""
    t_s: NDArray[np.float64]
    """(scan,) middle of each scan in s."""

    @property
    def scan_rate_hz(self) -> float:
        """Imaging rate in Hz."""
        return float(1 / np.median(np.diff(self.t_s)))


def read_suite2p_traces(
    folder: Path, *, scan_times: Path | None = None, scan_rate_hz: float | None = None
) -> RoiTraces:
    """The traces of a plane folder.

    Parameters
    ----------
    scan_times
        Text or .npy file with the middle of each scan, in s, on the clock of the stimulus log.
    scan_rate_hz
        Imaging rate in Hz of a recording whose first scan begins at 0 s; by default `fs` of
        ops.npy. Not used with `scan_times`.

    Raises
    ------
    MissingFileError, UnreadableFileError, RoisError, UnsafePickleError
        If a file is missing, damaged, or has another number of ROIs or scans than F.npy.
    NonFiniteError
        If a trace contains NaN or infinity.
    MissingOptionError
        If the imaging rate is stated nowhere.
    """
    f_raw = _traces(folder / "F.npy")
    f_neuropil = _traces(folder / "Fneu.npy")
    if f_neuropil.shape != f_raw.shape:
        raise UnreadableFileError(
            what=_WHAT,
            path=folder / "Fneu.npy",
            expected=f"the shape of F.npy, {f_raw.shape}",
            got=str(f_neuropil.shape),
        )
    cells = accepted_cells(folder / "iscell.npy", len(f_raw))
    if not cells.any():
        raise UnreadableFileError(
            what=_WHAT,
            path=folder / "iscell.npy",
            expected="at least one accepted cell",
            got="none",
            remedy="accept cells in suite2p's window",
        )
    scans = f_raw.shape[1]
    if scan_times is not None:
        t_s = times_of_scans(scan_times, scans=scans)
    else:
        rate_hz = scan_rate_hz or _stated_rate_hz(folder / "ops.npy")
        t_s = (np.arange(scans, dtype=np.float64) + 0.5) / rate_hz
    return RoiTraces(
        np.ascontiguousarray(f_raw[cells].T, np.float32),
        np.ascontiguousarray(f_neuropil[cells].T, np.float32),
        t_s,
    )


def _traces(path: Path) -> NDArray[np.generic]:
    """(ROI, scan) of a file of traces."""
    expected = "(ROI, scan) fluorescence"
    traces = mapped_array_of_npy(path, what=_WHAT, expected=expected, remedy=_REMEDY)
    if traces.ndim != _RANK or 0 in traces.shape:
        raise UnreadableFileError(
            what=_WHAT, path=path, expected=expected, got=f"shape {traces.shape}", remedy=_REMEDY
        )
    if not np.isfinite(traces).all():
        raise NonFiniteError(path=path, where="a trace")
    return traces


def _stated_rate_hz(path: Path) -> float:
    """`fs` of ops.npy; MissingOptionError where it states none."""
    if path.exists():
        found = objects_of_npy(
            path, what=_WHAT, expected="a dictionary of settings", remedy=_REMEDY
        )
        with damage_named(path, what=_WHAT, expected="the imaging rate fs in Hz", remedy=_REMEDY):
            rate_hz = float(found.item().get("fs", 0))
        if rate_hz > 0:
            return rate_hz
    raise MissingOptionError(
        option="--scan-times or --scan-rate-hz", needed_for=f"traces without {path.name} and its fs"
    )
