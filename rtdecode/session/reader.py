"""Reads session logs, including logs that are damaged or end in the middle of a record.

Duties: give the messages of a log in their recorded order, of the wanted streams, under the names
of the current wire version. Replay, recovery, summary, report and own-session datasets read logs
with it. It must not interpret messages, and never writes.

    reader = LogReader(session_at(folder).log)
    scans = reader.messages(lambda stream: stream.endswith("/scan"))
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mcap.records import Channel, Message, Metadata

from rtdecode.runtime.codec import current_stream, unpack
from rtdecode.schema.errors import MessageError, MissingFileError, UnreadableFileError
from rtdecode.schema.messages import Received
from rtdecode.session.damage import Damage, DamageCount, damage_noted
from rtdecode.session.log import RECOVERY
from rtdecode.session.records import Content, Part, RecordFile, Unreadable

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
    """False for a log that is damaged or has no end; `rtdecode recover` repairs it."""
    damage: tuple[Damage, ...]
    """Parts that cannot be read now, or could not at an earlier recovery of this log."""

    @property
    def has_gaps(self) -> bool:
        """Whether messages are missing, also in a log whose file is whole after a recovery."""
        return any(part.loses_messages for part in self.damage)


class LogReader:
    """The messages of a log in the order in which they were recorded.

    A log that ends in the middle of a record (recorder killed, disk full) gives all messages before
    it, and a damaged chunk is skipped. After the last message, `complete` states whether the log is
    whole as a file, and `damage` lists what is missing.

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
        self.damage: tuple[Damage, ...] = ()
        if not path.is_file():
            raise MissingFileError(what="session log", path=path, remedy="give a session folder")

    def has_index(self) -> bool:
        """Whether the file ends with an intact index, as a recorder that was not killed writes."""
        with self._path.open("rb") as file:
            return RecordFile(file).complete

    def logged(self, wanted: Wanted = every_stream) -> Iterator[Logged]:
        """Messages of the `wanted` streams, as bytes."""
        self.complete, self.damage = False, ()
        count, noted = DamageCount(), list[Damage]()
        with self._path.open("rb") as file:
            records = RecordFile(file)
            topics = {channel.id: channel.topic for channel in records.summary_channels()}
            for part in self._parts(records):
                count.add(part)
                if isinstance(part, Metadata) and part.name == RECOVERY:
                    noted += damage_noted(part.metadata)
                for message in _messages(part, topics):
                    topic = topics.get(message.channel_id) or _own_stream(message.data)
                    topics[message.channel_id] = topic
                    if wanted(current_stream(topic)):
                        yield _logged(message, topic)
            self.complete = records.complete
        streams = {number: current_stream(topic) for number, topic in topics.items()}
        self.damage = (*noted, *count.damage(streams))

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
        return LogSummary(dict(counts), first_ns, last_ns, self.complete, self.damage)

    def _parts(self, records: RecordFile) -> Iterator[Part]:
        """The parts of the file; a file without any intact record is no log."""
        started = False
        for part in records.parts():
            # a damaged header must not hide the messages after it
            started = started or not isinstance(part, Unreadable)
            yield part
        if not started:
            raise UnreadableFileError(
                what="session log",
                path=self._path,
                expected="an MCAP file",
                got="no intact record",
            )


def _messages(part: Part, topics: dict[int, str]) -> Iterator[Message]:
    """Messages in `part`; the channels in it are added to `topics` on the way."""
    for record in part.records if isinstance(part, Content) else [part]:
        if isinstance(record, Channel):
            topics[record.id] = record.topic
        elif isinstance(record, Message):
            yield record


def _own_stream(data: bytes) -> str:
    """Stream that a message states itself, where the record of its channel is damaged."""
    try:
        return unpack(data).stream
    except MessageError:
        return "unknown/unknown"


def _logged(record: Message, topic: str) -> Logged:
    return Logged(
        stream=current_stream(topic),
        topic=topic,
        data=record.data,
        t_sent_ns=record.publish_time,
        t_received_ns=record.log_time,
        seq=record.sequence,
    )
