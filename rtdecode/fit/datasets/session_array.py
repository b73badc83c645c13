"""Arrays of a recorded session's files, and what to say of those that do not fit."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.errors import MissingFileError, UnreadableFileError


def session_array(path: Path, *, remedy: str) -> NDArray[np.generic]:
    """The array in the `.npy` file `path`, mapped and not yet read.

    Raises
    ------
    MissingFileError
        If there is no such file; `remedy` says what the user should give.
    UnreadableFileError
        If it holds something else than an array with a shape.
    """
    if not path.is_file():
        raise MissingFileError(what="session file", path=path, remedy=remedy)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise _no_array(path, str(error)) from error
    if not isinstance(array, np.ndarray) or not array.ndim:
        raise _no_array(path, "something else")
    return array


def unlike(path: Path, expected: str, got: NDArray[np.generic]) -> UnreadableFileError:
    """That the array `got` of `path` is not as the session requires."""
    return UnreadableFileError(
        what="session file", path=path, expected=expected, got=f"{got.shape} {got.dtype}"
    )


def _no_array(path: Path, got: str) -> UnreadableFileError:
    return UnreadableFileError(
        what="session file", path=path, expected="an array in .npy form", got=got
    )
