"""Repairs the log of a session whose recorder was killed."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rtdecode.session.layout import SessionLock, session_at
from rtdecode.session.log import LogWriter
from rtdecode.session.reader import LogReader


@dataclass(frozen=True, slots=True)
class RecoverReport:
    """Result of a recovery."""

    log: Path
    was_complete: bool
    """True if the log had its end; it is then unchanged."""
    counts: Mapping[str, int]
    """Messages in the repaired log, by stream."""
    damaged: Path | None
    """Path of the original log; None if nothing was changed."""


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
    LogWriteError
        If there is no space for a second log on the disk.
    """
    layout = session_at(folder)
    with SessionLock(layout):
        found = LogReader(layout.log)
        summary = found.summary()
        if summary.complete:
            return RecoverReport(layout.log, True, summary.counts, None)
        repaired = layout.log.with_name("log.recovering.mcap")
        repaired.unlink(missing_ok=True)
        counts = _copied(found, repaired)
        damaged = _free_name(layout.log.with_name("log.damaged.mcap"))
        os.link(layout.log, damaged)
        repaired.replace(layout.log)
    return RecoverReport(layout.log, False, counts, damaged)


def _copied(found: LogReader, path: Path) -> Mapping[str, int]:
    writer = LogWriter(path)
    counts: Counter[str] = Counter()
    try:
        for entry in found.logged():
            writer.add(
                entry.data,
                stream=entry.topic,
                seq=entry.seq,
                t_sent_ns=entry.t_sent_ns,
                t_logged_ns=entry.t_received_ns,
            )
            counts[entry.stream] += 1
    finally:
        writer.close()
    return dict(counts)


def _free_name(path: Path) -> Path:
    number, name = 2, path
    while name.exists():
        name = path.with_stem(f"{path.stem}_{number}")
        number += 1
    return name
