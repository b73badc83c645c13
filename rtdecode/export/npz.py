"""Writes a recorded session as one `.npz` file, which NumPy opens without pickle.

Duties: write each stream as an array with its times and what else is known of each value, events,
trials and clips as columns, metadata and config as text, and an entry `README` that states name,
shape, unit and meaning of all of them. Streams pass through in blocks, so that memory does not grow
with the session. It must not compute anything of the data.

    write_npz(RecordedSession("sessions/2026-11-30_09-00-00"), Path("session.npz"))
    np.load("session.npz")["decoded"]
"""

import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from rtdecode.export.span import Span, blocks
from rtdecode.schema.errors import TimeSpanError
from rtdecode.session.recorded import RecordedSession
from rtdecode.session.recorded_stream import RecordedStream

Progress = Callable[[int, int], None]
_LEFT_OUT = "scans"
"""Stream that is not written: the scans of a session are larger than all else together."""
_TEXT_COLUMNS = ("counts", "parameters")
"""Columns of events and trials that are maps, and are written as JSON."""
_WHOLE = Span()


@dataclass(frozen=True, slots=True)
class Entry:
    """What `README` states of one array."""

    name: str
    array: str
    """Type and shape."""
    meaning: str

    def line(self) -> str:
        """Its line."""
        return f"{self.name}: {self.array}. {self.meaning}"


class NpzFile:
    """An uncompressed `.npz` file that grows array by array, and keeps what its README states.

    Parameters
    ----------
    path
        The new file.
    """

    def __init__(self, path: Path) -> None:
        # noise does not compress
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True)
        self.entries: list[Entry] = []

    def __enter__(self) -> "NpzFile":
        return self

    def __exit__(self, *_error: object) -> None:
        self._zip.close()

    def add(self, name: str, values: NDArray[Any], meaning: str) -> None:
        """Write one array; texts are written as fixed-width Unicode."""
        array = np.asarray(values)
        with self._opened(name) as file:
            npy.write_array(file, array, allow_pickle=False)
        self._state(name, array.dtype, array.shape, meaning)

    def add_blocks(
        self,
        name: str,
        parts: Iterator[NDArray[Any]],
        *,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        meaning: str,
    ) -> None:
        """Write one array of `shape` from parts along its first axis."""
        with self._opened(name) as file:
            header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            npy.write_array_header_2_0(file, header)
            for part in parts:
                file.write(np.ascontiguousarray(part, dtype).tobytes())
        self._state(name, dtype, shape, meaning)

    def _opened(self, name: str) -> IO[bytes]:
        return self._zip.open(f"{name}.npy", "w", force_zip64=True)

    def _state(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], meaning: str) -> None:
        kind = "text" if dtype.kind == "U" else dtype.name
        self.entries.append(Entry(name, f"{kind} {shape}" if shape else kind, meaning))


def write_npz(
    session: RecordedSession,
    out: Path,
    *,
    span: Span = _WHOLE,
    progress: Progress = lambda done, total: None,
) -> list[str]:
    """Write `session` into the new file `out`, and give sentences on what the file lacks.

    Parameters
    ----------
    span
        Part of the session; events, trials and clips that begin in it are written.
    progress
        Called with the number of values that were written, and of all that will be.

    Raises
    ------
    TimeSpanError
        If the session has nothing in `span`.
    SizeChangedError
        If the values of a stream change their size within it, as after a change of the screen.
    """
    held = {name: span.of(session.stream(name)) for name in session.streams}
    left_out = held.pop(_LEFT_OUT, None)
    streams = {name: one for whole in held.values() for name, one in _planes_of(whole) if len(one)}
    if not streams:
        raise TimeSpanError(start_s=span.start_s, end_s=span.end_s, lasts_s=session.seconds)
    counted = _Counted(sum(map(len, streams.values())), progress)
    with NpzFile(out) as file:
        for name, stream in streams.items():
            _add_stream(file, name, stream, counted)
        _add_tables(file, session, span)
        _add_texts(file, session)
        file.add("README", np.array(readme(session, file.entries, span)), "this text")
    return _lacking(session, left_out)


