"""Log of a session in parts: `log.mcap`, `log_0001.mcap`, `log_0002.mcap` and so on.

Duties: append messages to the newest part, go on in a further part where it has reached its size,
and close the finished one in a thread, so that the recorder does not wait for its index or for the
disk. Each part is a whole MCAP file with its own channels and index, and states in a metadata
record which part of which log it is. It must not interpret messages.

The memory of the recorder is bounded by this: until a part is closed, its index needs about 0.8 kB
for each chunk, and a part ends after MOST_CHUNKS of them.

    log = LogParts(session.log, name="2026-11-30_09-00-00", part_bytes=2_000_000_000)
    log.add(data, stream="bridge/scan", seq=0, t_sent_ns=t_ns, t_logged_ns=t_ns)
    log.flush()
    log.close()
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from rtdecode.schema.errors import LogWriteError, SessionExistsError
from rtdecode.session.log import LogWriter
from rtdecode.session.log_schema import ABOUT, about_log

PART, PART_END = "rtdecode.part", "rtdecode.part_end"
"""Names of the metadata records at the start of a part and at its end."""
MOST_CHUNKS = 20_000
"""Chunks after which a part ends: about 16 MB of memory for its index."""
SPLIT_MB = 2000.0
"""Size in MB at which a part ends, unless the config states another."""
_LATER = 16
"""Where a further part cannot be opened, it is tried again after this fraction of its size."""


def part_path(log: Path, number: int) -> Path:
    """Path of part `number` of `log`; part 0 is `log` itself."""
    return log.with_stem(f"{log.stem}_{number:04d}") if number else log


def parts_of(log: Path) -> dict[int, Path]:
    """The parts of `log` that exist, by number, in order."""
    numbered = re.compile(rf"{re.escape(log.stem)}_(\d{{4,}}){re.escape(log.suffix)}")
    found = {0: log} if log.is_file() else {}
    for path in log.parent.iterdir() if log.parent.is_dir() else ():
        match = numbered.fullmatch(path.name)
        if match and path == part_path(log, int(match[1])) and path != log:
            found[int(match[1])] = path
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class PartNote:
    """What a part states about itself at its start, or about its end."""

    log: str
    """Name of the log, the same in all its parts."""
    part: int
    messages: Mapping[str, int] = field(default_factory=dict)
    """Messages by topic in all parts before it; at its end, with its own."""
    last_ns: int = 0
    """When the recorder received the last message before it; at its end, the last in it."""
    is_followed: bool = False
    """At the end of a part: whether there is a further one."""

    def values(self) -> dict[str, str]:
        """Values of the metadata record."""
        return {
            "log": self.log,
            "part": str(self.part),
            "messages": json.dumps(self.messages),
            "last_ns": str(self.last_ns),
            "is_followed": json.dumps(self.is_followed),
        }

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Self | None:
        """The note in a metadata record; None where its text is damaged."""
        try:
            messages = {str(name): int(n) for name, n in json.loads(values["messages"]).items()}
            followed = json.loads(values["is_followed"]) is True
            return cls(
                values["log"], int(values["part"]), messages, int(values["last_ns"]), followed
            )
        except (ValueError, KeyError, AttributeError, TypeError):
            return None


class LogParts:
    """Appends messages to a log of one or more files.

    Parameters
    ----------
    path
        The first file.
    name
        Name of the log in all its parts.
    part_bytes
        Size at which a part ends. A part is at most as much larger as is written between two
        flushes.
    reserve_bytes
        As for `LogWriter`, for each part.

    Notes
    -----
    Where no further part can be opened, for example on a full disk, the part that is being written
    goes on. Any method raises what `LogWriter` raises, also for the end of an earlier part.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        part_bytes: float,
        reserve_bytes: int = 0,
        most_chunks: int = MOST_CHUNKS,
    ) -> None:
        self._path, self._name, self._reserve_bytes = path, name, reserve_bytes
        self._part_bytes, self._most_chunks = part_bytes, most_chunks
        self._split_bytes = part_bytes
        self._split_chunks: float = most_chunks
        self._number, self._last_ns = 0, 0
        self._counts: Counter[str] = Counter()
        self._closing: threading.Thread | None = None
        self._failed: list[LogWriteError] = []
        if len(parts_of(path)) > path.is_file():
            raise SessionExistsError(folder=path.parent)
        self._writer = self._opened(0)

    @property
    def full(self) -> str:
        """Why only the reserve is left, for example a full disk; empty while there is space."""
        return self._writer.full

    @property
    def closed(self) -> bool:
        """Whether the log was closed, also because it cannot be written any more."""
        return self._writer.closed

    @property
    def n_streams(self) -> int:
        """Number of streams in the log."""
        return len(self._counts)

    def has_stream(self, stream: str) -> bool:
        """Whether the log has a message of `stream`."""
        return stream in self._counts

    def add(self, data: bytes, *, stream: str, seq: int, t_sent_ns: int, t_logged_ns: int) -> None:
        """Append one message of `stream`."""
        self._writer.add(data, stream=stream, seq=seq, t_sent_ns=t_sent_ns, t_logged_ns=t_logged_ns)
        self._counts[stream] += 1
        self._last_ns = t_logged_ns

    def flush(self) -> None:
        """Pass all messages to the operating system; go on in a further part where that is due."""
        self._raise_failed()
        self._writer.flush()
        if self._is_due() and not self._is_closing():
            self._split()

    def close(self) -> None:
        """Close all parts with their index, on the disk; repeated calls have no effect."""
        try:
            if not self._writer.closed:
                self._writer.note(PART_END, self._note(self._number).values())
        finally:
            self._writer.close()
            self.wait()
        self._raise_failed()

    def wait(self) -> None:
        """Wait until the finished part is closed."""
        if self._closing is not None:
            self._closing.join()

    def _is_due(self) -> bool:
        """Whether the part has reached its size; on a full disk, its reserve is for its own end."""
        long = self._writer.n_bytes >= self._split_bytes
        return not self._writer.full and (long or self._writer.n_chunks >= self._split_chunks)

    def _is_closing(self) -> bool:
        return self._closing is not None and self._closing.is_alive()

    def _raise_failed(self) -> None:
        if self._failed:
            raise self._failed.pop()

    def _note(self, part: int, *, is_followed: bool = False) -> PartNote:
        return PartNote(self._name, part, dict(self._counts), self._last_ns, is_followed)

    def _split(self) -> None:
        """Go on in a further part.

        All messages before it are with the operating system, and then the statement that it
        follows, before it gets a message: a kill at any moment loses and doubles nothing.
        """
        try:
            following = self._opened(self._number + 1)
        except (LogWriteError, SessionExistsError):
            self._split_bytes = self._writer.n_bytes + self._part_bytes / _LATER
            self._split_chunks = self._writer.n_chunks + self._most_chunks / _LATER
            return
        finished, self._writer = self._writer, following
        finished.note(PART_END, self._note(self._number, is_followed=True).values())
        finished.flush()
        self._number += 1
        self._split_bytes, self._split_chunks = self._part_bytes, self._most_chunks
        self._closing = threading.Thread(target=self._close, args=(finished,), name="log part")
        self._closing.start()

    def _opened(self, number: int) -> LogWriter:
        """Part `number`, new; LogWriteError where the disk has no room for it."""
        path = part_path(self._path, number)
        try:
            writer = LogWriter(path, reserve_bytes=self._reserve_bytes)
        except LogWriteError:
            if number:
                path.unlink(missing_ok=True)
            raise
        try:
            writer.note(ABOUT, about_log())
            writer.note(PART, self._note(number).values())
            writer.flush()
            if number and writer.full:
                raise LogWriteError(log=path, got=writer.full)
        except LogWriteError:
            self._discard(writer, number)
            raise
        return writer

    @staticmethod
    def _discard(writer: LogWriter, number: int) -> None:
        """Remove a further part that could not be begun; the first one is kept as it is."""
        if number:
            with suppress(LogWriteError):
                writer.close()
            with suppress(OSError):
                writer.path.unlink()

    def _close(self, finished: LogWriter) -> None:
        try:
            finished.close()
        except LogWriteError as error:
            self._failed.append(error)
