"""Files of a run or of its keys that their user alone can read and write.

>>> from tempfile import TemporaryDirectory
>>> with TemporaryDirectory() as folder:
...     path = Path(folder) / "control.json"
...     with Access("ipc:///tmp/control", "0123").written(path):
...         found = Access.read(path)
...     found.endpoint, path.exists()
('ipc:///tmp/control', False)
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self, TextIO

_OWNER_ALONE = 0o600


def new_owner_file(path: Path) -> TextIO:
    """A new text file, open to be written; FileExistsError where `path` exists."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ALONE)
    return open(descriptor, "w", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Access:
    """What a program of this computer needs to send commands or requests to a run."""

    endpoint: str
    token: str

    @contextmanager
    def written(self, path: Path) -> Iterator[None]:
        """`path` exists while the block runs, readable and writable for its user alone."""
        path.unlink(missing_ok=True)
        with new_owner_file(path) as file:
            json.dump(asdict(self), file)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path) -> Self:
        """What `written` wrote; OSError, ValueError, TypeError or KeyError where it is not that."""
        found = json.loads(path.read_text(encoding="utf-8"))
        return cls(str(found["endpoint"]), str(found["token"]))
