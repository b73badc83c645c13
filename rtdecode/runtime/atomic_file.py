"""Atomic writing of files: a reader finds the old or the new content, also after a kill."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtdecode.runtime.disk import write_errors_named


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
