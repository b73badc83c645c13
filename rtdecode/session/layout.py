"""Session folders: names of their files, creation, and the lock of the writing process."""

import errno
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rtdecode.runtime.platform import lock
from rtdecode.schema.disk import free_mb, mount_point
from rtdecode.schema.errors import (
    DiskFullError,
    MissingFileError,
    SecondInstanceError,
    SessionExistsError,
    UnreadableFileError,
)
from rtdecode.schema.file_content import MCAP, content_of
from rtdecode.session.log_parts import parts_of

_OF_OWNER = 0o700


@dataclass(frozen=True, slots=True)
class SessionLayout:
    """Paths of the files in a session folder."""

    folder: Path

    @property
    def log(self) -> Path:
        """Every message of the run, with its bytes on the wire; the first part of the log."""
        return self.folder / "log.mcap"

    @property
    def has_log(self) -> bool:
        """Whether there is a log, or any part of one."""
        return bool(parts_of(self.log))

    @property
    def config(self) -> Path:
        """The resolved config, with all defaults."""
        return self.folder / "config.yaml"

    @property
    def protocol(self) -> Path:
        """The stimulus protocol of the run, where it has one."""
        return self.folder / "protocol.yaml"

    @property
    def environment(self) -> Path:
        """Versions, revision and machine."""
        return self.folder / "environment.json"

    @property
    def session_file(self) -> Path:
        """Who, when and which twin: `rtdecode.session.session_file`."""
        return self.folder / "session.json"

    @property
    def notes(self) -> Path:
        """Notes that were given after the end, one a line: `rtdecode.session.notes`."""
        return self.folder / "notes.jsonl"

    @property
    def control(self) -> Path:
        """Where a controller of this session is armed; there only while it runs, for its user."""
        return self.folder / "control.json"

    @property
    def page(self) -> Path:
        """Addresses of the page with their tokens; there only while it runs, for its user."""
        return self.folder / "page.txt"

    @property
    def requests(self) -> Path:
        """Where other programs stop the run; there only while it goes on, for its user."""
        return self.folder / "requests.json"

    @property
    def policy(self) -> Path:
        """Copy of the user's file of the policy."""
        return self.folder / "policy.py"

    @property
    def repaired(self) -> bool:
        """True if `rtdecode recover` has repaired the log; it keeps the damaged one beside it."""
        return any(self.folder.glob("log*.damaged*.mcap"))

    @property
    def report(self) -> Path:
        """Folder of figures and tables of this session."""
        return self.folder / "report"

    @property
    def lock(self) -> Path:
        """Lock file of the process that may write here; it contains the process id."""
        return self.folder / "lock"


def session_at(folder: Path) -> SessionLayout:
    """The recorded session in `folder`, or the session of the log file `folder`.

    Raises
    ------
    MissingFileError
        If there is no log.
    UnreadableFileError
        If a file is given that is not the log of a session.
    """
    is_file = folder.is_file() or (folder.suffix == ".mcap" and not folder.is_dir())
    layout = SessionLayout(folder.parent if is_file else folder)
    if folder.is_file() and folder.name != layout.log.name:
        expected = f"a session folder or its {layout.log.name}"
        found = _found_instead(folder, layout)
        raise UnreadableFileError(what="session", path=folder, expected=expected, **found)
    if not layout.has_log:
        raise MissingFileError(
            what="session log",
            path=layout.log,
            remedy="give a folder that `rtdecode run` or `rtdecode demo` has written",
        )
    return layout


def _found_instead(file: Path, layout: SessionLayout) -> dict[str, str]:
    """What `file` is that is not the log of `layout`, and what to do."""
    if (content := content_of(file)) != MCAP and file.suffix != layout.log.suffix:
        return {"got": f"a {content or 'different'} file"}
    if file in parts_of(layout.log).values():
        remedy = f"give {layout.folder}"
        return {"got": "a further part of the log of a session", "remedy": remedy}
    remedy = f"move it to a folder of its own as {layout.log.name}, with the config.yaml of its run"
    return {"got": "a file of another name", "remedy": remedy}


