"""A folder for the files of an imported twin, which become visible together.

Duties: keep what a failed import has written out of the folder of the twin, and refuse a folder
that has files of another twin, whose prior or noise model would be used with the imported weights.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtdecode.schema.atomic_file import beside
from rtdecode.schema.errors import OutputPathError, TwinReplacedError
from rtdecode.twins.record import (
    DESCRIPTION,
    NOISE,
    POSTERIOR,
    PRIOR,
    TRAINING_REPORT,
    WEIGHTS,
    twin_hash,
)

_OF_A_TWIN = (DESCRIPTION, WEIGHTS, PRIOR, NOISE, POSTERIOR, TRAINING_REPORT)


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A new, empty folder, whose files move to `out` when the block ends without an error.

    What a killed import to `out` has left is removed.

    Raises
    ------
    TwinReplacedError
        If `out` has files of another twin by then.
    FileWriteError
        If the disk is full or fails.
    OutputBusyError
        If another process imports to `out`.
    OutputPathError
        If `out` is a file.
    """
    if out.exists() and not out.is_dir():
        raise OutputPathError(path=out, got="it is a file")
    with beside(out) as folder:
        folder.mkdir()
        yield folder
        require_same_twin(folder, out)
        if not out.exists():
            folder.rename(out)
            return
        for one in sorted(folder.iterdir()):
            one.replace(out / one.name)


def require_same_twin(folder: Path, out: Path) -> None:
    """Raise TwinReplacedError where `out` has files of another twin than that in `folder`."""
    found = [name for name in _OF_A_TWIN if (out / name).is_file()]
    is_same = {DESCRIPTION, WEIGHTS} <= set(found) and twin_hash(out) == twin_hash(folder)
    if found and not is_same:
        raise TwinReplacedError(out=out, got=", ".join(found))
