"""Repairs the log of a session that is damaged, or whose recorder was killed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rtdecode.schema.errors import LogWriteError, RepairWriteError
from rtdecode.schema.messages import End
from rtdecode.session.damage import Damage, damage_as_values
from rtdecode.session.layout import SessionLock, session_at
from rtdecode.session.log import RECOVERY, LogWriter
from rtdecode.session.reader import LogReader, LogSummary


@dataclass(frozen=True, slots=True)
class RecoverReport:
    """Result of a recovery."""

    log: Path
    was_complete: bool
    """True if the log was whole as a file; it is then unchanged."""
    counts: Mapping[str, int]
    """Messages in the repaired log, by stream."""
    damaged: Path | None
    """Path of the original log; None if nothing was changed."""
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
            return f"{total} messages recovered; the damaged log is kept as {self.damaged}"
        if any(one.loses_messages for one in self.damage):
            return f"{self.log} was recovered before and has gaps; nothing was changed"
        if self.without_end:
            return f"{self.log} can be read to its end; nothing was changed"
        return f"{self.log} is complete; nothing was changed"


def recover(folder: Path) -> RecoverReport:
    """Rewrite the log in `folder` with all messages that can be read, and with an index.

    The original log is kept beside it as `log.damaged.mcap`. The repaired log replaces it in one
    step once it is on disk, so a recovery that is interrupted can be repeated.

    Raises
    ------
    MissingFileError
        If the folder has no log.
    SecondInstanceError
        If the session is being recorded.
    UnreadableFileError
        If the log is not an MCAP file.
    RepairWriteError
        If the second log cannot be written, for example because the disk is full.
    """
    layout = session_at(folder)
    with SessionLock(layout):
        found = LogReader(layout.log)
        summary = found.summary()
        if summary.complete:
            return _report(layout.log, summary, damaged=None)
        repaired = layout.log.with_name("log.recovering.mcap")
        try:
            repaired.unlink(missing_ok=True)
            _copy(found, repaired)
            damaged = _free_name(layout.log.with_name("log.damaged.mcap"))
            os.link(layout.log, damaged)
            repaired.replace(layout.log)
        except (OSError, LogWriteError) as error:
            # a half copy of the log would fill a disk that is full already
            repaired.unlink(missing_ok=True)
            raise RepairWriteError(log=layout.log, got=_reason(error)) from error
    return _report(layout.log, summary, damaged=damaged)


def _reason(error: OSError | LogWriteError) -> str:
    cause = error if isinstance(error, OSError) else error.__cause__
    return os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else str(error)


def _report(log: Path, summary: LogSummary, *, damaged: Path | None) -> RecoverReport:
    return RecoverReport(
        log=log,
        was_complete=summary.complete,
        counts=summary.counts,
        damaged=damaged,
        damage=summary.damage,
        first_ns=summary.first_ns,
    )


def _copy(found: LogReader, path: Path) -> None:
    writer = LogWriter(path)
    try:
        for entry in found.logged():
            writer.add(
                entry.data,
                stream=entry.topic,
                seq=entry.seq,
                t_sent_ns=entry.t_sent_ns,
                t_logged_ns=entry.t_received_ns,
            )
        # a later recovery finds a log without damage, and still states what is missing
        lost = [one for one in found.damage if one.loses_messages]
        if lost:
            writer.note(RECOVERY, damage_as_values(lost))
    finally:
        writer.close()


def _free_name(path: Path) -> Path:
    number, name = 2, path
    while name.exists():
        name = path.with_stem(f"{path.stem}_{number}")
        number += 1
    return name
