"""Reads arrays of .npz and .npy files within bounds, for ROIs and calibrations.

Files come from other programs and may be damaged. Every failure is a BadInputError that names the
file, no array is larger than `MOST_BYTES`, and no code that a pickle names is executed.
"""

import io
import lzma
import math
import pickle
import re
import stat
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.errors import (
    BadInputError,
    MissingFileError,
    UnreadableFileError,
    UnsafePickleError,
)

MOST_BYTES = 1024**3
"""Largest array, and largest pickle, that is read."""

_LONGEST_REASON = 160
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
    lzma.LZMAError,
    pickle.UnpicklingError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""Classes of errors that numpy, h5py, zipfile and pickle raise on damaged files."""
_DTYPE = re.compile(r"[biufcSU]\d{1,4}")
"""Names of the dtypes that are reconstructed from a pickle."""
_PATHS = ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
_UNUSED = {
    *(("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")),
    *((module, name) for module in ("pathlib", "pathlib._local") for name in _PATHS),
    ("torch", "device"),
}
"""Classes whose values suite2p keeps in ops.npy, and that ROIs do not require."""


@contextmanager
def damage_named(path: Path, *, what: str, expected: str) -> Iterator[None]:
    """Convert the errors that a damaged file causes in the block to an UnreadableFileError."""
    try:
        yield
    except BadInputError:
        raise
    except _DAMAGE as error:
        reason = shorten(str(error), _LONGEST_REASON, placeholder=" …") or type(error).__name__
        raise UnreadableFileError(what=what, path=path, expected=expected, got=reason) from error


def require_regular(path: Path, *, what: str, remedy: str) -> Path:
    """`path`, if it is a regular file.

    Opening a pipe would wait for its writer.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no file, or it is a folder, a pipe or a device.
    """
    with damage_named(path, what=what, expected="a path that can be read"):
        if not path.exists():
            raise MissingFileError(what=what, path=path, remedy=remedy)
        mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        got = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise UnreadableFileError(what=what, path=path, expected="a file", got=got)
    return path


def arrays_of_npz(
    path: Path,
    names: Sequence[str],
    *,
    what: str,
    expected: str,
    remedy: str,
    optional: Sequence[str] = (),
) -> dict[str, NDArray[Any]]:
    """The arrays `names` of a .npz file of numbers, by name, and those of `optional` that it has.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no such file, an array is missing or damaged, or it does not hold numbers.
    """
    require_regular(path, what=what, remedy=remedy)
    with damage_named(path, what=what, expected=expected), zipfile.ZipFile(path) as archive:
        held = [name for name in optional if f"{name}.npy" in archive.namelist()]
        return {name: _entry(archive, name) for name in (*names, *held)}


def array_of_npy(path: Path, *, what: str, expected: str, remedy: str) -> NDArray[Any]:
    """The numbers of a .npy file; raises as `arrays_of_npz` does."""
    require_regular(path, what=what, remedy=remedy)
    with damage_named(path, what=what, expected=expected), path.open("rb") as file:
        return _numbers(file, path.stat().st_size)


def objects_of_npy(path: Path, *, what: str, expected: str, remedy: str) -> NDArray[Any]:
    """Object array of a pickled .npy file: dictionaries of arrays, numbers and texts.

    Only the names that reconstruct arrays are resolved. Dates, paths and devices become an
    `Unused`; any other name refuses the file before anything of it is executed.

    Raises
    ------
    MissingFileError, UnsafePickleError, UnreadableFileError
        If there is no such file, it names code, or it is damaged or holds no such array.
    """
    require_regular(path, what=what, remedy=remedy)
    with damage_named(path, what=what, expected=expected), path.open("rb") as file:
        shape, dtype = _header(file)
        if dtype.kind != "O":
            raise ValueError(f"an array of {dtype}")
        array = _ArrayUnpickler(path, file.read(MOST_BYTES)).load()
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise ValueError(f"a pickled {type(array).__name__} of another shape than {shape}")
        return array


def _entry(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    entry = archive.getinfo(f"{name}.npy")
    with archive.open(entry) as file:
        return _numbers(file, entry.file_size)


def _numbers(file: IO[bytes], size: int) -> NDArray[Any]:
    shape, dtype = _header(file)
    if dtype.kind not in "iufb":
        raise ValueError(f"an array of {dtype}, not of numbers")
    if array_bytes(shape, dtype) > min(size, MOST_BYTES):
        raise ValueError(f"an array of shape {shape} in {size} bytes")
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice about headers of Python 2
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shape, _, dtype = readers[version](file)
    if any(side < 0 for side in shape):
        raise ValueError(f"an array of shape {shape}")
    return shape, dtype


def array_bytes(shape: Sequence[int], dtype: np.dtype[Any]) -> int:
    """Size in bytes of an array of `shape` and `dtype`, which need not exist."""
    return dtype.itemsize * math.prod(int(side) for side in shape)


class Unused:
    """Stands for a date, a path or a device of a pickle; its content is dropped."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


