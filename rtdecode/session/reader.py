"""Reads session logs, including logs that end in the middle of a record.

Duties: give the messages of a log in their recorded order, of the wanted streams, under the names
of the current wire version. Replay, recovery, summary, report and own-session datasets read logs
with it. It must not interpret messages, and never writes.

    reader = LogReader(session_at(folder).log)
    scans = reader.messages(lambda stream: stream.endswith("/scan"))
"""

import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mcap.exceptions import McapError
from mcap.records import Channel, McapRecord, Message
from mcap.stream_reader import CRCValidationError, StreamReader

from rtdecode.runtime.codec import current_stream, unpack
from rtdecode.schema.errors import MissingFileError, UnreadableFileError
from rtdecode.schema.messages import Received

_RECORD_LIMIT = 1024 * 1024 * 1024
"""Far above any record of rtdecode; a corrupt length must not allocate all memory."""
_TORN = (McapError, CRCValidationError, struct.error, UnicodeDecodeError)

Wanted = Callable[[str], bool]


def every_stream(stream: str) -> bool:
    """Select every stream with a name."""
    return bool(stream)


@dataclass(frozen=True, slots=True)
class Logged:
    """One message of a log, before unpacking."""

    stream: str
    """Name of its stream in the current wire version."""
    topic: str
    """Name of its stream in the log file, which differs in logs of wire version 1."""
    data: bytes
    """Its wire bytes."""
    t_sent_ns: int
    t_received_ns: int
    """When the recorder received it."""
    seq: int


@dataclass(frozen=True, slots=True)
class LogSummary:
    """Content of a log."""

    counts: Mapping[str, int]
    first_ns: int
    """When the recorder received the first message; 0 in an empty log."""
    last_ns: int
    complete: bool
    """False for a log whose recorder was killed; `rtdecode recover` repairs it."""


class LogReader:
    """The messages of a log in the order in which they were recorded.

    A log that ends in the middle of a record (recorder killed, disk full) gives all messages before
    it; `complete` states, after the last message, whether the log has its end.

    Raises
    ------
    MissingFileError
        If the file does not exist.
    UnreadableFileError
        If it is not an MCAP file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.complete = False
        if not path.is_file():
            raise MissingFileError(what="session log", path=path, remedy="give a session folder")

    def logged(self, wanted: Wanted = every_stream) -> Iterator[Logged]:
        """Messages of the `wanted` streams, as bytes."""
        topics: dict[int, str] = {}
        with self._path.open("rb") as file:
            for record in self._records(file):
                if isinstance(record, Channel):
                    topics[record.id] = record.topic
                elif isinstance(record, Message):
                    topic = topics.get(record.channel_id, "")
                    if wanted(current_stream(topic)):
                        yield _logged(record, topic)

    def messages(self, wanted: Wanted = every_stream) -> Iterator[Received]:
        """Messages of the `wanted` streams, unpacked; MessageError where one is not valid."""
        for entry in self.logged(wanted):
            yield Received(unpack(entry.data), entry.t_received_ns)

    def summary(self) -> LogSummary:
        """Counts of all streams; reads the whole log."""
        counts: Counter[str] = Counter()
        first_ns = last_ns = 0
        for entry in self.logged():
            first_ns = first_ns or entry.t_received_ns
            last_ns = max(last_ns, entry.t_received_ns)
            counts[entry.stream] += 1
        return LogSummary(dict(counts), first_ns, last_ns, self.complete)

    def _records(self, file: IO[bytes]) -> Iterator[McapRecord]:
        self.complete = False
        reader = StreamReader(file, validate_crcs=True, record_size_limit=_RECORD_LIMIT)
        records = reader.records
        started = False
        while True:
            try:
                record = next(records)
            except StopIteration:
                self.complete = True
                return
            except _TORN as error:
                if not started:
                    raise self._no_log(error) from error
                return
            started = True
            yield record

    def _no_log(self, error: Exception) -> UnreadableFileError:
        return UnreadableFileError(
            what="session log",
            path=self._path,
            expected="an MCAP file",
            got=str(error) or "its end",
        )


def _logged(record: Message, topic: str) -> Logged:
    return Logged(
        stream=current_stream(topic),
        topic=topic,
        data=record.data,
        t_sent_ns=record.publish_time,
        t_received_ns=record.log_time,
        seq=record.sequence,
    )
