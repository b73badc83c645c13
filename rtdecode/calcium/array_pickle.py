"""Reads suite2p's pickled numpy files without executing code that they name; for `roi_files`."""

import codecs
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.errors import UnreadableFileError, UnsafePickleError

_MOST_BYTES = 2 * 1024**3


def arrays_from_pickle(path: Path) -> NDArray[Any]:
    """Object array of a .npy file that suite2p wrote: dictionaries of arrays and numbers.

    Only the names that reconstruct numpy arrays and scalars are resolved.

    Raises
    ------
    UnsafePickleError
        For any other name in the file, before anything of it is executed.
    UnreadableFileError
        If the file is truncated or holds no such array.
    """
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = header(file)
        except ValueError as error:
            raise _not_readable(path, str(error)) from error
        if dtype.kind != "O":
            raise _not_readable(path, f"an array of {dtype}")
        body = file.read(_MOST_BYTES)
    return _unpickled(path, body, shape)


def _unpickled(path: Path, body: bytes, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        array = _ArrayUnpickler(path, body).load()
    except UnsafePickleError:
        raise
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError) as error:
        raise _not_readable(path, str(error)) from error
    if not isinstance(array, np.ndarray) or array.shape != shape:
        raise _not_readable(path, type(array).__name__)
    return array


def _not_readable(path: Path, got: str) -> UnreadableFileError:
    return UnreadableFileError(
        what="the file", path=path, expected="an array of ROIs as suite2p writes it", got=got
    )


class _ArrayUnpickler(pickle.Unpickler):
    def __init__(self, path: Path, body: bytes) -> None:
        super().__init__(io.BytesIO(body), encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        # numpy 1 and 2 keep `multiarray` in different packages, so the last part of the path counts
        allowed: dict[tuple[str, str], Callable[..., Any]] = {
            ("multiarray", "_reconstruct"): _empty_array,
            ("multiarray", "scalar"): _scalar,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("_codecs", "encode"): codecs.encode,
        }
        found = allowed.get((module.rsplit(".", maxsplit=1)[-1], name))
        if found is None or module.split(".")[0] not in ("numpy", "_codecs"):
            raise UnsafePickleError(path=self._path, name=f"{module}.{name}")
        return found


def _empty_array(*_: object) -> NDArray[Any]:
    """The empty array with which numpy's pickles begin; the following state fills it."""
    return np.ndarray.__new__(np.ndarray, (0,), np.dtype("b"))


def _scalar(dtype: np.dtype[Any], value: bytes) -> Any:
    return np.frombuffer(value, dtype, 1)[0]
