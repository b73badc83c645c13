"""Where each message of a log is, so that any of them is read without those around it.

Duties: list the messages of each stream with their file, byte and time, and read single messages.
Where all files of a log end with an intact index, the list is made of these indices and no message
is read. A log without one, as after a kill of the recorder, is read once from its start to its end,
which also finds what is missing. It must not interpret messages.

    index = index_of(session.log)
    with index.opened() as messages:
        newest = messages.content(index.places["bridge/scan"], -1)
"""

import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from mcap.opcode import Opcode
from numpy.typing import NDArray

from rtdecode.runtime.codec import current_stream
from rtdecode.schema.errors import UnreadableFileError
from rtdecode.session.damage import Damage, damage_noted
from rtdecode.session.log import RECOVERY
from rtdecode.session.log_parts import PART, parts_of
from rtdecode.session.reader import LogReader
from rtdecode.session.records import RecordFile

I64 = NDArray[np.int64]
_HEAD = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<BQHIQQ")
"""Opcode, length, channel, sequence number, time of recording and of sending."""
_FIELDS_BYTES = _MESSAGE.size - _HEAD.size
_INDEX = struct.Struct("<BQHI")
"""Opcode, length, channel and bytes of the entries of a message index."""
_CHUNK_INDEX = struct.Struct("<QQQQI")
"""First and last time, start and size of a chunk, and bytes of the offsets that follow."""
_CHUNK_FIELDS_BYTES = 40
"""Length of a chunk record without its compression name and its content."""
_START_BYTES = 512
"""Bytes of a message that are read at once; the fields before the array of a frame need 150."""
_LONGEST_BYTES = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where the messages of one stream are, in the order of the log; arrays of equal length."""

    part: I64
    """Number of the file."""
    at: I64
    """Byte of that file at which the record begins."""
    t_logged_ns: I64
    """When the recorder received the message."""

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True, eq=False)
class MessageIndex:
    """The messages of a log."""

    files: Mapping[int, Path]
    places: Mapping[str, Places]
    """By stream, under its name in the current wire version."""
    is_indexed: bool
    """Whether all files end with an intact index."""
    damage: tuple[Damage, ...]
    """What is missing; of an index that was made of those of the files, what an earlier recovery
    has stated, as damage within a chunk is then not known."""
    first_ns: int
    """When the recorder received the first message; 0 in an empty log."""
    last_ns: int

    @contextmanager
    def opened(self) -> Iterator["OpenedLog"]:
        """The files, open for reading."""
        with ExitStack() as stack:
            yield OpenedLog(self.files, stack)


class OpenedLog:
    """Reads single messages of a log."""

    def __init__(self, files: Mapping[int, Path], stack: ExitStack) -> None:
        self._paths, self._stack = files, stack
        self._open: dict[int, IO[bytes]] = {}
        self.bytes_read = 0
        """Bytes that were read from the files."""

    def content(self, places: Places, number: int) -> bytes:
        """Wire bytes of message `number` of `places`; UnreadableFileError as `start`."""
        found, size = self.start(places, number)
        if len(found) < size:
            found += self.part(places, number, start=len(found), size=size - len(found))
        return found

    def start(self, places: Places, number: int) -> tuple[bytes, int]:
        """The first wire bytes of a message, at most 512, and the number of them in all.

        Raises
        ------
        UnreadableFileError
            If the record is not where the index of its file states it.
        """
        raw = self._read(places, number, 0, _MESSAGE.size + _START_BYTES)
        if len(raw) >= _MESSAGE.size:
            opcode, length, _, _, t_logged_ns, _ = _MESSAGE.unpack_from(raw)
            agrees = opcode == Opcode.MESSAGE and t_logged_ns == places.t_logged_ns[number]
            if agrees and _FIELDS_BYTES <= length <= _LONGEST_BYTES:
                size = int(length) - _FIELDS_BYTES
                return raw[_MESSAGE.size : _MESSAGE.size + size], size
        path = self._paths[int(places.part[number])]
        raise UnreadableFileError(
            what="session log",
            path=path,
            expected=f"a message at byte {places.at[number]}, as its index states",
            got="other content",
            remedy=f"`rtdecode recover {path.parent}` states what can still be read",
        )

    def part(self, places: Places, number: int, *, start: int, size: int) -> bytes:
        """`size` of the wire bytes of a message, from byte `start` of them on."""
        return self._read(places, number, _MESSAGE.size + start, size)

    def _read(self, places: Places, number: int, start: int, size: int) -> bytes:
        part = int(places.part[number])
        if part not in self._open:
            self._open[part] = self._stack.enter_context(self._paths[part].open("rb", buffering=0))
        file = self._open[part]
        file.seek(int(places.at[number]) + start)
        found = file.read(size)
        self.bytes_read += len(found)
        return found


def index_of(log: Path, *, checked: bool = False) -> MessageIndex:
    """Index of the messages of `log`, of all its parts.

    Parameters
    ----------
    checked
        Read the whole log and compare it with its checksums, so that the index leaves out what is
        damaged, and states it.

    Raises
    ------
    MissingFileError, UnreadableFileError
        As `LogReader`, or if chunks are compressed, which no log of rtdecode is.
    """
    reader = LogReader(log)
    if not reader.has_index():
        return _scanned(log, reader, is_indexed=False)
    if checked:
        return _scanned(log, reader, is_indexed=True)
    return _indexed(log) or _scanned(log, reader, is_indexed=False)


@dataclass(slots=True)
class _Growing:
    """Places of one stream while they are found."""

    parts: list[int] = field(default_factory=list)
    bases: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    entries: bytearray = field(default_factory=bytearray)
    """Pairs of time and byte within the chunk, as message indices hold them."""

    def add(self, part: int, base: int, entries: bytes) -> None:
        self.parts.append(part)
        self.bases.append(base)
        self.counts.append(len(entries) // 16)
        self.entries += entries

    def places(self) -> Places:
        pairs = np.frombuffer(self.entries, "<i8").reshape(-1, 2)
        at = pairs[:, 1] + np.repeat(np.array(self.bases, np.int64), self.counts)
        part = np.repeat(np.array(self.parts, np.int64), self.counts)
        order = np.lexsort((at, part))
        return Places(part[order], at[order], pairs[order, 0].astype(np.int64))


def _indexed(log: Path) -> MessageIndex | None:
    """Index from those of all files; None where one of them does not agree with itself."""
    files, growing = parts_of(log), defaultdict[str, _Growing](_Growing)
    damage, logs = list[Damage](), set[str]()
    for part, path in files.items():
        with path.open("rb") as file:
            records = RecordFile(file)
            for note in records.summary_metadata():
                damage += damage_noted(note.metadata) if note.name == RECOVERY else []
                logs |= {note.metadata.get("log", "")} if note.name == PART else set()
            topics = {one.id: current_stream(one.topic) for one in records.summary_channels()}
            for chunk in map(_chunk_place, records.summary_records(Opcode.CHUNK_INDEX)):
                for channel, entries in _message_indices(file, chunk):
                    if channel not in topics or chunk.is_compressed:
                        return None
                    growing[topics[channel]].add(part, chunk.records_at, entries)
    if len(logs) > 1:
        return None
    places = {stream: one.places() for stream, one in growing.items()}
    return _made(files, places, damage, is_indexed=True)


@dataclass(frozen=True, slots=True)
class _ChunkPlace:
    """Where a chunk is, as the index of its file states it."""

    records_at: int
    """Byte at which the records in it begin, where it is not compressed."""
    index_at: int
    """Byte at which its message indices begin."""
    index_size: int
    is_compressed: bool


def _chunk_place(content: bytes) -> _ChunkPlace:
    """The place of a chunk, from the content of its index record."""
    _, _, start, size, offsets = _CHUNK_INDEX.unpack_from(content)
    index_size, name = struct.unpack_from("<QI", content, _CHUNK_INDEX.size + offsets)
    records_at = start + _HEAD.size + _CHUNK_FIELDS_BYTES
    return _ChunkPlace(records_at, start + size, index_size, is_compressed=name > 0)


def _message_indices(file: IO[bytes], chunk: _ChunkPlace) -> Iterator[tuple[int, bytes]]:
    """Channel and entries of each message index behind `chunk`; channel -1 where one is damaged."""
    file.seek(chunk.index_at)
    raw, at = file.read(chunk.index_size), 0
    while at < len(raw):
        if at + _INDEX.size > len(raw):
            yield -1, b""
            return
        opcode, length, channel, size = _INDEX.unpack_from(raw, at)
        following = at + _HEAD.size + length
        agrees = length == _INDEX.size - _HEAD.size + size and size % 16 == 0
        if opcode != Opcode.MESSAGE_INDEX or not agrees or following > len(raw):
            yield -1, b""
            return
        yield channel, raw[at + _INDEX.size : following]
        at = following


def _scanned(log: Path, reader: LogReader, *, is_indexed: bool) -> MessageIndex:
    """Index by reading the whole log once."""
    files = parts_of(log)
    numbers = {path.name: number for number, path in files.items()}
    growing = defaultdict[str, _Growing](_Growing)
    for entry in reader.logged():
        if entry.at < 0:
            raise UnreadableFileError(
                what="session log",
                path=log,
                expected="chunks without compression, as rtdecode writes them",
                got="a compressed one",
                remedy="decompress it with the MCAP command line tool",
            )
        pair = struct.pack("<qq", entry.t_received_ns, entry.at)
        growing[entry.stream].add(numbers[entry.file], 0, pair)
    places = {stream: one.places() for stream, one in growing.items()}
    return _made(files, places, list(reader.damage), is_indexed=is_indexed)


def _made(
    files: Mapping[int, Path],
    places: Mapping[str, Places],
    damage: list[Damage],
    *,
    is_indexed: bool,
) -> MessageIndex:
    firsts = [(one.part[0], one.at[0], one.t_logged_ns[0]) for one in places.values()]
    return MessageIndex(
        files=files,
        places=places,
        is_indexed=is_indexed,
        damage=tuple(damage),
        first_ns=int(min(firsts)[2]) if firsts else 0,
        last_ns=int(max((one.t_logged_ns.max() for one in places.values()), default=0)),
    )
