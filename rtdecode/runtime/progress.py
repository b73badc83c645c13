"""Numbers that a process keeps while it runs, from which it continues when it is started again.

Each step is written by one system call into the page cache, so that a kill leaves either the
numbers of the step before or those of the step, and no step waits for the disk.

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

from rtdecode.runtime.run_info import RunInfo
from rtdecode.schema.config import RunConfig

_MARK = b"rtd1"


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
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.pwrite(self._file, self._format.pack(_MARK, *numbers), 0)

    def remove(self) -> None:
        """Remove the file, at a clean end of the process."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def kept_progress(
    config: RunConfig, run_info: RunInfo, *, file: str, names: Sequence[str]
) -> Progress:
    """The numbers in `file` of the session folder; none are kept where there is no such folder."""
    folder = config.record.folder / run_info.session
    has_folder = bool(run_info.session) and folder.is_dir()
    return Progress(folder / file if has_folder else None, names)
