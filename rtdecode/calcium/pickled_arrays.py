"""Reads the pickled .npy files of suite2p: arrays, numbers and texts, and nothing that executes.

Files come from other programs and may be damaged. Only the names that reconstruct arrays are
resolved, with functions of this module in place of numpy's, which trust what a file states.
"""

import io
import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.array_files import (
    MOST_BYTES,
    ContentError,
    damage_named,
    header_of_npy,
    require_regular,
)
from rtdecode.schema.errors import UnsafePickleError

_DTYPE = re.compile(r"[biufcSU]\d{1,4}")
"""Names of the dtypes that are reconstructed from a pickle."""
_PATHS = ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
_UNUSED = {
    *(("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")),
    *((module, name) for module in ("pathlib", "pathlib._local") for name in _PATHS),
    ("torch", "device"),
}
"""Classes whose values suite2p keeps in ops.npy, and that ROIs do not require."""


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
    with damage_named(path, what=what, expected=expected, remedy=remedy), path.open("rb") as file:
        shape, dtype = header_of_npy(file)
        if dtype.kind != "O":
            raise ContentError(f"an array of {dtype}")
        array = _ArrayUnpickler(path, file.read(MOST_BYTES)).load()
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise ContentError(f"a pickled {type(array).__name__} of another shape than {shape}")
        return array


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
            raise ContentError("an array whose items do not match its dtype")
        if len(raw) != size:
            raise ContentError(f"{len(raw)} items for an array of shape {shape}")
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
