"""Atomic writing of files: a reader finds the old or the new content, also after a kill."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtdecode.runtime.disk import write_errors_named
from rtdecode.schema.errors import OutputExistsError

_UNFINISHED = "rtdecode-unfinished"
"""In the name of an unfinished output; a file of that name is removed, so it is no common one."""


@contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """A temporary path to write to, which replaces `path` when the block ends without an error.

    Until then `path` is unchanged. The folder of `path` is created if it does not exist. Raises
    FileWriteError where the disk is full or fails.
    """
    with write_errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        yield unfinished
        # Windows writes only what is open to be written
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)


@contextmanager
def new_output(path: Path) -> Iterator[Path]:
    """A temporary path for a new file or folder, which gets the name `path` once it is whole.

    It lies beside `path` and ends with the same suffix. An error, or an interrupt, removes it; what
    a killed process has left there is replaced. The folder of `path` is created if it does not
    exist. Raises FileWriteError where the disk is full or fails, OutputExistsError where something
    of the name `path` has come meanwhile.
    """
    with write_errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.stem}.{_UNFINISHED}{path.suffix}")
        _remove(unfinished)
        try:
            yield unfinished
            if unfinished.is_file():
                # Windows writes only what is open to be written
                with unfinished.open("rb+") as file:
                    os.fsync(file.fileno())
            if path.exists() or path.is_symlink():
                raise OutputExistsError(out=path)
            unfinished.rename(path)
        finally:
            _remove(unfinished)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
