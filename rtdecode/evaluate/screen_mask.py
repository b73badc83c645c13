"""Reading of the screen mask: the pixels of the screen that are scored.

The mask belongs to the animal, never to the method: `rtdecode fit mask` makes it of the twin and
the session, and all methods are scored on the same pixels.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.array_files import array_of_npy
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import UnreadableFileError

_REMEDY = "make one with `rtdecode fit mask`, or name none to score the whole screen"


def scoring_mask(config: RunConfig) -> NDArray[np.bool_]:
    """(row, col) bool from `evaluate.screen_mask`; the whole screen where the config names none.

    Raises
    ------
    MissingFileError, UnreadableFileError
        As `read_screen_mask`.
    """
    shape = (config.stimulus.rows_px, config.stimulus.cols_px)
    return read_screen_mask(config.evaluate.screen_mask, shape=shape)


def read_screen_mask(path: Path | None, *, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(row, col) bool, True for pixels that are scored; all True where `path` is None.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If the file is not there, or is no bool array of `shape` with at least one pixel set.
    """
    if path is None:
        return np.ones(shape, np.bool_)
    mask = _screen_array(path, what="screen mask", shape=shape, dtype=np.dtype(np.bool_))
    if not mask.any():
        raise UnreadableFileError(
            what="screen mask",
            path=path,
            expected="at least one pixel set",
            got="none",
            remedy=_REMEDY,
        )
    return np.asarray(mask, np.bool_)


def read_transparency(path: Path, *, shape: tuple[int, int]) -> NDArray[np.float32]:
    """(row, col) transparency that `rtdecode fit mask` writes beside a mask, without unit.

    Raises as `read_screen_mask` does.
    """
    return _screen_array(
        path, what="transparency of the screen mask", shape=shape, dtype=np.dtype(np.float32)
    )


def _screen_array(
    path: Path, *, what: str, shape: tuple[int, int], dtype: np.dtype[Any]
) -> NDArray[Any]:
    expected = f"a .npy array, {dtype} of shape {shape}"
    found = array_of_npy(path, what=what, expected=expected, remedy=_REMEDY)
    if found.dtype != dtype or found.shape != shape:
        got = f"{found.dtype} of shape {found.shape}"
        raise UnreadableFileError(what=what, path=path, expected=expected, got=got, remedy=_REMEDY)
    return found
