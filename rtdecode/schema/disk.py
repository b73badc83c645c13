"""The disk that a file lies on: where it is mounted, its free space, and its errors by name."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtdecode.schema.errors import FileWriteError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Error numbers of a disk without space, of a used quota, and of the largest size of a file."""
FAILED = FULL | {errno.EIO, errno.EROFS, errno.ENODEV, errno.ENXIO, errno.ESTALE}
"""Error numbers that the disk causes, not the program or its user."""
NO_FOLDER = frozenset({errno.EEXIST, errno.ENOTDIR, errno.EISDIR})
"""Error numbers of a path at which a file is where a folder is needed, or the other way round."""
_BYTES_PER_MB = 1_000_000


def mount_point(path: Path) -> Path:
    """Where the disk of `path`, which need not exist yet, is mounted."""
    here = path.absolute()
    return next((one for one in (here, *here.parents) if os.path.ismount(one)), Path("/"))


def free_bytes(path: Path) -> int:
    """Free bytes for this user on the disk of `path`; 0 where the disk does not state them."""
    here = path.absolute()
    existing = next((one for one in (here, *here.parents) if one.exists()), Path("/"))
    try:
        return shutil.disk_usage(existing).free
    except OSError:
        return 0


def free_mb(path: Path) -> float:
    """Free megabytes, as `free_bytes`."""
    return free_bytes(path) / _BYTES_PER_MB


@contextmanager
def write_errors_named(path: Path) -> Iterator[None]:
    """Block that writes `path`; an error of the disk or of permissions becomes FileWriteError."""
    try:
        yield
    except OSError as error:
        if error.errno not in FAILED and not isinstance(error, PermissionError):
            raise
        raise write_error(error, path) from error


def write_error(error: OSError, path: Path | None = None) -> FileWriteError:
    """The error of a write that the disk refused, in one sentence."""
    named = path or Path(str(error.filename or Path.cwd()))
    return FileWriteError(
        path=named,
        got=os.strerror(error.errno or errno.EIO),
        mount=mount_point(named),
        free_mb=free_mb(named),
    )
