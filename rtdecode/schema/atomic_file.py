"""Atomic writing of files: a reader finds the old or the new content, also after a kill.

An unfinished file lies beside the file that it becomes, and has a name of its own: two programs
that write the same file do not meet in it. Its name has the process that writes it, so that what a
killed process has left differs from what another one is writing.
"""

import errno
import os
import platform
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtdecode.schema.disk import write_errors_named
from rtdecode.schema.errors import OutputBusyError, OutputExistsError

_UNFINISHED = "rtdecode-unfinished"
"""In the name of an unfinished file; what is left of one is removed, so it is no common name."""
_WITHOUT_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
"""Error numbers of a file system on which a file has one name only."""
_TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY})


@contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """A temporary path to write to, which replaces `path` when the block ends without an error.

    Until then `path` is unchanged; of several programs, the last one to end replaces it. An error
    removes the temporary file. The folder of `path` is created if it does not exist. Raises
    FileWriteError where the disk is full or fails.
    """
    with write_errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        unfinished = _unfinished(path)
        try:
            yield unfinished
            _flush(unfinished)
            unfinished.replace(path)
        finally:
            _remove(unfinished)


@contextmanager
def new_output(path: Path) -> Iterator[Path]:
    """A temporary path for a new file or folder, which gets the name `path` once it is whole.

    It lies beside `path` and ends with the same suffix. An error, or an interrupt, removes it; what
    a killed process has left there is removed. The folder of `path` is created if it does not
    exist. Raises FileWriteError where the disk is full or fails, OutputBusyError where another
    process is writing `path`, OutputExistsError where something of that name has come meanwhile.
    """
    with beside(path) as unfinished:
        yield unfinished
        if unfinished.is_file():
            _flush(unfinished)
        _name(unfinished, path)


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; what is still there at the end of the block is removed.

    As `new_output`, but the block itself moves what it has written, so that it can add files to a
    folder that exists. Raises FileWriteError and OutputBusyError.
    """
    path = _with_name(path)
    with write_errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if writers := _remove_abandoned(path):
            raise OutputBusyError(out=path, process=min(writers))
        unfinished = _unfinished(path)
        try:
            yield unfinished
        finally:
            _remove(unfinished)


def _with_name(path: Path) -> Path:
    """`path`, or the folder that it stands for, as `.` does."""
    return path if path.name not in {"", ".."} else path.resolve()


def _unfinished(path: Path) -> Path:
    """A new name beside `path`, with the process that writes there."""
    writer = f"{_host()}-{os.getpid()}-{secrets.token_hex(3)}"
    return path.with_name(f"{path.stem}.{_UNFINISHED}-{writer}{path.suffix}")


def _host() -> str:
    return re.sub(r"\W", "", platform.node())[:20] or "host"


def _remove_abandoned(path: Path) -> list[int]:
    """Remove what killed processes have left of `path`; the processes that are writing it."""
    # without a writer in it, as earlier versions named it, no process writes it
    pattern = rf"{re.escape(path.stem)}\.{_UNFINISHED}(-(\w+)-(\d+)-\w+)?{re.escape(path.suffix)}"
    writers = []
    for one in path.parent.iterdir():
        if (found := re.fullmatch(pattern, one.name)) is None:
            continue
        _, host, process = found.groups()
        if process is not None and (host != _host() or _is_running(int(process), one)):
            writers.append(int(process))
        else:
            _remove(one)
    return writers


def _is_running(process: int, unfinished: Path) -> bool:
    """Whether the process that wrote `unfinished` runs; its number may be another's by now."""
    # imported where a file is found, which is seldom
    import psutil

    try:
        return bool(psutil.Process(process).create_time() <= unfinished.stat().st_mtime)
    except (psutil.Error, OSError):
        return False


def _flush(path: Path) -> None:
    # Windows writes only what is open to be written
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _name(unfinished: Path, path: Path) -> None:
    """Give `unfinished` the name `path`; OutputExistsError where something has that name."""
    if path.exists() or path.is_symlink():
        raise OutputExistsError(out=path)
    try:
        if unfinished.is_dir():
            unfinished.rename(path)
            return
        # a second name, unlike a change of name, replaces nothing
        os.link(unfinished, path)
    except OSError as error:
        if error.errno in _TAKEN:
            raise OutputExistsError(out=path) from error
        if error.errno not in _WITHOUT_LINKS:
            raise
        unfinished.rename(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
