"""What the animal did while an NWB file was recorded: running and pupil.

Series are found by the words in their names and in those of what holds them. What is not there is
0, as in our own sessions: a channel that never moves says nothing to a twin.
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
"""Centimetres a second by how a unit begins; others are taken as they are."""
_SIZES: dict[str, Callable[[F64], F64]] = {
    "diameter": lambda told: told,
    "radius": lambda told: 2 * told,
    "area": lambda told: 2 * np.sqrt(told / np.pi),
}


@dataclass(frozen=True, slots=True, eq=False)
class Behaviour:
    """Running, pupil diameter and pupil centre, each as far as the file has it."""

    running_cm_s: Samples | None
    pupil_diameter: Samples | None
    pupil_center: Samples | None

    def at(self, at_s: F64) -> F32:
        """(time, 4) in the order of a `Segment`, at rising times."""
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
    """Find it among series that hold no pictures; UnreadableFileError where times do not fit."""
    numbers = [one for one in series if np.dtype(one.data.dtype).kind in "fiu"]
    by_name = sorted(numbers, key=label_of)
    single = [one for one in by_name if len(one.data.shape) == 1]
    return Behaviour(
        _running(single, path),
        _pupil_diameter(single, path),
        _pupil_center([one for one in by_name if len(one.data.shape) == 2], path),  # noqa: PLR2004
    )


def _running(series: Sequence[Any], path: Path) -> Samples | None:
    """A speed before anything else that a wheel tells."""
    told = [one for one in series if _RUNNING.search(label_of(one))]
    told = [one for one in told if not _EYE.search(label_of(one))]
    if not told:
        return None
    best = next((one for one in told if _SPEED.search(str(one.name))), told[0])
    unit = str(best.unit).lower()
    factor = next((cm for word, cm in _CM_S.items() if unit.startswith(word)), 1.0)
    return _bridged(samples_of(best, path), lambda told: factor * told)


def _pupil_diameter(series: Sequence[Any], path: Path) -> Samples | None:
    for word, change in _SIZES.items():
        for one in series:
            label = label_of(one).lower()
            if "pupil" in label and word in label:
                return _bridged(samples_of(one, path), change)
    return None


def _pupil_center(series: Sequence[Any], path: Path) -> Samples | None:
    """That of the pupil before anything else of an eye, as the reflection of a lamp."""
    told = [one for one in series if one.data.shape[1] > 1 and _EYE.search(label_of(one))]
    if not told:
        return None
    best = next((one for one in told if "pupil" in str(one.name).lower()), told[0])
    return _bridged(samples_of(best, path), lambda told: told[:, :2])


def _bridged(samples: Samples, change: Callable[[F64], F64]) -> Samples:
    """In other units, in memory, on the line where it was not known, as during a blink."""
    values = change(np.asarray(samples.read(slice(None)), np.float64))
    columns = values.reshape(len(values), -1).T.copy()
    for column in columns:
        known = np.isfinite(column)
        column[:] = np.interp(samples.t_s, samples.t_s[known], column[known]) if known.any() else 0
    bridged: NDArray[Any] = columns.T.reshape(values.shape)
    return Samples(samples.t_s, lambda part: bridged[part])
