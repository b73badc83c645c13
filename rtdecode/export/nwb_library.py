"""What the parts of the NWB export share: pynwb, its file, times of a series, datasets and tables.

pynwb is imported when a file is written, as it belongs to the extra `nwb`. Data are compressed with
gzip, which every HDF5 library reads.
"""

import importlib
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.export.large_arrays import block_rows
from rtdecode.schema.errors import ExtraMissingError

F64 = NDArray[np.float64]
Values = Sequence[Any] | NDArray[Any]

_COMPRESSION: Mapping[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
"""Level 1: noise compresses no better at higher levels, and an hour is written in minutes."""
_FEWEST_REGULAR = 3
_DECIMALS = 9
"""Decimals of a second in which the steps of regular times agree, as nwbinspector compares them."""


def nwb_library() -> Any:
    """The package pynwb; ExtraMissingError where it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries that pynwb imports
            return importlib.import_module("pynwb")
    except ImportError as error:
        raise ExtraMissingError(package="pynwb", extra="nwb") from error


def times(t_s: F64) -> dict[str, Any]:
    """Keyword arguments of a TimeSeries at `t_s`: start and rate where these are regular."""
    steps_s = np.unique(np.diff(t_s).round(_DECIMALS))
    if len(t_s) >= _FEWEST_REGULAR and len(steps_s) == 1 and steps_s[0] > 0:
        rate_hz = (len(t_s) - 1) / float(t_s[-1] - t_s[0])
        return {"starting_time": float(t_s[0]), "rate": rate_hz}
    return {"timestamps": compressed(t_s)}


def compressed(values: Values) -> Any:
    """`values` as a dataset that is compressed."""
    return nwb_library().H5DataIO(np.asarray(values), **_COMPRESSION)


def empty_dataset(shape: tuple[int, ...], dtype: type) -> Any:
    """A dataset that is filled once the file is written; NaN until then where it can be.

    Its `dataset` is that of h5py after the file was written.
    """
    rows = block_rows(shape[1:], dtype=dtype, rows=shape[0])
    filled = {"fillvalue": np.nan} if np.dtype(dtype).kind == "f" else {}
    return nwb_library().H5DataIO(
        shape=shape, dtype=dtype, chunks=(rows, *shape[1:]), **_COMPRESSION, **filled
    )


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column of a table."""

    name: str
    description: str
    values: Values


def fields_of(rows: Sequence[Any], **described: str) -> list[Column]:
    """A column for each field of `rows` that is `described`, in this order.

    >>> from fractions import Fraction
    >>> fields_of([Fraction(1, 2)], numerator="Above the line.")[0].values
    [1]
    """
    return [
        Column(name, description, [getattr(row, name) for row in rows])
        for name, description in described.items()
    ]


def table(name: str, description: str, columns: Sequence[Column]) -> Any:
    """A DynamicTable with these columns."""
    data = _vectors(columns)
    return nwb_library().core.DynamicTable(name=name, description=description, columns=data)


def timed_table(name: str, description: str, *, t_s: F64, columns: Sequence[Column]) -> Any:
    """A DynamicTable for a processing module, with the time of each row."""
    data = [_stamps(t_s), *_vectors(columns)]
    return nwb_library().core.DynamicTable(name=name, description=description, columns=data)


def events_table(
    name: str,
    description: str,
    *,
    t_s: F64,
    columns: Sequence[Column],
    source: str,
    duration_s: F64 | None = None,
) -> Any:
    """An EventsTable whose rows happened at `t_s`."""
    event = nwb_library().event
    found = [_stamps(t_s)]
    if duration_s is not None:
        what = "Duration in s; NaN where it is not known."
        found.append(event.DurationVectorData(name="duration", description=what, data=duration_s))
    found += _vectors(columns)
    return event.EventsTable(
        name=name, description=description, columns=found, source_description=source
    )


def intervals(name: str, description: str, columns: Sequence[Column]) -> Any:
    """A TimeIntervals table; its columns include start_time and stop_time."""
    data = _vectors(columns)
    return nwb_library().epoch.TimeIntervals(name=name, description=description, columns=data)


def _vectors(columns: Sequence[Column]) -> list[Any]:
    vector = nwb_library().core.VectorData
    return [
        vector(name=one.name, description=one.description, data=_data(one.values))
        for one in columns
    ]


def _stamps(t_s: F64) -> Any:
    what = "Time in s from the start of the session."
    return nwb_library().event.TimestampVectorData(name="timestamp", description=what, data=t_s)


def _data(values: Values) -> Values:
    """Texts as a list, which HDF5 stores with their own lengths; numbers as an array."""
    array = np.asarray(values)
    return [str(one) for one in values] if array.dtype.kind in "UO" else array


class SparedFile:
    """A file for HDF5: what a full disk refuses is kept in memory, and the error for its writer.

    HDF5 cannot close a file on a full disk: it fails, tries again when the process ends, and takes
    the process with it. `raise_error` is called between writes, so that little is kept.

    Parameters
    ----------
    path
        The new file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w+b", buffering=0)
        self._kept: list[tuple[int, bytes]] = []
        self._at = self._size = 0
        self._error: OSError | None = None

    def __repr__(self) -> str:
        # h5py takes it for the name of the file
        return str(self._path)

    def raise_error(self) -> None:
        """Raise the error of the first write that the disk refused, if one was."""
        if self._error is not None:
            raise self._error

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte, as of a binary file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Byte at which is read and written."""
        return self._at

    def read(self, size: int) -> bytes:
        """At most `size` bytes, of the disk and of what it refused."""
        count = max(0, min(size, self._size - self._at))
        self._file.seek(self._at)
        found = bytearray(self._file.read(count) or b"").ljust(count, b"\0")
        for start, data in self._kept:
            first, last = max(start, self._at), min(start + len(data), self._at + count)
            if first < last:
                found[first - self._at : last - self._at] = data[first - start : last - start]
        self._at += count
        return bytes(found)

    def write(self, data: bytes | memoryview) -> int:
        """Write all of `data`; its length."""
        content = bytes(data)
        try:
            if self._error is None:
                self._write(content)
        except OSError as error:
            self._error = error
        if self._error is not None:
            self._kept.append((self._at, content))
        self._at += len(content)
        self._size = max(self._size, self._at)
        return len(content)

    def _write(self, content: bytes) -> None:
        """Write all of it; a disk without room takes a part, and refuses the next."""
        self._file.seek(self._at)
        left = memoryview(content)
        while left:
            left = left[self._file.write(left) or 0 :]

    def truncate(self, size: int | None = None) -> int:
        """Cut or extend the file."""
        self._size = self._at if size is None else size
        try:
            if self._error is None:
                self._file.truncate(self._size)
        except OSError as error:
            self._error = error
        return self._size

    def flush(self) -> None:
        """Do nothing: each write is passed on."""

    def close(self) -> None:
        """Close the file on the disk."""
        self._file.close()
