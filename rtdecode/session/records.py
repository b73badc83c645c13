"""Gives the intact records of an MCAP file and the byte ranges between them, for the log reader.

The mcap library stops at the first record that is damaged. A log is read here record by record:
where a record does not agree with its own length or checksum, reading continues at the next record
that does.
"""

import os
import re
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import IO

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import (
    Attachment,
    Channel,
    Chunk,
    Footer,
    Header,
    McapRecord,
    MessageIndex,
    Metadata,
    MetadataIndex,
    Schema,
)
from mcap.stream_reader import CRCValidationError, breakup_chunk

MAGIC = b"\x89MCAP0\r\n"
_HEAD = struct.Struct("<BQ")
_FOOTER_BYTES = _HEAD.size + 20
_DATA_END_BYTES = _HEAD.size + 4
_CHUNK_FIELDS_BYTES = 40
"""Length of a chunk record without its compression name and its content."""
_INDEX_FIELDS_BYTES = 6
"""Length of a message index without entries."""
_START_BYTES = 64
"""First bytes of a chunk, with its compression name and both its lengths."""
_RECORD_LIMIT = 1024 * 1024 * 1024
"""Far above any record of rtdecode; a damaged length must not allocate all memory."""
_WINDOW_BYTES = 4 * 1024 * 1024
OWN_NAMES = b"rtdecode."
"""Start of the names of all metadata records of a log."""
_CANDIDATE = re.compile(
    rb"(?=[\x06\x07].{4}\x00{4}|\x0c.{4}\x00{4}.\x00{3}" + re.escape(OWN_NAMES) + rb")", re.DOTALL
)
"""Head of a chunk, a message index or a metadata record of a log, shorter than 4 GiB."""
_KINDS: dict[int, Callable[[ReadDataStream], McapRecord]] = {
    Opcode.HEADER: Header.read,
    Opcode.SCHEMA: Schema.read,
    Opcode.CHANNEL: Channel.read,
    Opcode.CHUNK: Chunk.read,
    Opcode.MESSAGE_INDEX: MessageIndex.read,
    Opcode.ATTACHMENT: Attachment.read,
    Opcode.METADATA: Metadata.read,
}
"""How each kind of record before the summary is read, by its opcode."""
_DAMAGED = (McapError, CRCValidationError, struct.error, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A byte range without an intact record; `size` is 0 where a log stops between two records."""

    start: int
    size: int
    content: bytes
    """Its first bytes, at most 4 MiB."""
    is_tail: bool
    """True if the log ends here, before the end of its data section."""

    @property
    def is_one_chunk(self) -> bool:
        """Whether one of the two lengths that a chunk states agrees with the size of the range."""
        if len(self.content) < _START_BYTES:
            return False
        _, length = _HEAD.unpack_from(self.content)
        (held,) = struct.unpack_from("<Q", self.content, _HEAD.size + _CHUNK_FIELDS_BYTES - 8)
        return self.size in {_HEAD.size + length, _HEAD.size + _CHUNK_FIELDS_BYTES + held}

    @property
    def is_one_metadata(self) -> bool:
        """Whether two of opcode, length and name agree with a metadata record of a log."""
        if len(self.content) < _START_BYTES:
            return False
        opcode, length = _HEAD.unpack_from(self.content)
        is_named = self.content.startswith(OWN_NAMES, _HEAD.size + 4)
        agreeing = opcode == Opcode.METADATA, self.size == _HEAD.size + length, is_named
        return bool(sum(agreeing) > 1)


@dataclass(frozen=True, slots=True)
class Content:
    """The records in an intact chunk."""

    records: list[McapRecord]
    at: int = -1
    """Byte of the file at which its first record begins; -1 where the chunk is compressed."""
    held: bytes = b""
    """Its records as bytes; empty where the chunk is compressed."""

    def places(self) -> Iterator[int]:
        """Byte of the file at which each of its messages begins, in order."""
        at = 0
        while at + _HEAD.size <= len(self.held):
            opcode, length = _HEAD.unpack_from(self.held, at)
            if opcode == Opcode.MESSAGE:
                yield self.at + at
            at += _HEAD.size + length


Part = McapRecord | Content | Unreadable


class RecordFile:
    """The records of an MCAP file, in order, up to the end of its data section."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        self._summary_start = self._intact_summary()
        self._limit = max(self._summary_start or self._size, len(MAGIC))
        self.complete = self._summary_start is not None and self._read(0, len(MAGIC)) == MAGIC
        """False if the magic bytes, the summary or the end of the data section is damaged."""

    def summary_channels(self) -> Iterator[Channel]:
        """Channels that the summary repeats; none if the summary is damaged."""
        for content in self.summary_records(Opcode.CHANNEL):
            yield Channel.read(ReadDataStream(BytesIO(content)))

    def summary_metadata(self) -> Iterator[Metadata]:
        """Metadata records that the summary refers to; none if the summary is damaged."""
        for content in self.summary_records(Opcode.METADATA_INDEX):
            record, _ = self._record(MetadataIndex.read(ReadDataStream(BytesIO(content))).offset)
            if isinstance(record, Metadata):
                yield record

    def summary_records(self, wanted: int) -> Iterator[bytes]:
        """Content of the records of one kind in the summary; none if the summary is damaged."""
        start = self._size if self._summary_start is None else self._summary_start
        summary, at = self._read(start, self._size - start), 0
        while at + _HEAD.size <= len(summary):
            opcode, length = _HEAD.unpack_from(summary, at)
            if opcode == Opcode.FOOTER:
                return
            if opcode == wanted:
                yield summary[at + _HEAD.size : at + _HEAD.size + length]
            at += _HEAD.size + length

    def parts(self) -> Iterator[Part]:
        """Intact records, the content of intact chunks, and the byte ranges between them."""
        at = len(MAGIC)
        while not self._is_end(at):
            part, at = self._part(at)
            if isinstance(part, Unreadable):
                self.complete = False
            yield part
            if at >= self._limit:
                break
        else:
            return
        self.complete = False
        if self._summary_start is None and not isinstance(part, Unreadable):
            yield Unreadable(at, 0, b"", is_tail=True)

    def _is_end(self, at: int) -> bool:
        return self._head(at) == (Opcode.DATA_END, 4) and at + _DATA_END_BYTES <= self._limit

    def _part(self, at: int) -> tuple[Part, int]:
        record, following = self._record(at)
        if record is None:
            following = self._resynchronised(at + 1)
        elif not isinstance(record, Chunk):
            return record, following
        else:
            try:
                records = breakup_chunk(record, validate_crc=True)
                if record.compression:
                    return Content(records), following
                return Content(records, following - len(record.data), record.data), following
            except _DAMAGED:
                # the length agrees with the content, thus the next record is where it states
                following = min(following, self._limit)
        size = following - at
        content = self._read(at, min(size, _WINDOW_BYTES))
        is_tail = following >= self._limit and self._summary_start is None
        return Unreadable(at, size, content, is_tail), following

    def _record(self, at: int) -> tuple[McapRecord | None, int]:
        """The record at byte `at` if its length agrees with its content, and the byte after it."""
        opcode, length = self._head(at)
        following = at + _HEAD.size + length
        parsed = _KINDS.get(opcode)
        if parsed is None or length > _RECORD_LIMIT or following > self._limit:
            return None, at
        if not _agrees(self._read(at, _START_BYTES)):
            return None, at
        payload = self._read(at + _HEAD.size, length)
        stream = ReadDataStream(BytesIO(payload))
        try:
            record = parsed(stream)
        except _DAMAGED:
            return None, at
        return (record, following) if stream.count == length else (None, at)

    def _resynchronised(self, start: int) -> int:
        """Byte of the first record at or after `start` that `_CANDIDATE` finds and that agrees."""
        while start < self._limit:
            window = self._read(start, min(_WINDOW_BYTES, self._limit - start))
            for match in _CANDIDATE.finditer(window):
                record, following = self._record(start + match.start())
                if record is not None and self._may_follow(following):
                    return start + match.start()
            # the heads of two windows overlap
            start += max(1, len(window) - _HEAD.size + 1)
        at = self._limit - _DATA_END_BYTES
        return at if self._summary_start and start >= at and self._is_end(at) else self._limit

    def _may_follow(self, at: int) -> bool:
        opcode, _ = self._head(at)
        return at == self._limit or opcode in {*_KINDS, Opcode.DATA_END}

    def _intact_summary(self) -> int | None:
        """Byte at which the summary starts, if the footer and the checksum of both are intact."""
        at = self._size - len(MAGIC) - _FOOTER_BYTES
        if at < 0 or self._read(self._size - len(MAGIC), len(MAGIC)) != MAGIC:
            return None
        if self._head(at) != (Opcode.FOOTER, 20):
            return None
        footer = Footer.read(ReadDataStream(BytesIO(self._read(at + _HEAD.size, 20))))
        start = footer.summary_start or at
        if not len(MAGIC) <= start <= at:
            return None
        # the checksum covers the summary and the footer without the checksum itself
        covered = self._read(start, at + _FOOTER_BYTES - 4 - start)
        return start if footer.summary_crc in {0, zlib.crc32(covered)} else None

    def _head(self, at: int) -> tuple[int, int]:
        raw = self._read(at, _HEAD.size)
        return _HEAD.unpack(raw) if len(raw) == _HEAD.size else (0, 0)

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        return self._file.read(size)


def _agrees(start: bytes) -> bool:
    """Whether the two lengths that a chunk or a message index states agree; from its first bytes.

    Checked before the content is read, because in a damaged part any number can stand for a length.
    """
    opcode, length = _HEAD.unpack_from(start)
    body = start[_HEAD.size :]
    if opcode == Opcode.MESSAGE_INDEX:
        # one without entries is excluded, because dark pixels can have the same bytes
        held = length - _INDEX_FIELDS_BYTES
        return bool(held > 0 and int.from_bytes(body[2:6], "little") == held)
    if opcode != Opcode.CHUNK:
        return True
    name = int.from_bytes(body[28:32], "little")
    held = length - _CHUNK_FIELDS_BYTES - name
    return bool(held > 0 and int.from_bytes(body[32 + name : 40 + name], "little") == held)


def torn_messages(content: bytes) -> tuple[Counter[int], dict[int, str]]:
    """Messages by channel number in the first bytes of a torn chunk, and topics of its channels.

    A message counts once its head is there, also if its content is cut.
    """
    counts, topics = Counter[int](), dict[int, str]()
    at = _HEAD.size + _CHUNK_FIELDS_BYTES
    while at + _HEAD.size + 2 <= len(content):
        opcode, length = _HEAD.unpack_from(content, at)
        body = content[at + _HEAD.size : at + _HEAD.size + length]
        if opcode == Opcode.MESSAGE:
            counts[int.from_bytes(body[:2], "little")] += 1
        elif opcode == Opcode.CHANNEL and len(body) == length:
            try:
                channel = Channel.read(ReadDataStream(BytesIO(body)))
            except _DAMAGED:
                break
            topics[channel.id] = channel.topic
        elif opcode != Opcode.SCHEMA:
            break
        at += _HEAD.size + length
    return counts, topics
