"""The calibration of a field of view, from the first seconds, stored for later sessions."""

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.rois import Rois
from rtdecode.schema.errors import CalibrationError, MissingFileError, UnreadableFileError

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Reference image, and baseline, noise, decay and activity statistics of each neuron."""

    reference_counts: F32
    """(row, col) mean of aligned scans."""
    scan_rate_hz: float
    baseline_counts: F32
    """(neuron,) baseline of the neuropil-corrected fluorescence."""
    neuropil_counts: F32
    """(neuron,) mean of the neuropil ring."""
    noise: F32
    """(neuron,) standard deviation of one scan's dF/F."""
    decay_tau_s: F32
    """(neuron,) time in s for a transient to decay to 1/e."""
    activity_quantiles: F32
    """(neuron, quantile) of activity in dF/F per second, evenly spaced from 0 to 1."""
    activity_mean: F32
    """(neuron,) in dF/F per second."""
    activity_sd: F32
    """(neuron,) in dF/F per second."""

    @property
    def count(self) -> int:
        """Number of neurons."""
        return len(self.baseline_counts)

    @property
    def shape(self) -> tuple[int, int]:
        """(row, col) of the field of view."""
        rows, cols = self.reference_counts.shape
        return rows, cols

    def check(self, rois: Rois) -> None:
        """Raise CalibrationError if number of neurons or shape differ from those of `rois`."""
        if self.count != rois.count:
            raise CalibrationError(expected=f"{rois.count} neurons", got=f"{self.count}")
        if self.shape != rois.shape:
            raise CalibrationError(
                expected=f"a reference image of shape {rois.shape}", got=f"{self.shape}"
            )

    def save(self, path: Path) -> None:
        """Write a .npz of plain arrays, without pickled objects."""
        np.savez_compressed(path, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Read a file that `save` wrote.

        Raises
        ------
        MissingFileError, UnreadableFileError
            If there is no file, or it is no calibration with finite values.
        """
        if not path.exists():
            raise MissingFileError(
                what="the calibration", path=path, remedy="leave it out to calibrate at the start"
            )
        try:
            with np.load(path, allow_pickle=False) as file:
                found = {f.name: file[f.name] for f in fields(cls)}
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise UnreadableFileError(
                what="the calibration", path=path, expected="a calibration .npz", got=str(error)
            ) from error
        rate = float(found.pop("scan_rate_hz"))
        arrays = {name: array.astype(np.float32) for name, array in found.items()}
        if not all(np.isfinite(array).all() for array in arrays.values()) or not rate > 0:
            raise UnreadableFileError(
                what="the calibration", path=path, expected="finite numbers", got="NaN or infinity"
            )
        return cls(scan_rate_hz=rate, **arrays)
