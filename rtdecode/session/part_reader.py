"""Reads the files of a log one after another, and states what is missing within and between them.

Duties: give the messages of each file, and from what the parts state about themselves
(`PartNote`) which of them are missing and how many messages with them. `LogReader` is what other
modules use; recovery reads single parts. It never writes.

    for part in JoinedParts(session.log).parts():
        for message in part.messages():
            print(message.stream, message.seq)
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mcap.records import Channel, Message, Metadata

from rtdecode.runtime.codec import current_stream, unpack
from rtdecode.schema.errors import MessageError, UnreadableFileError
from rtdecode.session.damage import Damage, DamageCount, damage_noted
from rtdecode.session.log import RECOVERY
from rtdecode.session.log_parts import PART, PART_END, PartNote, part_path, parts_of
from rtdecode.session.log_schema import ABOUT
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
    file: str = field(default="", compare=False)
    """Name of the file of the log that holds it."""
    at: int = field(default=-1, compare=False)
    """Byte of `file` at which its record begins; -1 in a compressed chunk, or in none."""


class LogFileReader:
    """The messages of one file of a log; what is stated about it is known after the last one."""

    def __init__(self, path: Path, *, before_ns: int = 0) -> None:
        self.path = path
        self._before_ns = before_ns
        self.complete = self.started = False
        """Whether the file is whole, and whether it has any intact record."""
        self.damage: tuple[Damage, ...] = ()
        self.counts: Counter[str] = Counter()
        """Messages by topic."""
        self.last_ns = before_ns
        """When the recorder received the last message."""
        self.begin: PartNote | None = None
        self.end: PartNote | None = None

    def has_index(self) -> bool:
        """Whether it ends with an intact index."""
        with self.path.open("rb") as file:
            return RecordFile(file).complete

    def is_followed(self) -> bool:
        """Whether it states at its end, in its summary, that there is a further part."""
        with self.path.open("rb") as file:
            ends = [one for one in RecordFile(file).summary_metadata() if one.name == PART_END]
        notes = [PartNote.of(one.metadata) for one in ends]
        return any(note is not None and note.is_followed for note in notes)

    def note_at_start(self) -> PartNote | None:
        """Which part of which log the file is; None where it does not state it at its start."""
        values = self._stated_at_start(PART)
        return None if values is None else PartNote.of(values)

    def about(self) -> Mapping[str, str] | None:
        """How the messages are read, as the file states it at its start; None where it does not."""
        return self._stated_at_start(ABOUT)

    def _stated_at_start(self, name: str) -> Mapping[str, str] | None:
        """Values of the metadata record `name` before the first message."""
        with self.path.open("rb") as file:
            for part in RecordFile(file).parts():
                if isinstance(part, Metadata) and part.name == name:
                    return dict(part.metadata)
                if isinstance(part, Content | Unreadable):
                    return None
        return None

    def messages(self, wanted: Wanted = every_stream) -> Iterator[Logged]:
        """Messages of the `wanted` streams, in order."""
        count, noted = DamageCount(before_ns=self._before_ns), list[Damage]()
        with self.path.open("rb") as file:
            records = RecordFile(file)
            topics = {channel.id: channel.topic for channel in records.summary_channels()}
            for part in records.parts():
                # a damaged header must not hide the messages after it
                self.started = self.started or not isinstance(part, Unreadable)
                count.add(part)
                if isinstance(part, Metadata):
                    noted += self._noted(part)
                for message, at in _messages(part, topics):
                    topic = topics.get(message.channel_id) or _own_stream(message.data)
                    topics[message.channel_id] = topic
                    self.counts[topic] += 1
                    self.last_ns = message.log_time
                    if wanted(current_stream(topic)):
                        yield _logged(message, topic, file=self.path.name, at=at)
            self.complete = records.complete
        streams = {number: current_stream(topic) for number, topic in topics.items()}
        name = self.path.name
        found = (replace(one, file=name) for one in count.damage(streams))
        self.damage = (*noted, *found)

    def _noted(self, record: Metadata) -> list[Damage]:
        if record.name == PART:
            self.begin = PartNote.of(record.metadata)
        elif record.name == PART_END:
            self.end = PartNote.of(record.metadata)
        return damage_noted(record.metadata) if record.name == RECOVERY else []


class JoinedParts:
    """All parts of a log in order; what is stated about the whole log is known after the last one.

    Raises
    ------
    UnreadableFileError
        If no part is an MCAP file, or one belongs to another log.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self.damage: list[Damage] = []
        self.damaged_files: list[int] = []
        """Numbers of the files that are not whole."""
        self.absent_files: list[int] = []
        """Numbers of those that are missing."""
        self._last_ns = 0
        self._counts: Counter[str] | None = Counter()
        """Messages by stream that all parts so far had, what is missing included; None where that
        is unknown."""

    def parts(self) -> Iterator[LogFileReader]:
        """The parts that exist; each must be read to its end before the next."""
        existing = parts_of(self._log)
        expected, name, started = 0, "", False
        part: LogFileReader | None = None
        for number, path in existing.items():
            part = LogFileReader(path, before_ns=self._last_ns)
            begin = part.note_at_start()
            name = self._same_log(begin, path, name)
            if number > expected:
                self._absent(expected, number, begin)
            yield part
            started = started or part.started
            following = existing.get(number + 1)
            self._add(part, None if following is None else LogFileReader(following))
            self.damaged_files += [] if part.complete else [number]
            expected = number + 1
        if not started:
            raise UnreadableFileError(
                what="session log", path=self._log, expected="an MCAP file", got="no intact record"
            )
        if part is not None and part.end is not None and part.end.is_followed:
            self._absent(expected, None, None)

    def _same_log(self, begin: PartNote | None, path: Path, name: str) -> str:
        if begin is None or begin.log == name or not name:
            return name if begin is None else begin.log
        raise UnreadableFileError(
            what="part of the log",
            path=path,
            expected=f"a part of the log {name}",
            got=f"a part of the log {begin.log}",
            remedy="move it out of the session folder",
        )

    def _add(self, part: LogFileReader, following: LogFileReader | None) -> None:
        """Take a part that was read into account, and the start of the one behind it."""
        damage = list(part.damage)
        begin = None if following is None else following.note_at_start()
        if following is not None and damage and damage[-1].last_ns is None:
            damage[-1] = self._tail(part, damage, begin)
        self.damage += damage
        self._last_ns = max(self._last_ns, part.last_ns)
        if begin is not None:
            self._counts = _by_stream(begin.messages)
        elif self._counts is not None and all(one.counted for one in damage):
            self._counts += _by_stream(part.counts) + _sum(damage)
        else:
            self._counts = None

    def _tail(self, part: LogFileReader, damage: list[Damage], begin: PartNote | None) -> Damage:
        """What is missing at the end of a part, from the counts at its start and behind it."""
        *others, tail = damage
        if part.end is not None:
            # written after its last message: only the index is missing
            return replace(tail, counts={}, counted=True, last_ns=part.last_ns)
        last_ns = tail.first_ns if begin is None else begin.last_ns
        if begin is None or self._counts is None or not all(one.counted for one in others):
            return replace(tail, last_ns=last_ns)
        found = self._counts + _by_stream(part.counts) + _sum(others)
        missing = _by_stream(begin.messages) - found
        return replace(tail, counts=dict(missing), counted=True, last_ns=last_ns)

    def _absent(self, first: int, following: int | None, begin: PartNote | None) -> None:
        """State that the parts from `first` up to the one before `following` are missing."""
        stop = first + 1 if following is None else following
        self.absent_files += range(first, stop)
        missing: Counter[str] = Counter()
        counted = begin is not None and self._counts is not None
        if begin is not None and self._counts is not None:
            missing = _by_stream(begin.messages) - self._counts
        self._counts = None if begin is None else _by_stream(begin.messages)
        last_ns = None if following is None else self._last_ns
        self.damage.append(
            Damage(
                start=0,
                size=0,
                counts=dict(missing),
                counted=counted,
                first_ns=self._last_ns,
                last_ns=last_ns if begin is None else begin.last_ns,
                file=part_path(self._log, first).name,
                absent_files=stop - first,
            )
        )


