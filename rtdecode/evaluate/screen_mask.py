"""The part of the screen that is scored; it belongs to the mouse, never to the method."""

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import MissingFileError, UnreadableFileError


def scoring_mask(config: RunConfig) -> NDArray[np.bool_]:
    """(row, col) bool from `evaluate.mask`; the whole screen where the config names none.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If the file is not there, or is no bool array of the screen's shape with a pixel in it.
    """
    shape = (config.stimulus.rows_px, config.stimulus.cols_px)
    path = config.evaluate.mask
    if path is None:
        return np.ones(shape, np.bool_)
    if not path.is_file():
        remedy = "make one with `rtdecode fit mask`, or leave evaluate.mask out"
        raise MissingFileError(what="scoring mask", path=path, remedy=remedy)
    expected = f"a bool .npy of shape {shape} with at least one pixel"
    try:
        mask = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise UnreadableFileError(
            what="scoring mask", path=path, expected=expected, got=str(error)
        ) from error
    if mask.shape != shape or mask.dtype != np.bool_ or not mask.any():
        got = f"{mask.dtype} of shape {mask.shape} with {np.count_nonzero(mask)} pixels"
        raise UnreadableFileError(what="scoring mask", path=path, expected=expected, got=got)
    return np.asarray(mask, np.bool_)
