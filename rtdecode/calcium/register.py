"""Rigid registration of scans by phase correlation with a sub-pixel peak, for the scan reader.

Duties: estimate the translation of a scan relative to a reference, and average scans into a
reference. The module does not depend on ROIs, on earlier scans (each shift is estimated from one
scan alone), or on whether a shift is plausible, which `field_check` decides.

>>> rng = np.random.default_rng(0)
>>> image = rng.poisson(20, (64, 64)).astype(np.uint16)
>>> registrar = Registrar(image, max_shift_px=8.0)
>>> shift = registrar.shift(np.roll(image, (3, -2), (0, 1)))
>>> round(shift.row_px), round(shift.col_px)
(-3, 2)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from rtdecode.calcium.extract import Mover
from rtdecode.calcium.phase_correlation import PhaseCorrelator
from rtdecode.schema.errors import ScanShapeError, ShapeError

_ROUNDS = 2


def mean_of_aligned(scans: Sequence[NDArray[Any]], *, max_shift_px: float) -> NDArray[np.float32]:
    """(row, col) float32 mean of scans, each registered to the mean of the preceding iteration.

    Two iterations start from the plain mean. The result is translated back to the position of the
    plain mean, from which the iterations may drift.

    Parameters
    ----------
    scans
        (row, col) counts of successive scans.
    max_shift_px
        Largest shift along each axis.
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


_AXES = 2
_SMALLEST_PX = 16
_LARGEST_CROP_PX = 256
_TAPER = 0.25
"""Fraction of the crop at each side with a raised-cosine taper, which suppresses edge effects."""


@dataclass(frozen=True, slots=True)
class Shift:
    """The translation that registers a scan onto the reference."""

    row_px: float
    col_px: float
    peak_sd: float
    """Height of the correlation peak in standard deviations of the correlation surface."""
    at_edge: bool
    """True where the best shift is the largest permitted one; the true one may be larger."""


class Registrar:
    """Rigid registration of one scan at a time onto a fixed reference.

    Parameters
    ----------
    reference
        (row, col) mean image in counts.
    max_shift_px
        Largest shift along each axis in the search, in pixels.

    Notes
    -----
    The shift is the peak of the phase correlation of a central crop of at most 256 px
    (`PhaseCorrelator`). The peak is a Gaussian, whose position between samples follows from three
    samples exactly (`_between`).
    """

    def __init__(self, reference: NDArray[Any], *, max_shift_px: float) -> None:
        if reference.ndim != _AXES or min(reference.shape) < _SMALLEST_PX:
            raise ShapeError(
                "the reference image",
                expected="(row, col) of 16 or more pixels each",
                got=reference,
            )
        self._shape = reference.shape
        rows, cols = (fast_length(min(side, _LARGEST_CROP_PX)) for side in reference.shape)
        reach_rows, reach_cols = (
            max(1, min(math.ceil(max_shift_px), length // 2 - 2)) for length in (rows, cols)
        )
        self._reach = (reach_rows, reach_cols)
        self._correlator = PhaseCorrelator(
            reference,
            corner=((self._shape[0] - rows) // 2, (self._shape[1] - cols) // 2),
            size=(rows, cols),
            reach=self._reach,
            taper=_TAPER,
        )

    def shift(self, pixels: NDArray[Any]) -> Shift:
        """Translation that registers one scan, (row, col) counts.

        Raises
        ------
        ScanShapeError
            If the scan has another shape than the reference.
        """
        if pixels.shape != self._shape:
            raise ScanShapeError(got=pixels.shape, expected=self._shape, what="reference image")
        return peak_shift(*self._correlator.surface(pixels), reach=self._reach)


def peak_shift(near: NDArray[np.float32], sd: float, *, reach: tuple[int, int]) -> Shift:
    """Shift of the highest peak of the surface near shift 0, whose standard deviation is `sd`."""
    rows, cols = reach
    inner = near[1:-1, 1:-1]
    row, col = divmod(int(inner.argmax()), 2 * cols + 1)
    top = float(inner[row, col])
    row_part = _between(near[row, col + 1], top, near[row + 2, col + 1])
    col_part = _between(near[row + 1, col], top, near[row + 1, col + 2])
    edge = row in (0, 2 * rows) or col in (0, 2 * cols)
    # the surface peaks at the displacement of the scan; registration is its opposite
    return Shift(rows - row - row_part, cols - col - col_part, top / (sd + 1e-12), edge)


def fast_length(most: int) -> int:
    """Largest even length of a fast transform that is at most `most`."""
    length = most
    while length > 0 and (scipy.fft.next_fast_len(length, real=True) != length or length % 2):
        length -= 1
    return length


def _between(before: float, top: float, after: float) -> float:
    """Offset of a Gaussian's peak from its highest sample, in samples.

    With the logarithms a, b, c of the samples before, at and after the highest one, a parabola
    through them peaks at ½ (a - c) / (a - 2 b + c).
    """
    floor = 1e-3 * top + 1e-20
    low, mid, high = (math.log(max(float(v), floor)) for v in (before, top, after))
    curve = low - 2 * mid + high
    return 0.0 if curve >= 0 else max(-0.5, min(0.5, 0.5 * (low - high) / curve))