# The compiled Unpickler clears memory up to the largest memo index that a file names, 64 GiB for a
# damaged one. The one in Python keeps the memo in a dictionary (0.8 s for 3000 ROIs).
class _ArrayUnpickler(pickle._Unpickler):  # noqa: SLF001
    """Unpickler of one file that resolves the names in pickles of numpy, and no others.

    numpy's own functions are replaced because they trust the states of arrays and dtypes.
    """

    def __init__(self, path: Path, body: bytes) -> None:
        super().__init__(io.BytesIO(body), encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) in _UNUSED:
            return Unused
        names: dict[tuple[str, str], Callable[..., Any]] = {
            ("numpy.core.multiarray", "_reconstruct"): _empty_array,
            ("numpy.core.multiarray", "scalar"): _scalar,
            ("numpy.core.numeric", "_frombuffer"): _from_buffer,
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): _Dtype,
            ("_codecs", "encode"): _encoded,
        }
        # numpy 1 and 2 keep the functions in different packages
        found = names.get((re.sub(r"^numpy\._core\.", "numpy.core.", module), name))
        if found is None:
            raise UnsafePickleError(path=self._path, name=f"{module}.{name}")
        return found


class _Dtype:
    """A simple dtype, or object for all others, whose byte order follows in its state."""

    def __init__(self, name: object, *_: object) -> None:
        self.dtype: np.dtype[Any] = np.dtype(object)
        if isinstance(name, str) and _DTYPE.fullmatch(name):
            self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if self.dtype.kind != "O" and state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array(np.ndarray[Any, np.dtype[Any]]):
    """An array that checks the state which follows in a pickle before numpy uses it."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, items = state
        raw = items if isinstance(items, list) else _raw(items)
        size = math.prod(shape) * (1 if isinstance(raw, list) else dtype.dtype.itemsize)
        if isinstance(raw, list) != (dtype.dtype.kind == "O") or min(shape, default=0) < 0:
            raise ValueError("an array whose items do not match its dtype")
        if len(raw) != size:
            raise ValueError(f"{len(raw)} items for an array of shape {shape}")
        fortran: Any = bool(is_fortran)
        super().__setstate__((1, tuple(shape), dtype.dtype, fortran, raw))


def _empty_array(*_: object) -> _Array:
    """The empty array with which the pickle of an array begins; its state follows."""
    return _Array((0,), np.dtype("b"))


def _from_buffer(buffer: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str) -> Any:
    return np.frombuffer(buffer, dtype.dtype).reshape(shape, order="F" if order == "F" else "C")


def _scalar(dtype: _Dtype, value: bytes | str) -> Any:
    return np.frombuffer(_raw(value), dtype.dtype, 1)[0]


def _encoded(text: str, *_: object) -> bytes:
    return text.encode("latin1")


def _raw(value: bytes | str) -> bytes:
    """Bytes, which pickles of Python 2 hold as text."""
    return value.encode("latin1") if isinstance(value, str) else bytes(memoryview(value))
