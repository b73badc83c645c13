"""Running speed and pupil of an NWB file, as behaviour channels of a session.

Series are identified by words in their own name and in that of their container. A missing channel
is 0, as in sessions of rtdecode: a constant channel does not affect a twin's prediction.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.nwb_series import F32, F64, Samples, label_of, samples_of

_SPEED = re.compile(r"speed|velocity", re.IGNORECASE)
_RUNNING = re.compile(r"running|treadmill|locomotion|wheel|speed|velocity", re.IGNORECASE)
_EYE = re.compile(r"pupil|eye|gaze", re.IGNORECASE)
_CM_S = {"cm": 1.0, "centi": 1.0, "mm": 0.1, "milli": 0.1, "m/": 100.0, "m ": 100.0, "met": 100.0}
"""Factor to cm/s by the beginning of the unit; values in other units are not converted."""
_SIZES: dict[str, Callable[[F64], F64]] = {  # to the diameter
    "diameter": lambda value: value,
    "radius": lambda value: 2 * value,
    "area": lambda value: 2 * np.sqrt(value / np.pi),
}


@dataclass(frozen=True, slots=True, eq=False)
class Behaviour:
    """Running speed, pupil diameter and pupil centre; None where the file has no such series."""

    running_cm_s: Samples | None
    pupil_diameter: Samples | None
    pupil_center: Samples | None

    def at(self, at_s: F64) -> F32:
        """(time, 4) in the channel order of `Segment.behaviour`, at ascending times in s."""
        columns = np.zeros((len(at_s), 4), np.float32)
        for samples, place in (
            (self.running_cm_s, slice(0, 1)),
            (self.pupil_diameter, slice(1, 2)),
            (self.pupil_center, slice(2, 4)),
        ):
            if samples is not None:
                columns[:, place] = samples.between(at_s).reshape(len(at_s), -1)
        return columns


def behaviour_of(series: Sequence[Any], path: Path) -> Behaviour:
    """Find behaviour among series without images.

    Raises
    ------
    UnreadableFileError
        If a chosen series has timestamps that do not match its values or do not rise.
    """
    numbers = [one for one in series if np.dtype(one.data.dtype).kind in "fiu"]
    by_name = sorted(numbers, key=label_of)
    single = [one for one in by_name if len(one.data.shape) == 1]
    return Behaviour(
        _running(single, path),
        _pupil_diameter(single, path),
        _pupil_center([one for one in by_name if len(one.data.shape) == 2], path),  # noqa: PLR2004
    )


def _running(series: Sequence[Any], path: Path) -> Samples | None:
    """Running speed; a series named speed or velocity is preferred to others of a wheel."""
    found = [one for one in series if _RUNNING.search(label_of(one))]
    found = [one for one in found if not _EYE.search(label_of(one))]
    if not found:
        return None
    best = next((one for one in found if _SPEED.search(str(one.name))), found[0])
    unit = str(best.unit).lower()
    factor = next((cm for word, cm in _CM_S.items() if unit.startswith(word)), 1.0)
    return _converted(samples_of(best, path), lambda value: factor * value)


def _pupil_diameter(series: Sequence[Any], path: Path) -> Samples | None:
    for word, convert in _SIZES.items():
        for one in series:
            label = label_of(one).lower()
            if "pupil" in label and word in label:
                return _converted(samples_of(one, path), convert)
    return None


def _pupil_center(series: Sequence[Any], path: Path) -> Samples | None:
    """Pupil centre; other positions of the eye, as the corneal reflection, come second."""
    found = [one for one in series if one.data.shape[1] > 1 and _EYE.search(label_of(one))]
    if not found:
        return None
    best = next((one for one in found if "pupil" in str(one.name).lower()), found[0])
    return _converted(samples_of(best, path), lambda value: value[:, :2])


def _converted(samples: Samples, convert: Callable[[F64], F64]) -> Samples:
    """Samples in other units, in memory; NaN, as in a blink, is interpolated linearly."""
    values = convert(np.asarray(samples.read(slice(None)), np.float64))
    columns = values.reshape(len(values), -1).T.copy()
    for column in columns:
        known = np.isfinite(column)
        column[:] = np.interp(samples.t_s, samples.t_s[known], column[known]) if known.any() else 0
    converted: NDArray[Any] = columns.T.reshape(values.shape)
    return Samples(samples.t_s, lambda part: converted[part])
