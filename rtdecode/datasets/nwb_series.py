"""What an NWB file holds of activity and screen, each with its times.

Labs name things differently, and the format lets them: series are found by their type and by the
words that their names share. Values stay on the disk until they are asked for.
"""

import importlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.errors import ExtraMissingError, MissingFileError, UnreadableFileError

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_DECONVOLVED = ("deconv", "spike", "event")
"""Words for it, the first that fits any name is taken: two may be of the same neurons."""
_PAUSE_STEPS = 5
"""So many usual steps between two samples are a pause, which nothing bridges."""
_LONGEST_REASON = 160


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Values at times; `read` fetches those of a slice."""

    t_s: F64
    read: Callable[[slice], NDArray[Any]]

    def between(self, at_s: F64) -> F64:
        """(time, ...) on the lines between samples, at rising times; ends are held."""
        begin_s, end_s = (at_s[0], at_s[-1]) if len(at_s) else (self.t_s[0], self.t_s[0])
        first = max(0, int(np.searchsorted(self.t_s, begin_s, side="right")) - 1)
        stop = min(len(self.t_s), int(np.searchsorted(self.t_s, end_s)) + 1)
        values = np.asarray(self.read(slice(first, stop)), np.float64)
        columns = values.reshape(len(values), -1).T
        told = [np.interp(at_s, self.t_s[first:stop], column) for column in columns]
        return np.stack(told, axis=1).reshape(len(at_s), *values.shape[1:])

    def covers(self, at_s: F64) -> NDArray[np.bool_]:
        """Whether these times lie between two samples, and in no pause."""
        after = np.searchsorted(self.t_s, at_s, side="right")
        inside = (after > 0) & (after < len(self.t_s))
        covered: NDArray[np.bool_] = inside & (at_s < ends_of(self.t_s)[after - 1])
        return covered


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """All that a session needs of a file."""

    file: Any
    """The file as pynwb reads it; open as long as this is."""
    activity: Sequence[Samples]
    """One for each plane; (time, neuron)."""
    shown: Sequence[Any]
    """Its stimuli with pictures, by name."""
    others: Sequence[Any]
    """All other series without pictures, behaviour among them."""


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
    deconvolved = _deconvolved(activity)
    if not deconvolved:
        expected = (
            "a RoiResponseSeries of deconvolved activity (a name with deconv, spike or event; "
            "deconvolve fluorescence first)"
        )
        raise unlike(path, expected, _listed(activity, "no RoiResponseSeries"))
    shown = sorted(file.stimulus.values(), key=lambda one: str(one.name))
    pictured = [one for one in shown if is_a(one, "ImageSeries") or is_a(one, "IndexSeries")]
    if not pictured:
        expected = "an ImageSeries, OpticalSeries or IndexSeries among its stimuli"
        raise unlike(path, expected, _listed(shown, "no stimulus"))
    used = {id(one) for one in (*activity, *shown)}
    others = [one for one in series if id(one) not in used and not is_a(one, "ImageSeries")]
    return Found(file, [_activity(one, path) for one in deconvolved], pictured, others)


def _deconvolved(activity: Sequence[Any]) -> list[Any]:
    for word in _DECONVOLVED:
        found = [one for one in activity if word in label_of(one).lower()]
        if found:
            return sorted(found, key=label_of)
    return []


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
        reason = shorten(str(error), _LONGEST_REASON, placeholder=" ...")
        raise unlike(path, "a whole file in the NWB format", reason) from error


def _activity(series: Any, path: Path) -> Samples:
    """(time, neuron) of the neurons that were accepted, where the file says which."""
    rois = np.asarray(series.rois.data[:])
    shape = series.data.shape
    columns = shape[1] if len(shape) > 1 else 1
    if columns != len(rois):
        got = f"{columns} columns of {len(rois)} neurons"
        raise unlike(path, f"a column for each of its neurons in '{series.name}'", got)
    table = series.rois.table
    accepted = next((name for name in table.colnames if name.lower() == "accepted"), None)
    kept = np.arange(columns)
    if accepted is not None:
        kept = np.flatnonzero(np.asarray(table[accepted][:])[rois] > 0)
    if not len(kept):
        raise unlike(path, f"accepted neurons in '{series.name}'", f"none of {columns}")
    samples = samples_of(series, path)

    def read(part: slice) -> NDArray[Any]:
        values = samples.read(part)
        return values.reshape(len(values), -1)[:, kept].clip(min=0)

    return Samples(samples.t_s, read)


def samples_of(series: Any, path: Path) -> Samples:
    """A series in the unit that it names."""
    factor, offset = float(series.conversion), float(series.offset)

    def read(part: slice) -> NDArray[Any]:
        return np.asarray(series.data[part]) * factor + offset

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


def ends_of(t_s: F64) -> F64:
    """Until when each sample holds: to the next one, or for the usual step before a pause."""
    if len(t_s) == 1:
        return t_s.copy()
    steps_s = np.diff(t_s)
    usual_s = float(np.median(steps_s))
    kept_s = np.where(steps_s > _PAUSE_STEPS * usual_s, usual_s, steps_s)
    ends_s: F64 = t_s + np.append(kept_s, usual_s)
    return ends_s


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
