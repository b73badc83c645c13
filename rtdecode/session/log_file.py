"""File of a log that is being written: buffered, with disk space in reserve for its end.

Every call of `write` gets whole MCAP records. A file that cannot be written any more ends between
two records, so that it can be read. The reserve is a second file without a name in the same folder.
It is emptied when the disk is full, and its space then takes the records that wait, the last events
and the index of the log. A killed process leaves no reserve behind.
"""

import os
import tempfile
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import IO

from mcap.opcode import Opcode

from rtdecode.runtime.platform import reserve
from rtdecode.schema.disk import FULL

_BUFFER_BYTES = 1024 * 1024
_STEP_BYTES = 1024 * 1024
_INDEX_BYTES_A_RECORD = 128
"""Upper bound of what the index holds for a chunk, without its channels."""
_INDEX_SHARE = 3
"""The index holds 10 bytes for each channel of a chunk; its message index has at least 31."""


def _of_its_user(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class LogFile:
    """Binary file for the MCAP writer.

    Parameters
    ----------
    path
        The new file; FileExistsError if it exists.
    reserve_bytes
        Least size of the reserve; it grows with the index and the largest record. 0 keeps none.

    Notes
    -----
    Any method raises OSError if the disk fails and no reserve is left. What is on the disk then
    ends with a whole record, and the file is closed.
    """

    def __init__(self, path: Path, *, reserve_bytes: int) -> None:
        self.error: OSError | None = None
        """The error at which the reserve was taken into use; None while the disk has space."""
        self._file = open(path, "xb", buffering=0, opener=_of_its_user)
        self._waiting = bytearray()
        self._ends: deque[int] = deque()
        """Ends of the records in `_waiting`, as bytes from the start of the file."""
        self._at = self._whole = 0
        """Bytes on the disk, and those of them that are whole records."""
        self._least_bytes = reserve_bytes
        self._largest_bytes = self._index_bytes = self._reserved_bytes = 0
        self.n_chunks = 0
        """Chunks that were written; the index has an entry for each."""
        self._reserve: IO[bytes] | None = None
        if reserve_bytes:
            self._reserve = tempfile.TemporaryFile(dir=path.parent, buffering=0)
            self._grow_reserve()

    @property
    def closed(self) -> bool:
        """Whether the file was closed, by `close` or because it could not be written."""
        return self._file.closed

    def is_at(self, path: Path) -> bool:
        """Whether `path` still is this file, and was not removed, renamed or replaced."""
        try:
            return os.path.samestat(path.stat(), os.fstat(self._file.fileno()))
        except OSError:
            return False

    def write(self, records: bytes) -> int:
        """Append whole records; they are on the disk at the next `flush` or once 1 MiB waits."""
        if records:
            self._waiting += records
            self._ends.append(self.tell())
            self._largest_bytes = max(self._largest_bytes, len(records))
            self._index_bytes += _INDEX_BYTES_A_RECORD
            self.n_chunks += records[0] == Opcode.CHUNK
            if records[0] == Opcode.MESSAGE_INDEX:
                self._index_bytes += len(records) // _INDEX_SHARE
        if len(self._waiting) >= _BUFFER_BYTES:
            self._write_waiting()
        return len(records)

    def tell(self) -> int:
        """Bytes that were written, those that wait included."""
        return self._at + len(self._waiting)

    def flush(self) -> None:
        """Pass everything to the operating system, and grow the reserve where that is due."""
        self._write_waiting()
        self._grow_reserve()

    def close(self) -> None:
        """Write the rest to the disk and close the file; the space of the reserve is freed."""
        if self.closed:
            return
        try:
            self._write_waiting()
            os.fsync(self._file.fileno())
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the file at its last whole record, without what waits."""
        self._release()
        if self.closed:
            return
        with suppress(OSError):
            self._file.truncate(self._whole)
        with suppress(OSError):
            self._file.close()

    def _write_waiting(self) -> None:
        while self._waiting:
            try:
                written = self._file.write(self._waiting) or 0
            except OSError as error:
                if not self._release():
                    self.abandon()
                    raise
                self.error = error
                continue
            del self._waiting[:written]
            self._at += written
            while self._ends and self._ends[0] <= self._at:
                self._whole = self._ends.popleft()

    def _release(self) -> bool:
        """Free the reserve; False where there is none."""
        if self._reserve is None:
            return False
        with suppress(OSError):
            self._reserve.truncate(0)
        self._reserve.close()
        self._reserve = None
        return True

    def _grow_reserve(self) -> None:
        """Reserve the space that the records in memory, the last events and the index need."""
        end_bytes = 2 * (_BUFFER_BYTES + self._largest_bytes) + self._index_bytes
        needed = max(self._least_bytes, end_bytes)
        if self._reserve is None or needed <= self._reserved_bytes:
            return
        needed += _STEP_BYTES
        try:
            reserve(self._reserve.fileno(), needed)
        except OSError as error:
            # the reserve as it was is enough for the end of the log now, and not later; a file
            # system that cannot reserve space is used without
            self._release()
            self.error = error if error.errno in FULL else None
            return
        self._reserved_bytes = needed
