"""The link to a file that the microscope is still writing, for `raw_tail`."""

import os
from pathlib import Path
from typing import BinaryIO

from rtdecode.schema.interfaces import Clock

_CHUNK_BYTES = 1 << 23
_POLL_NS = 2_000_000


class TailLink:
    """All bytes of a file from its beginning, then those appended to it, in order.

    The file may be created later. A file that is replaced or truncated counts as a new connection.
    With `idle_s` the source ends when the file has not grown for that time; without, it never ends.
    """

    def __init__(self, path: Path, *, clock: Clock, idle_s: float | None) -> None:
        self._path, self._clock = path, clock
        self._idle_ns = None if idle_s is None else round(idle_s * 1e9)
        self._file: BinaryIO | None = None
        self._grown_ns: int | None = None
        self.connections = 0
        self.ended = False

    def read(self, until_ns: int) -> bytes:
        while not (data := self._chunk()) and not self.ended:
            now_ns = self._clock.now_ns()
            if now_ns >= until_ns:
                return b""
            self._clock.sleep_until(min(until_ns, now_ns + _POLL_NS))
        return data

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _chunk(self) -> bytes:
        file = self._opened()
        data = b"" if file is None else file.read(_CHUNK_BYTES)
        now_ns = self._clock.now_ns()
        if data or self._grown_ns is None:
            self._grown_ns = now_ns
        elif self._idle_ns is not None:
            self.ended = file is not None and now_ns - self._grown_ns >= self._idle_ns
        return data

    def _opened(self) -> BinaryIO | None:
        if self._file is not None and self._is_replaced(self._file):
            self.close()
        if self._file is None and self._path.is_file():
            self._file = self._path.open("rb")
            self.connections += 1
        return self._file

    def _is_replaced(self, file: BinaryIO) -> bool:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(file.fileno())
        # another file under the same name, or a file shorter than what was read
        return found.st_ino != mine.st_ino or mine.st_size < file.tell()