def session_with_config(folder: Path) -> SessionLayout:
    """The recorded session at `folder`, as `session_at`, if it has the config of its run.

    Raises
    ------
    MissingFileError
        If there is no log or no config.
    """
    layout = session_at(folder)
    if not layout.config.is_file():
        raise MissingFileError(
            what="config of the session",
            path=layout.config,
            remedy="a log without it cannot be scored or replayed; give the whole session folder",
        )
    return layout


def new_session(parent: Path, *, started: datetime) -> SessionLayout:
    """Create a new folder in `parent`, named by the time `started`, for its user alone."""
    _make_folder(parent)
    stem = started.strftime("%Y-%m-%d_%H-%M-%S")
    number = 1
    while True:
        folder = parent / (stem if number == 1 else f"{stem}_{number}")
        try:
            folder.mkdir(mode=_OF_OWNER)
        except FileExistsError:
            number += 1
        else:
            return _prepared(folder)


def named_session(folder: Path) -> SessionLayout:
    """Create the session folder that the user named, for this user alone.

    A folder that exists keeps its permissions.

    Raises
    ------
    SecondInstanceError
        If another run is writing there.
    SessionExistsError
        If it contains a recording already.
    UnreadableFileError
        If it is not a folder, or not writable.
    """
    _make_folder(folder, mode=_OF_OWNER)
    layout = SessionLayout(folder)
    SessionLock(layout).release()
    if layout.log.exists() or layout.has_log:
        raise SessionExistsError(folder=folder)
    return _prepared(folder)


def _make_folder(folder: Path, *, mode: int = 0o777) -> None:
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unusable(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _unusable(folder: Path, error: OSError) -> UnreadableFileError:
    return UnreadableFileError(
        what="session folder",
        path=folder,
        expected="a folder that can be written",
        got=error.strerror or str(error),
    )


def _prepared(folder: Path) -> SessionLayout:
    layout = SessionLayout(folder)
    layout.report.mkdir(exist_ok=True)
    return layout


def require_space(folder: Path, *, needed_mb: float) -> None:
    """Raise DiskFullError unless the disk of `folder` has `needed_mb` megabytes free."""
    has_mb = free_mb(folder)
    if has_mb < needed_mb:
        mount = mount_point(folder)
        raise DiskFullError(folder=folder, mount=mount, free_mb=has_mb, needed_mb=needed_mb)


def require_place(folder: Path, *, needed_mb: float) -> None:
    """Check that `folder` exists or can be created, with space for a session; nothing is written.

    Raises
    ------
    UnreadableFileError
        If it, or the folder in which it would be created, is not a folder that can be written.
    DiskFullError
        If the disk has less than `needed_mb` megabytes free.
    """
    existing = next(one for one in (folder, *folder.absolute().parents) if os.path.lexists(one))
    if not existing.is_dir():
        raise _unusable(existing, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    if not os.access(existing, os.W_OK | os.X_OK):
        raise _unusable(existing, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    require_space(existing, needed_mb=needed_mb)


def remove_unstarted(layout: SessionLayout) -> None:
    """Remove the folder of a session that was refused before its start.

    Only what is written before a start is removed, and the folder if nothing else is in it. The
    caller makes sure that the log holds no message.
    """
    logs = layout.folder / "logs"
    kept = (layout.config, layout.policy, layout.protocol, layout.session_file)
    for file in (*kept, layout.environment, layout.lock, layout.log, *logs.glob("*.log")):
        file.unlink(missing_ok=True)
    for folder in (layout.report, logs, layout.folder):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


class SessionLock:
    """Exclusive lock on a session folder, held from construction until `release`.

    The kernel releases it when the process ends in any way, so stale locks do not occur. The
    process id in the file only identifies the process to a person.

    Raises
    ------
    SecondInstanceError
        If another process, or another lock of this one, holds the folder.
    """

    def __init__(self, layout: SessionLayout) -> None:
        self._file = layout.lock.open("a+", encoding="ascii")
        try:
            lock(self._file)
        except BlockingIOError as error:
            self._file.seek(0)
            holder = self._file.read().strip()
            self._file.close()
            pid = int(holder) if holder.isdecimal() else 0
            raise SecondInstanceError(folder=layout.folder, pid=pid) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Release the lock; repeated calls have no effect."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
