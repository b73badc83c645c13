"""The calibration of a field of view, stored for later sessions, and the twin units made with it.

`Calibration` holds the statistics of the first seconds; `Rescaler` converts activity in dF/F per
second to the statistics of the twin's training data.
"""

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.rois import Rois
from rtdecode.schema.array_files import arrays_of_npz
from rtdecode.schema.arrays import MAX_PIXELS, content_hash
from rtdecode.schema.atomic_file import written_atomically
from rtdecode.schema.config.calcium import Rescale
from rtdecode.schema.errors import CalibrationError, UnreadableFileError

F32 = NDArray[np.float32]
_RANKS = {"reference_counts": 2, "scan_rate_hz": 0, "activity_quantiles": 2}
"""Number of axes of each array in the file; 1 for the others."""
_OF_THE_FIELD = ("reference_counts", "scan_rate_hz")
"""Arrays without an axis of neurons."""
_ROIS_HASH = "rois_hash"
_SINCE_LATER = (_ROIS_HASH, "rise_tau_s")
"""Entries that files of earlier versions lack."""
_WHAT, _EXPECTED = "the calibration", "the calibration.npz of a session"
_REMEDY = "give that of another session, or leave it out to calibrate at the start"
_SMALLEST_SD = 1e-6
_WIDEST_DRIFT = 2.0
"""Largest factor of the drift correction; larger changes indicate another field of view."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Reference image, and baseline, noise, kinetics and activity statistics of each neuron."""

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
    rois_hash: str = ""
    """Content hash of the ROIs that it was measured with (`Rois.hash`); empty if unknown."""
    rise_tau_s: F32 | None = None
    """(neuron,) rise time constant in s that is deconvolved; None in files of earlier versions."""

    @property
    def hash(self) -> str:
        """Hash of the content."""
        return content_hash(*self._arrays().values(), self.rois_hash)

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
        """Raise CalibrationError if it was not measured with `rois`, compared by content.

        Where its ROIs are unknown, the number of neurons and the shape are compared.
        """
        if self.count != rois.count:
            raise CalibrationError(expected=f"{rois.count} neurons", got=f"{self.count}")
        if self.shape != rois.shape:
            raise CalibrationError(
                expected=f"a reference image of shape {rois.shape}", got=f"{self.shape}"
            )
        if self.rois_hash not in ("", rois.hash):
            raise CalibrationError(
                expected=f"the ROIs with the content hash {rois.hash}", got=self.rois_hash
            )

    def save(self, path: Path) -> None:
        """Write a .npz of plain arrays, without pickled objects."""
        digits = np.frombuffer(bytes.fromhex(self.rois_hash), np.uint8)
        with written_atomically(path) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(file, rois_hash=digits, **self._arrays())

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Read a file that `save` wrote.

        Raises
        ------
        MissingFileError, UnreadableFileError
            If there is no file, or it is no calibration with finite values.
        """
        found = arrays_of_npz(
            path,
            [field.name for field in fields(cls) if field.name not in _SINCE_LATER],
            what=_WHAT,
            expected=_EXPECTED,
            remedy=_REMEDY,
            optional=_SINCE_LATER,
        )
        digits = found.pop(_ROIS_HASH, np.zeros(0)).astype(np.uint8)
        if mistake := _mistake(found):
            raise UnreadableFileError(
                what=_WHAT, path=path, expected=_EXPECTED, got=mistake, remedy=_REMEDY
            )
        rate = float(found.pop("scan_rate_hz"))
        return cls(
            scan_rate_hz=rate,
            rois_hash=digits.tobytes().hex(),
            **{name: array.astype(np.float32) for name, array in found.items()},
        )

    def _arrays(self) -> dict[str, Any]:
        names = (field.name for field in fields(self) if field.name != _ROIS_HASH)
        found = {name: getattr(self, name) for name in names}
        return {name: np.asarray(value) for name, value in found.items() if value is not None}


def _mistake(found: dict[str, NDArray[Any]]) -> str:
    """A phrase for the first inconsistency of the arrays; empty if there is none."""
    for name, array in found.items():
        if array.ndim != _RANKS.get(name, 1):
            return f"{name} of shape {array.shape}"
        largest = np.abs(array.astype(np.float64)).max(initial=0)
        if not largest <= np.finfo(np.float32).max:
            return f"NaN or infinity in {name}"
    per_neuron = {len(array) for name, array in found.items() if name not in _OF_THE_FIELD}
    if len(per_neuron) > 1:
        return f"arrays of {sorted(per_neuron)} neurons"
    if found["reference_counts"].size > MAX_PIXELS:
        return f"a reference image of shape {found['reference_counts'].shape}"
    return "" if found["scan_rate_hz"] > 0 else f"a scan rate of {found['scan_rate_hz']} Hz"


class Rescaler:
    """Maps each neuron's activity to the statistics of the twin's training data.

    Parameters
    ----------
    kind
        IDENTITY leaves activity unchanged; MOMENT scales it to the target's standard deviation, x
        sd_target / sd_measured; QUANTILE maps its quantiles to those of the target.
    measured
        Activity statistics of this field of view, from its calibration.
    target
        Statistics of the twin's training data; None for a standard deviation of 1.
    drift_scans
        Time constant in scans of the drift correction: activity is multiplied by the calibrated
        mean over an exponential moving average, bounded to a factor of 2. None for no correction.
    followed_scans
        Number of scans after which the correction is frozen; None for never.
    """

    def __init__(
        self,
        kind: Rescale,
        *,
        measured: Calibration,
        target: Calibration | None = None,
        drift_scans: float | None = None,
        followed_scans: float | None = None,
    ) -> None:
        self._kind = kind
        sd = np.maximum(measured.activity_sd, _SMALLEST_SD)
        self._gain = np.ones(measured.count, np.float32) if target is None else target.activity_sd
        if kind is Rescale.IDENTITY:
            self._gain = np.ones(measured.count, np.float32)
        else:
            self._gain = (self._gain / sd).astype(np.float32)
        self._from = measured.activity_quantiles
        self._to = (
            measured.activity_quantiles / sd[:, None]
            if target is None
            else target.activity_quantiles
        ).astype(np.float32)
        self._expected = np.maximum(measured.activity_mean, _SMALLEST_SD)
        self._mean = self._expected.copy()
        self._rate = 0.0 if drift_scans is None else 1 - math.exp(-1 / drift_scans)
        self._scans_to_follow = 0.0
        if drift_scans is not None:
            self._scans_to_follow = math.inf if followed_scans is None else followed_scans

    def rescaled(
        self, activity: NDArray[np.float32], measured: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """(neuron,) activity in twin units; at least 0 for QUANTILE."""
        if self._scans_to_follow > 0:
            self._scans_to_follow -= 1
            change = np.float32(self._rate) * (activity - self._mean)
            self._mean = np.where(measured, self._mean + change, self._mean)
        steady = activity
        if self._rate > 0:
            # gain that restores the calibrated mean
            drift = np.clip(self._expected / self._mean, 1 / _WIDEST_DRIFT, _WIDEST_DRIFT)
            steady = (activity * drift).astype(np.float32)
        if self._kind is Rescale.QUANTILE:
            return _through_quantiles(steady, self._from, self._to)
        return (steady * self._gain).astype(np.float32)


def _through_quantiles(
    activity: NDArray[np.float32], source: NDArray[np.float32], target: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(neuron,) piecewise linear map of each neuron's quantiles, proportional beyond the last."""
    count, steps = source.shape
    place = np.clip((source <= activity[:, None]).sum(1) - 1, 0, steps - 2)
    rows = np.arange(count)
    low, high = source[rows, place], source[rows, place + 1]
    part = np.where(high > low, (activity - low) / np.maximum(high - low, _SMALLEST_SD), 0)
    inner = target[rows, place] + np.clip(part, 0, 1) * (
        target[rows, place + 1] - target[rows, place]
    )
    top, top_target = np.maximum(source[:, -1], _SMALLEST_SD), target[:, -1]
    # calibration is short: larger transients follow, and must not be clipped
    beyond = activity > source[:, -1]
    mapped = np.where(beyond, top_target * activity / top, inner)
    return np.maximum(mapped, 0).astype(np.float32)
