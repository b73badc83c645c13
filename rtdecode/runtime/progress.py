"""What a process keeps while it runs, from which it continues when it is started again.

`Progress` keeps a few numbers, `KeptMessages` the newest messages of a numbered sequence. Each step
is written by one system call into the page cache, so that a kill leaves either what the step before
wrote or what the step writes, and no step waits for the disk.

>>> from tempfile import TemporaryDirectory
>>> with TemporaryDirectory() as folder:
...     with Progress(Path(folder) / "bridge.progress", ("number", "t_end_ns")) as progress:
...         progress.write(7, 120)
...     Progress(Path(folder) / "bridge.progress", ("number", "t_end_ns")).read()
{'number': 7, 't_end_ns': 120}
"""

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from rtdecode.runtime.platform import opened_to_write, reserve, write_at
from rtdecode.runtime.run_info import RunInfo
from rtdecode.schema.config import RunConfig
from rtdecode.schema.disk import write_errors_named

_MARK = b"rtd1"
SLOT_BYTES = 1024
"""Bytes of one slot of a `KeptMessages`. A page of memory is a multiple of it, so that a slot has
either its earlier or its later content after a kill."""
_SLOT_HEAD = struct.Struct("<4sqH")


class Progress:
    """A small file of whole numbers.

    Parameters
    ----------
    path
        The file; None for a process that is never started again, which keeps nothing.
    names
        Names of the numbers, in the order in which `write` takes them.
    """

    def __init__(self, path: Path | None, names: Sequence[str]) -> None:
        self._path, self._names = path, tuple(names)
        self._format = struct.Struct(f"<4s{len(self._names)}q")
        self._file: int | None = None

    def read(self) -> dict[str, int] | None:
        """The numbers of the last step, by name; None where no step was written."""
        if self._path is None or not self._path.is_file():
            return None
        raw = self._path.read_bytes()
        if len(raw) != self._format.size or not raw.startswith(_MARK):
            return None
        _, *numbers = self._format.unpack(raw)
        return dict(zip(self._names, numbers, strict=True))

    def write(self, *numbers: int) -> None:
        """Replace the numbers of the last step."""
        if self._path is None:
            return
        if self._file is None:
            self._file = opened_to_write(self._path)
        write_at(self._file, self._format.pack(_MARK, *numbers), 0)

    def remove(self) -> None:
        """Close and remove the file, at a clean end of the process."""
        # Windows does not remove an open file
        self.__exit__()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class KeptMessages:
    """A file of the newest messages of a sequence, at most one in each slot.

    Message k is kept in slot k modulo the number of slots, where it replaces an older one. Opened
    in a `with` statement, the file has all its room at once, so that no later step fails on a full
    disk: a stimulus must answer its commands then, too.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with KeptMessages(Path(folder) / "kept", slots=2) as kept:
    ...         for number, data in enumerate([b"a", b"b", b"c"]):
    ...             kept.write(number, data)
    ...     KeptMessages(Path(folder) / "kept", slots=2).read()
    {1: b'b', 2: b'c'}

    Parameters
    ----------
    path
        The file; None keeps nothing.
    slots
        Number of messages that are kept.
    """

    longest = SLOT_BYTES - _SLOT_HEAD.size
    """Bytes that a message has at most."""

    def __init__(self, path: Path | None, *, slots: int) -> None:
        self._path, self.slots = path, slots
        self._file: int | None = None

    def read(self) -> dict[int, bytes]:
        """The messages that are kept, by number, in order."""
        if self._path is None or not self._path.is_file():
            return {}
        raw, kept = self._path.read_bytes(), dict[int, bytes]()
        for start in range(0, len(raw) - _SLOT_HEAD.size + 1, SLOT_BYTES):
            mark, number, length = _SLOT_HEAD.unpack_from(raw, start)
            if mark == _MARK:
                first = start + _SLOT_HEAD.size
                kept[number] = raw[first : first + length]
        return dict(sorted(kept.items()))

    def write(self, number: int, data: bytes) -> None:
        """Keep `data`, of at most `longest` bytes, as message `number`."""
        if (file := self._opened()) is None:
            return
        head = _SLOT_HEAD.pack(_MARK, number, len(data))
        write_at(file, head + data, number % self.slots * SLOT_BYTES)

    def _opened(self) -> int | None:
        if self._file is None and self._path is not None:
            self._file = opened_to_write(self._path)
        return self._file

    def remove(self) -> None:
        """Close and remove the file, at a clean end of the process."""
        # Windows does not remove an open file
        self.__exit__()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        if self._path is not None and (file := self._opened()) is not None:
            with write_errors_named(self._path):
                reserve(file, self.slots * SLOT_BYTES)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def kept_messages(config: RunConfig, run_info: RunInfo, *, file: str, slots: int) -> KeptMessages:
    """The messages in `file` of the session folder; none are kept where there is no such folder."""
    folder = session_folder(config, run_info)
    return KeptMessages(None if folder is None else folder / file, slots=slots)


def session_folder(config: RunConfig, run_info: RunInfo) -> Path | None:
    """The folder of the session; None where there is none."""
    folder = config.record.folder / run_info.session
    return folder if run_info.session and folder.is_dir() else None


def kept_progress(
    config: RunConfig, run_info: RunInfo, *, file: str, names: Sequence[str]
) -> Progress:
    """The numbers in `file` of the session folder; none are kept where there is no such folder."""
    folder = session_folder(config, run_info)
    return Progress(None if folder is None else folder / file, names)
