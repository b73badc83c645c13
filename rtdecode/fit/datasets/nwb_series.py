"""What an NWB file holds of activity, screen and behaviour, each with its times.

Labs name things differently, and the format lets them: series are found by their type and by the
words that their names share. Values stay on the disk until they are asked for.
"""

import importlib
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.errors import ExtraMissingError, MissingFileError, UnreadableFileError

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ACTIVITY = re.compile(r"deconv|spike|event", re.IGNORECASE)
_RUNNING = re.compile(r"running|treadmill|locomotion|wheel|speed|velocity", re.IGNORECASE)
_PUPIL = re.compile(r"pupil", re.IGNORECASE)
_EYE = re.compile(r"pupil|eye|gaze", re.IGNORECASE)
_SIZES: dict[str, Callable[[F64], F64]] = {
    "diameter": lambda told: told,
    "radius": lambda told: 2 * told,
    "area": lambda told: 2 * np.sqrt(told / np.pi),
}
_CM_A_METRE = 100


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Values at times; `read` fetches those of a slice."""

    t_s: F64
    read: Callable[[slice], NDArray[Any]]

    def between(self, at_s: F64) -> F64:
        """(time, ...) on the lines between samples, at rising times; ends are held."""
        first = max(0, int(np.searchsorted(self.t_s, at_s[0], side="right")) - 1)
        stop = min(len(self.t_s), int(np.searchsorted(self.t_s, at_s[-1])) + 1)
        values = np.asarray(self.read(slice(first, stop)), np.float64)
        columns = values.reshape(len(values), -1).T
        told = [np.interp(at_s, self.t_s[first:stop], column) for column in columns]
        return np.stack(told, axis=1).reshape(len(at_s), *values.shape[1:])


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """All that a session needs of a file."""

    file: Any
    """The file as pynwb reads it; open as long as this is."""
    activity: Sequence[Samples]
    """One for each plane; (time, neuron)."""
    shown: Sequence[Any]
    """Its stimuli with pictures, by name."""
    running_cm_s: Samples | None
    pupil_diameter: Samples | None
    pupil_center: Samples | None


def read_nwb(path: Path) -> Found:
    """Find everything in the file at `path`.

    Raises
    ------
    ExtraMissingError
        Without pynwb.
    MissingFileError, UnreadableFileError
        If it is not there, is no NWB file, or has no deconvolved activity or no pictures in it; the
        message lists what it has.
    """
    file = _opened(path)
    series = [item for item in file.objects.values() if is_a(item, "TimeSeries")]
    activity = [one for one in series if is_a(one, "RoiResponseSeries")]
    deconvolved = sorted((one for one in activity if _ACTIVITY.search(label_of(one))), key=label_of)
    if not deconvolved:
        expected = (
            "a RoiResponseSeries of deconvolved activity (a name with deconv, spike or event)"
        )
        raise unlike(path, expected, _listed(activity, "no RoiResponseSeries"))
    shown = sorted(file.stimulus.values(), key=lambda one: str(one.name))
    pictured = [one for one in shown if is_a(one, "ImageSeries") or is_a(one, "IndexSeries")]
    if not pictured:
        expected = "an ImageSeries, OpticalSeries or IndexSeries among its stimuli"
        raise unlike(path, expected, _listed(shown, "no stimulus"))
    plain = [one for one in series if one not in activity and one not in shown]
    return Found(
        file,
        [_activity(one, path) for one in deconvolved],
        pictured,
        _running(plain, path),
        _pupil_diameter(plain, path),
        _pupil_center(plain, path),
    )


def _opened(path: Path) -> Any:
    try:
        pynwb = importlib.import_module("pynwb")
    except ImportError as error:
        raise ExtraMissingError(package="pynwb", extra="nwb") from error
    if not path.is_file():
        raise MissingFileError(what="session", path=path, remedy="give a .nwb file that is there")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what whoever wrote the file could do better
            return pynwb.NWBHDF5IO(str(path), "r", load_namespaces=True).read()
    except Exception as error:  # h5py and pynwb raise whatever they stumble over
        raise unlike(path, "a whole file in the NWB format", str(error)) from error


def _activity(series: Any, path: Path) -> Samples:
    """Activity of the neurons that were accepted, where the file says which."""
    kept: Any = slice(None)
    rois = series.rois
    column = next((name for name in rois.table.colnames if name.lower() == "accepted"), None)
    if column is not None:
        kept = np.flatnonzero(np.asarray(rois.table[column][:])[np.asarray(rois.data[:])] > 0)
    samples = samples_of(series, path)
    return Samples(samples.t_s, lambda part: samples.read(part).clip(min=0)[:, kept])


def _running(series: Sequence[Any], path: Path) -> Samples | None:
    """Speed; metres a second unless the unit says centimetres."""
    for one in series:
        if _RUNNING.search(label_of(one)) and len(one.data.shape) == 1:
            speed = samples_of(one, path)
            in_cm = str(one.unit).startswith("cm")
            return _changed(speed, lambda told: told) if in_cm else _changed(speed, _cm_of_metres)
    return None


def _cm_of_metres(told: F64) -> F64:
    return told * _CM_A_METRE


def _pupil_diameter(series: Sequence[Any], path: Path) -> Samples | None:
    for word, change in _SIZES.items():
        for one in series:
            label = label_of(one).lower()
            if _PUPIL.search(label) and word in label and len(one.data.shape) == 1:
                return _changed(samples_of(one, path), change)
    return None


def _pupil_center(series: Sequence[Any], path: Path) -> Samples | None:
    for one in series:
        if _EYE.search(label_of(one)) and len(one.data.shape) > 1 and one.data.shape[1] > 1:
            return _changed(samples_of(one, path), lambda told: told[:, :2])
    return None


def _changed(samples: Samples, change: Callable[[F64], F64]) -> Samples:
    """In other units, and bridged where it was not known, as during a blink; in memory."""
    values = change(np.asarray(samples.read(slice(None)), np.float64))
    columns = values.reshape(len(values), -1).T.copy()
    for column in columns:
        known = np.isfinite(column)
        column[:] = np.interp(samples.t_s, samples.t_s[known], column[known]) if known.any() else 0
    bridged = columns.T.reshape(values.shape)
    return Samples(samples.t_s, lambda part: bridged[part])


def samples_of(series: Any, path: Path) -> Samples:
    """A series in the unit that it names."""
    factor = float(series.conversion)

    def read(part: slice) -> NDArray[Any]:
        values = np.asarray(series.data[part])
        return values * factor if factor != 1 else values

    return Samples(times_of(series, path), read)


def times_of(series: Any, path: Path) -> F64:
    """Times of its samples, in s; UnreadableFileError unless there are as many, and they rise."""
    count, where = len(series.data), f"'{series.name}'"
    if series.timestamps is not None:
        t_s = np.asarray(series.timestamps[:], np.float64)
    else:
        t_s = series.starting_time + np.arange(count) / series.rate
    if count == 0 or len(t_s) != count:
        raise unlike(path, f"as many times as values in {where}", f"{len(t_s)} and {count}")
    falling = np.flatnonzero(~(np.diff(t_s) > 0))
    if len(falling):
        got = f"{t_s[falling[0] + 1]} s at sample {falling[0] + 1}"
        raise unlike(path, f"rising times in {where}", got)
    return t_s


def is_a(item: Any, kind: str) -> bool:
    """Whether `item` is of this type of the format, or of one that extends it."""
    return any(base.__name__ == kind for base in type(item).__mro__)


def label_of(series: Any) -> str:
    """Name of a series after that of what holds it, which is often the one that tells."""
    return f"{series.parent.name if series.parent is not None else ''}/{series.name}"


def _listed(series: Sequence[Any], none: str) -> str:
    return ", ".join(f"{type(one).__name__} '{label_of(one)}'" for one in series) or none


def unlike(path: Path, expected: str, got: str) -> UnreadableFileError:
    """The file lacks something."""
    return UnreadableFileError(what="NWB session", path=path, expected=expected, got=got)