class _Counted:
    """Counts the values that are written, and reports them."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def passed(self, stream: RecordedStream) -> Iterator[NDArray[Any]]:
        for block in blocks(stream):
            yield block.values
            self._done += len(block)
            self._progress(self._done, self._total)


def _planes_of(stream: RecordedStream) -> Iterator[tuple[str, RecordedStream]]:
    """The stream by its name, or each of its planes, whose neurons differ."""
    if not len(stream):
        return
    planes = np.unique(stream.coords["plane"][1]) if "plane" in stream.coords else np.zeros(1)
    if len(planes) == 1:
        yield stream.name, stream
        return
    for plane in planes:
        yield f"{stream.name}_plane_{plane}", stream.of_plane(int(plane))


def _add_stream(file: NpzFile, name: str, stream: RecordedStream, counted: _Counted) -> None:
    """Values, times and coordinates of one stream."""
    axes = ", ".join(stream.dims)
    file.add_blocks(
        name,
        counted.passed(stream),
        dtype=stream[:1].load().values.dtype,
        shape=stream.shape,
        meaning=f"({axes}), unit: {stream.unit}",
    )
    file.add(f"{name}_t_s", stream.t_s, f"s, {stream.t_means}, since the first message")
    for coordinate, (axis, values) in stream.coords.items():
        file.add(f"{name}_{coordinate}", values, f"({axis}) {coordinate} of each item")


def _add_tables(file: NpzFile, session: RecordedSession, span: Span) -> None:
    """Events, trials and clips, column by column."""
    tables: dict[str, list[Any]] = {
        "event": [one for one in session.events if span.holds(one.t_s)],
        "trial": [one for one in session.trials if span.holds(one.t_start_s)],
        "clip": [one for one in session.presentations if span.holds(one.t_start_s)],
    }
    for table, rows in tables.items():
        for field in fields(rows[0]) if rows else ():
            column = [getattr(row, field.name) for row in rows]
            if field.name in _TEXT_COLUMNS:
                column = [json.dumps(dict(value)) for value in column]
            file.add(f"{table}_{field.name}", np.array(column), f"of each {table}, in order")


def _add_texts(file: NpzFile, session: RecordedSession) -> None:
    metadata = json.dumps(dict(session.metadata), default=str)
    file.add("metadata_json", np.array(metadata), "who, when, which twin and versions, in JSON")
    if session.layout.config.is_file():
        text = session.layout.config.read_text(encoding="utf-8")
        file.add("config_yaml", np.array(text), "config of the run with all defaults, in YAML")


def readme(session: RecordedSession, entries: list[Entry], span: Span) -> str:
    """The text of the entry `README`."""
    part = "the whole session" if span.is_whole else f"{span.start_s:g} to {span.end_s:g} s"
    lines = [
        f"rtdecode session {session.name}, {part}.",
        "",
        "Read it with numpy: file = numpy.load(path); file['decoded'], file['decoded_t_s'].",
        "Texts are arrays without axes: str(file['README']).",
        "Times in s count from the first message of the session; times in ns are those of",
        f"CLOCK_MONOTONIC of the decoder's host, where the first message is at {session.zero_ns}.",
        "A decoded frame shows what was on the screen in the middle of its frame: pair it with the",
        "displayed frame whose time is the last before. The times are without the decoder's lag.",
        "Rows run from the top of the screen to its bottom. NaN: not measured, or not computed.",
        "",
        *(entry.line() for entry in entries),
    ]
    return "\n".join(lines)


def _lacking(session: RecordedSession, scans: RecordedStream | None) -> list[str]:
    lacks = []
    if scans is not None and len(scans):
        megabytes = int(np.prod(scans.shape)) * 2 / 1e6
        lacks.append(f"It lacks the scans of the microscope ({megabytes:,.0f} MB).")
    absent = [
        name
        for name in ("displayed", "decoded", "activity", "behaviour", "scores")
        if name not in session.streams
    ]
    if absent:
        lacks.append(f"The session has no {', no '.join(absent)}.")
    return lacks
