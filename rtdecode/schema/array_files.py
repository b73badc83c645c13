"""Reads arrays of .npy and .npz files within bounds: ROIs, calibrations, screen masks, sessions.

Files come from other programs and may be damaged. The header of an array is compared with the bytes
of its file before memory is allocated, pickles are refused, and every failure is a BadInputError
that names the file, what was expected of it and what to do, in words of this project.
"""

import errno
import lzma
import math
import os
import pickle
import stat
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.errors import BadInputError, MissingFileError, UnreadableFileError

MOST_BYTES = 1024**3
"""Largest array, and largest pickle, that is read into memory."""
NUMBERS, TEXTS = "iufb", "U"
"""Kinds of dtypes, as numpy names them."""

_DEFLATE_RATIO = 1100
"""More than the largest ratio of compression of deflate, 1032."""
_ZIP_START = b"PK"
_UNREADABLE = frozenset(
    {errno.EACCES, errno.EPERM, errno.EIO, errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
    | {errno.ENAMETOOLONG, errno.ESTALE, errno.ENXIO, errno.EMFILE}
)
"""Error numbers of a file that cannot be read; others are caused by what is in it."""
_ARCHIVE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError)
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
    tokenize.TokenError,
    *_ARCHIVE,
)
"""Classes of errors that numpy, h5py, zipfile and pickle raise on damaged files."""


class ContentError(ValueError):
    """States what a file has instead of what is needed; `damage_named` adds the file's name."""


@contextmanager
def damage_named(path: Path, *, what: str, expected: str, remedy: str = "") -> Iterator[None]:
    """Convert the errors that a damaged file causes in the block to an UnreadableFileError."""
    try:
        yield
    except BadInputError:
        raise
    except _DAMAGE as error:
        raise UnreadableFileError(
            what=what, path=path, expected=expected, got=_found(error), remedy=remedy
        ) from error


def _found(error: Exception) -> str:
    """What a file has instead of the expected content, without the text of a library."""
    if isinstance(error, ContentError):
        return str(error)
    if isinstance(error, _ARCHIVE):
        return "a damaged archive"
    if isinstance(error, MemoryError):
        return "more than fits into memory"
    if isinstance(error, EOFError):
        return "a file that ends early"
    if isinstance(error, OSError) and error.errno in _UNREADABLE:
        return os.strerror(error.errno)
    return "damaged or foreign content"


def require_regular(path: Path, *, what: str, remedy: str) -> Path:
    """`path`, if it is a regular file.

    Opening a pipe would wait for its writer.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no file, or it is a folder, a pipe or a device.
    """
    with damage_named(path, what=what, expected="a path that can be read", remedy=remedy):
        if not path.exists():
            raise MissingFileError(what=what, path=path, remedy=remedy)
        mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        got = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise UnreadableFileError(what=what, path=path, expected="a file", got=got, remedy=remedy)
    return path


def arrays_of_npz(
    path: Path,
    names: Sequence[str],
    *,
    what: str,
    expected: str,
    remedy: str,
    optional: Sequence[str] = (),
    kinds: str = NUMBERS,
) -> dict[str, NDArray[Any]]:
    """The arrays `names` of a .npz file, by name, and those of `optional` that it has.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no such file, an array is missing, damaged or larger than `MOST_BYTES`, or its
        dtype is none of `kinds`.
    """
    require_regular(path, what=what, remedy=remedy)
    with (
        damage_named(path, what=what, expected=expected, remedy=remedy),
        zipfile.ZipFile(path) as archive,
    ):
        held = [name for name in optional if f"{name}.npy" in archive.namelist()]
        return {name: _entry(archive, name, kinds) for name in (*names, *held)}


def array_of_npy(
    path: Path, *, what: str, expected: str, remedy: str, kinds: str = NUMBERS
) -> NDArray[Any]:
    """The array of a .npy file; raises as `arrays_of_npz` does."""
    require_regular(path, what=what, remedy=remedy)
    with damage_named(path, what=what, expected=expected, remedy=remedy), path.open("rb") as file:
        size = path.stat().st_size
        _require_fit(*header_of_npy(file), size=min(size, MOST_BYTES), kinds=kinds)
        return _content(file)


def mapped_array_of_npy(
    path: Path, *, what: str, expected: str, remedy: str, kinds: str = NUMBERS
) -> NDArray[Any]:
    """The array of a .npy file of any size, memory-mapped; raises as `arrays_of_npz` does."""
    require_regular(path, what=what, remedy=remedy)
    with damage_named(path, what=what, expected=expected, remedy=remedy):
        with path.open("rb") as file:
            _require_fit(*header_of_npy(file), size=path.stat().st_size, kinds=kinds)
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))


def header_of_npy(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype that the header of a .npy file states; ContentError if it has none."""
    if file.peek(len(_ZIP_START))[: len(_ZIP_START)] == _ZIP_START:  # type: ignore[attr-defined]
        raise ContentError("a .npz archive")
    try:
        version = np.lib.format.read_magic(file)
    except ValueError as error:
        raise ContentError("no .npy file") from error
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice about headers of Python 2
        shape, _, dtype = readers[version](file)
    if any(side < 0 for side in shape):
        raise ContentError(f"an array of shape {shape}")
    return shape, dtype


def array_bytes(shape: Sequence[int], dtype: np.dtype[Any]) -> int:
    """Size in bytes of an array of `shape` and `dtype`, which need not exist."""
    return dtype.itemsize * math.prod(int(side) for side in shape)


def _entry(archive: zipfile.ZipFile, name: str, kinds: str) -> NDArray[Any]:
    if f"{name}.npy" not in archive.namelist():
        raise ContentError(f"no array {name}")
    entry = archive.getinfo(f"{name}.npy")
    # a damaged entry may state any size; it holds no more than its compressed bytes can
    size = min(entry.file_size, entry.compress_size * _DEFLATE_RATIO, MOST_BYTES)
    try:
        with archive.open(entry) as file:
            _require_fit(*header_of_npy(file), size=size, kinds=kinds)
            return _content(file)
    except ContentError as error:
        raise ContentError(f"{name}, {error}") from error
    except _ARCHIVE as error:
        raise ContentError(f"a damaged array {name}") from error


def _require_fit(shape: tuple[int, ...], dtype: np.dtype[Any], *, size: int, kinds: str) -> None:
    """Raise ContentError for an array of another kind, or of more bytes than `size`."""
    if dtype.kind not in kinds:
        needed = "numbers" if kinds == NUMBERS else "texts" if kinds == TEXTS else "plain values"
        raise ContentError(f"an array of {dtype}, not of {needed}")
    if array_bytes(shape, dtype) > size:
        raise ContentError(f"an array of shape {shape} in at most {size} bytes")


def _content(file: IO[bytes]) -> NDArray[Any]:
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
