"""A reference image from the first scans of a run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.extract import Mover
from rtdecode.calcium.register import Registrar

_ROUNDS = 2


def mean_of_aligned(scans: Sequence[NDArray[Any]], *, max_shift_px: float) -> NDArray[np.float32]:
    """(row, col) mean of scans after each was registered to the mean of the round before.

    The image keeps the plain mean's position, however the rounds moved it.
    """
    mean: NDArray[np.float32] = np.stack(scans).mean(0, dtype=np.float32)
    middle = mean
    for _ in range(_ROUNDS):
        middle = _aligned_mean(scans, middle, max_shift_px)
    back = Registrar(mean, max_shift_px=max_shift_px).shift(middle)
    moved, _ = Mover(middle.shape).move(middle, row_px=back.row_px, col_px=back.col_px)
    return moved


def _aligned_mean(
    scans: Sequence[NDArray[Any]], reference: NDArray[np.float32], max_shift_px: float
) -> NDArray[np.float32]:
    registrar, mover = Registrar(reference, max_shift_px=max_shift_px), Mover(reference.shape)
    total = np.zeros(reference.shape, np.float64)
    for scan in scans:
        shift = registrar.shift(scan)
        total += mover.move(scan, row_px=shift.row_px, col_px=shift.col_px)[0]
    return (total / len(scans)).astype(np.float32)
