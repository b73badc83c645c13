"""Makes a log whole again whose writer was killed."""

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
    """What was found and kept."""

    log: Path
    was_complete: bool
    """True where nothing was wrong and nothing was changed."""
    counts: Mapping[str, int]
    """Messages of each stream that are in the log now."""
    damaged: Path | None
    """Where the log as found was kept; None where nothing was changed."""


def recover(folder: Path) -> RecoverReport:
    """Rewrite the log in `folder` with all messages that can be read, and with an index.

    The log as found stays beside it as `log.damaged.mcap`. Killed at any moment and run again,
    this gives the same: the new log takes its name in one step, once the disk has all of it.

    Raises
    ------
    MissingFileError
        If there is no log.
    SecondInstanceError
        If the session is still being recorded.
    UnreadableFileError
        If the log is no MCAP file at all.
    LogWriteError
        If the disk has no room for a second log.
    """
    layout = session_at(folder)
    with SessionLock(layout):
        found = LogReader(layout.log)
        summary = found.summary()
        if summary.complete:
            return RecoverReport(layout.log, True, summary.counts, None)
        whole = layout.log.with_name("log.recovering.mcap")
        whole.unlink(missing_ok=True)
        counts = _copied(found, whole)
        damaged = _free_name(layout.log.with_name("log.damaged.mcap"))
        os.link(layout.log, damaged)
        whole.replace(layout.log)
    return RecoverReport(layout.log, False, counts, damaged)


def _copied(found: LogReader, whole: Path) -> Mapping[str, int]:
    writer = LogWriter(whole)
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
