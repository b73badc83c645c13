"""Reads session logs, including logs that are damaged or end in the middle of a record.

Duties: give the messages of a log in their recorded order, of the wanted streams, under the names
of the current wire version. Replay, recovery, summary, report and own-session datasets read logs
with it. It must not interpret messages, and never writes.

    reader = LogReader(session_at(folder).log)
    scans = reader.messages(lambda stream: stream.endswith("/scan"))
"""

import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcap.exceptions import McapError
from mcap.reader import make_reader

from rtdecode.runtime.codec import unpack
from rtdecode.schema.errors import MissingFileError
from rtdecode.schema.messages import Received
from rtdecode.session.damage import Damage
from rtdecode.session.log_parts import parts_of
from rtdecode.session.part_reader import JoinedParts, LogFileReader, Logged, Wanted, every_stream

__all__ = ["LogReader", "LogSummary", "Logged", "Wanted", "every_stream"]


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
    """The messages of a log, of all its parts, in the order in which they were recorded.

    A log that ends in the middle of a record (recorder killed, disk full) gives all messages before
    it, and a damaged chunk or a missing part is skipped. After the last message, `complete` states
    whether the log is whole as files, and `damage` lists what is missing. It holds one record at a
    time, and no index.

    Parameters
    ----------
    path
        The first part, `log.mcap`; it may be missing where there are others.

    Raises
    ------
    MissingFileError
        If there is no part.
    UnreadableFileError
        If none is an MCAP file, or one belongs to another log.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.complete = False
        self.damage: tuple[Damage, ...] = ()
        self.damaged_files: Sequence[int] = ()
        """Numbers of the files that are not whole."""
        self.absent_files: Sequence[int] = ()
        """Numbers of the files that are missing."""
        if not parts_of(path):
            raise MissingFileError(what="session log", path=path, remedy="give a session folder")

    def has_index(self) -> bool:
        """Whether all parts end with an intact index, as a recorder that was not killed writes."""
        found = parts_of(self._path)
        files = [LogFileReader(path) for path in found.values()]
        is_whole = list(found) == list(range(len(found))) and not files[-1].is_followed()
        return is_whole and all(one.has_index() for one in files)

    def span_ns(self) -> tuple[int, int]:
        """When the first and the last message were received, in ns; 0 and 0 in an empty log.

        They are in the index of each part; without an index the whole log is read.
        """
        found = [_indexed_span_ns(path) for path in parts_of(self._path).values()]
        known = [span for span in found if span is not None]
        if len(known) < len(found) or not known:
            counted = self.summary()
            return counted.first_ns, counted.last_ns
        return min(first for first, _ in known), max(last for _, last in known)

    def logged(self, wanted: Wanted = every_stream) -> Iterator[Logged]:
        """Messages of the `wanted` streams, as bytes."""
        self.complete, self.damage = False, ()
        joined = JoinedParts(self._path)
        for part in joined.parts():
            yield from part.messages(wanted)
        self.damage = tuple(joined.damage)
        self.damaged_files, self.absent_files = joined.damaged_files, joined.absent_files
        self.complete = not (self.damaged_files or self.absent_files)

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


def _indexed_span_ns(path: Path) -> tuple[int, int] | None:
    """First and last time in the statistics of one part; None where it has none."""
    with path.open("rb") as file:
        try:
            summary = make_reader(file).get_summary()
        except (McapError, struct.error):
            return None
    if summary is None or summary.statistics is None or not summary.statistics.message_count:
        return None
    return summary.statistics.message_start_time, summary.statistics.message_end_time
