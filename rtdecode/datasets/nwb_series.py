"""Activity and stimulus series of an NWB file with their timestamps, for `nwb_session`.

The format does not prescribe names, so series are identified by type and by words in their names.
Values are read from disk when they are requested.
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

from rtdecode.calcium.roi_nwb import accepted_column, accepted_rows
from rtdecode.datasets.nwb_export import ACTIVITY, export_in
from rtdecode.schema.errors import ExtraMissingError, MissingFileError, UnreadableFileError

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_DECONVOLVED = ("deconv", "spike", "event")
"""Only series with the first word that occurs are used: others may repeat the same neurons."""
_PAUSE_STEPS = 5
"""A gap of more than this many median steps between samples is a pause, not interpolated."""
_LONGEST_REASON = 160
_SAME_S = 1e-6
"""Times that differ by less are the same: rates and nanoseconds are rounded."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Values at ascending times in s; `read` fetches the values of a slice."""

    t_s: F64
    read: Callable[[slice], NDArray[Any]]

    def between(self, at_s: F64) -> F64:
        """(time, ...) interpolated linearly at ascending times; constant beyond both ends.

        At a time within 1 µs of a sample it is that sample, whatever its neighbours are.
        """
        at_s = self._at_samples(at_s)
        begin_s, end_s = (at_s[0], at_s[-1]) if len(at_s) else (self.t_s[0], self.t_s[0])
        first = max(0, int(np.searchsorted(self.t_s, begin_s, side="right")) - 1)
        stop = min(len(self.t_s), int(np.searchsorted(self.t_s, end_s)) + 1)
        values = np.asarray(self.read(slice(first, stop)), np.float64)
        columns = values.reshape(len(values), -1).T
        interpolated = [np.interp(at_s, self.t_s[first:stop], column) for column in columns]
        return np.stack(interpolated, axis=1).reshape(len(at_s), *values.shape[1:])

    def _at_samples(self, at_s: F64) -> F64:
        """`at_s`, with the times of samples for those that differ by rounding alone."""
        last = len(self.t_s) - 1
        after = np.searchsorted(self.t_s, at_s).clip(0, last)
        before = (after - 1).clip(0)
        nearer = np.where(at_s - self.t_s[before] < self.t_s[after] - at_s, before, after)
        nearest_s = self.t_s[nearer]
        return np.where(np.abs(nearest_s - at_s) < _SAME_S, nearest_s, at_s)

    def covers(self, at_s: F64) -> NDArray[np.bool_]:
        """(time,) True between two samples, outside pauses."""
        after = np.searchsorted(self.t_s, at_s, side="right")
        inside = (after > 0) & (after < len(self.t_s))
        covered: NDArray[np.bool_] = inside & (at_s < ends_of(self.t_s)[after - 1])
        return covered


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The series of a file that a session uses."""

    file: Any
    """The file as pynwb reads it; it stays open while this value exists."""
    activity: Sequence[Samples]
    """(time, neuron) for each imaging plane."""
    stimuli: Sequence[Any]
    """Stimulus series with images, sorted by name."""
    others: Sequence[Any]
    """All other series without images; behaviour is among them."""


def read_nwb(path: Path) -> Found:
    """Find activity, stimuli and other series in the file at `path`.

    Raises
    ------
    ExtraMissingError
        If pynwb is not installed.
    MissingFileError, UnreadableFileError
        If the file does not exist, is not NWB, or holds no deconvolved activity or no stimulus
        images; the message lists the series that were found.
    """
    file = _opened(path)
    series = [item for item in file.objects.values() if is_a(item, "TimeSeries")]
    activity = [one for one in series if is_a(one, "RoiResponseSeries")]
    exported = [one for one in activity if label_of(one).startswith(f"{ACTIVITY}/")]
    is_export = export_in(file) is not None and exported
    deconvolved = sorted(exported, key=label_of) if is_export else _deconvolved(activity)
    if not deconvolved:
        expected = (
            "a RoiResponseSeries of deconvolved activity (a name with deconv, spike or event; "
            "deconvolve fluorescence first)"
        )
        raise unlike(path, expected, _listed(activity, "no RoiResponseSeries"))
    stimuli = sorted(file.stimulus.values(), key=lambda one: str(one.name))
    images = [one for one in stimuli if is_a(one, "ImageSeries") or is_a(one, "IndexSeries")]
    if not images:
        expected = "an ImageSeries, OpticalSeries or IndexSeries among its stimuli"
        raise unlike(path, expected, _listed(stimuli, "no stimulus"))
    used = {id(one) for one in (*activity, *stimuli)}
    others = [one for one in series if id(one) not in used and not is_a(one, "ImageSeries")]
    return Found(file, [_activity(one, path) for one in deconvolved], images, others)


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
        raise MissingFileError(what="session", path=path, remedy="check the path of the .nwb file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pynwb's advice concerns the file's author
            return pynwb.NWBHDF5IO(str(path), "r", load_namespaces=True).read()
    except Exception as error:  # h5py and pynwb raise errors of many classes on damaged files
        reason = shorten(str(error), _LONGEST_REASON, placeholder=" ...")
        raise unlike(path, "a complete file in the NWB format", reason) from error


def _activity(series: Any, path: Path) -> Samples:
    """(time, neuron); only accepted neurons if the ROI table has a column that marks them."""
    rois = np.asarray(series.rois.data[:])
    shape = series.data.shape
    columns = shape[1] if len(shape) > 1 else 1
    if columns != len(rois):
        got = f"{columns} columns for {len(rois)} neurons"
        raise unlike(path, f"one column for each neuron in '{series.name}'", got)
    table = series.rois.table
    accepted = accepted_column(table.colnames)
    kept = np.arange(columns)
    if accepted is not None:
        kept = np.flatnonzero(accepted_rows(np.asarray(table[accepted][:]))[rois])
    if not len(kept):
        raise unlike(path, f"at least one accepted neuron in '{series.name}'", f"none of {columns}")
    samples = samples_of(series, path)

    def read(part: slice) -> NDArray[Any]:
        values = samples.read(part)
        return values.reshape(len(values), -1)[:, kept].clip(min=0)

    return Samples(samples.t_s, read)


def samples_of(series: Any, path: Path) -> Samples:
    """Samples of a series, converted to the unit that the series states."""
    factor, offset = float(series.conversion), float(series.offset)

    def read(part: slice) -> NDArray[Any]:
        return np.asarray(series.data[part]) * factor + offset

    return Samples(times_of(series, path), read)


def times_of(series: Any, path: Path) -> F64:
    """Timestamps in s; UnreadableFileError unless they rise and match the number of values."""
    count, where = len(series.data), f"'{series.name}'"
    if series.timestamps is not None:
        t_s = np.asarray(series.timestamps[:], np.float64)
    else:
        t_s = series.starting_time + np.arange(count) / series.rate
    if count == 0 or len(t_s) != count:
        raise unlike(
            path,
            f"one timestamp for each value in {where}",
            f"{len(t_s)} timestamps, {count} values",
        )
    falling = np.flatnonzero(~(np.diff(t_s) > 0))
    if len(falling):
        got = f"{t_s[falling[0] + 1]} s at sample {falling[0] + 1}"
        raise unlike(path, f"rising timestamps in {where}", got)
    return t_s


def ends_of(t_s: F64) -> F64:
    """End of each sample: the next sample, or one median step before a pause and at the end."""
    if len(t_s) == 1:
        return t_s.copy()
    steps_s = np.diff(t_s)
    usual_s = float(np.median(steps_s))
    kept_s = np.where(steps_s > _PAUSE_STEPS * usual_s, usual_s, steps_s)
    ends_s: F64 = t_s + np.append(kept_s, usual_s)
    return ends_s


def is_a(item: Any, kind: str) -> bool:
    """Whether `item` is of the NWB type `kind`, or of a type that extends it."""
    return any(base.__name__ == kind for base in type(item).__mro__)


def label_of(series: Any) -> str:
    """`container/name` of a series; the name of the container is often the informative one."""
    return f"{series.parent.name if series.parent is not None else ''}/{series.name}"


def _listed(series: Sequence[Any], none: str) -> str:
    return ", ".join(f"{type(one).__name__} '{label_of(one)}'" for one in series) or none


def unlike(path: Path, expected: str, got: str) -> UnreadableFileError:
    """The error for a file that lacks what `expected` states."""
    return UnreadableFileError(what="NWB session", path=path, expected=expected, got=got)
