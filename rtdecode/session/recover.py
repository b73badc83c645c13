"""Repairs the log of a session that is damaged, or whose recorder was killed."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rtdecode.schema.errors import LogWriteError, RepairWriteError
from rtdecode.schema.messages import End
from rtdecode.session.damage import Damage, damage_as_values
from rtdecode.session.layout import SessionLock, session_at
from rtdecode.session.log import RECOVERY, LogWriter
from rtdecode.session.log_parts import PART, PART_END, PartNote, part_path, parts_of
from rtdecode.session.log_schema import ABOUT
from rtdecode.session.part_reader import LogFileReader
from rtdecode.session.reader import LogReader


@dataclass(frozen=True, slots=True)
class RecoverReport:
    """Result of a recovery."""

    log: Path
    was_complete: bool
    """True if the log was whole as a file; it is then unchanged."""
    counts: Mapping[str, int]
    """Messages in the repaired log, by stream."""
    damaged: tuple[Path, ...] = ()
    """Paths of the original files of the log that were repaired."""
    damage: tuple[Damage, ...] = ()
    """What could not be read, now or at an earlier recovery."""
    first_ns: int = 0
    """When the recorder received the first message."""

    @property
    def without_end(self) -> list[str]:
        """Sources of which the log holds messages, but not the END that each sends last.

        The recorder writes its own messages into the log, and sends no END.
        """
        sources = {stream.partition("/")[0] for stream in self.counts} - {"recorder"}
        return sorted(source for source in sources if f"{source}/{End.kind}" not in self.counts)

    def sentences(self) -> list[str]:
        """State what was done, and what is missing."""
        lost = [one for one in self.damage if one.loses_messages or not self.was_complete]
        return [
            self._done(),
            *(one.sentence(zero_ns=self.first_ns) for one in lost),
            *(
                f"the log holds no END of {source}: its last messages can be missing"
                for source in self.without_end
            ),
        ]

    def _done(self) -> str:
        if not self.was_complete:
            total = sum(self.counts.values())
            kept = ", ".join(map(str, self.damaged))
            kept = kept and f"; the damaged log is kept as {kept}"
            return f"{total} messages recovered{kept}"
        if any(one.loses_messages for one in self.damage):
            return f"{self.log} was recovered before and has gaps; nothing was changed"
        if self.without_end:
            return f"{self.log} can be read to its end; nothing was changed"
        return f"{self.log} is complete; nothing was changed"


def recover(folder: Path) -> RecoverReport:
    """Rewrite the log in `folder` with all messages that can be read, and with an index.

    Only damaged files of the log are rewritten. Each original is kept beside them, such as
    `log.damaged.mcap`, and the repaired file replaces it in one step once it is on disk, so a
    recovery that is interrupted can be repeated. In the place of a file that is missing, one
    without messages states what is missing.

    Raises
    ------
    MissingFileError
        If the folder has no log.
    SecondInstanceError
        If the session is being recorded.
    UnreadableFileError
        If the log is not an MCAP file.
    RepairWriteError
        If a repaired file cannot be written, for example because the disk is full.
    """
    layout = session_at(folder)
    with SessionLock(layout):
        found = LogReader(layout.log)
        summary = found.summary()
        damaged = tuple(_repaired(layout.log, found))
    return RecoverReport(
        log=layout.log,
        was_complete=summary.complete,
        counts=summary.counts,
        damaged=damaged,
        damage=summary.damage,
        first_ns=summary.first_ns,
    )


def _repaired(log: Path, found: LogReader) -> Iterator[Path]:
    """Repair the files of `log` that are not whole; the paths of the damaged ones."""
    lost = [one for one in found.damage if one.loses_messages]
    numbers = sorted({*found.damaged_files, *found.absent_files})
    last = max([*parts_of(log), *numbers])
    for number in numbers:
        path = part_path(log, number)
        of_file = [one for one in lost if (one.file or log.name) == path.name]
        damaged = _replaced(path, of_file, is_followed=number < last)
        if damaged is not None:
            yield damaged


def _replaced(path: Path, lost: Sequence[Damage], *, is_followed: bool) -> Path | None:
    """Replace a file of a log by a whole one; the path of the damaged one, if there is one."""
    repaired, damaged = path.with_stem(f"{path.stem}.recovering"), None
    try:
        repaired.unlink(missing_ok=True)
        _copy(path, repaired, lost, is_followed=is_followed)
        if path.is_file():
            damaged = _free_name(path.with_stem(f"{path.stem}.damaged"))
            os.link(path, damaged)
        repaired.replace(path)
    except (OSError, LogWriteError) as error:
        # a half copy of the log would fill a disk that is full already
        repaired.unlink(missing_ok=True)
        raise RepairWriteError(log=path, got=_reason(error)) from error
    return damaged


def _reason(error: OSError | LogWriteError) -> str:
    cause = error if isinstance(error, OSError) else error.__cause__
    return os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else str(error)


def _copy(path: Path, repaired: Path, lost: Sequence[Damage], *, is_followed: bool) -> None:
    """Write what can be read of `path` as a whole file; none of its messages if it is missing."""
    writer = LogWriter(repaired)
    try:
        begin = _copied(LogFileReader(path), writer) if path.is_file() else None
        # a later recovery finds a log without damage, and still states what is missing
        if lost:
            writer.note(RECOVERY, damage_as_values(lost))
        if begin is not None:
            end = replace(begin, messages={}, is_followed=is_followed)
            writer.note(PART_END, end.values())
    finally:
        writer.close()


def _copied(file: LogFileReader, writer: LogWriter) -> PartNote | None:
    """Copy the messages of `file`; what it states at its start about itself."""
    begin, about = file.note_at_start(), file.about()
    if about is not None:
        writer.note(ABOUT, about)
    if begin is not None:
        writer.note(PART, begin.values())
    for entry in file.messages():
        writer.add(
            entry.data,
            stream=entry.topic,
            seq=entry.seq,
            t_sent_ns=entry.t_sent_ns,
            t_logged_ns=entry.t_received_ns,
        )
    return begin


def _free_name(path: Path) -> Path:
    number, name = 2, path
    while name.exists():
        name = path.with_stem(f"{path.stem}_{number}")
        number += 1
    return name