def _by_stream(counts: Mapping[str, int]) -> Counter[str]:
    """Counts by stream in the current wire version, from those by topic."""
    found: Counter[str] = Counter()
    for topic, n in counts.items():
        found[current_stream(topic)] += n
    return found


def _sum(damage: list[Damage]) -> Counter[str]:
    return sum((Counter(one.counts) for one in damage), Counter[str]())


def _messages(part: Part, topics: dict[int, str]) -> Iterator[tuple[Message, int]]:
    """Messages in `part`, each with its byte; channels are added to `topics` on the way."""
    content = part if isinstance(part, Content) else None
    places = iter(()) if content is None else content.places()
    for record in [part] if content is None else content.records:
        if isinstance(record, Channel):
            topics[record.id] = record.topic
        elif isinstance(record, Message):
            yield record, next(places, -1)


def _own_stream(data: bytes) -> str:
    """Stream that a message states itself, where the record of its channel is damaged."""
    try:
        return unpack(data).stream
    except MessageError:
        return "unknown/unknown"


def _logged(record: Message, topic: str, *, file: str, at: int) -> Logged:
    return Logged(
        stream=current_stream(topic),
        topic=topic,
        data=record.data,
        t_sent_ns=record.publish_time,
        t_received_ns=record.log_time,
        seq=record.sequence,
        file=file,
        at=at,
    )
