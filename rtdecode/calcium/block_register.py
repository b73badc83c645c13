"""Non-rigid registration of scans in blocks, for the scan reader (`calcium.registration: blocks`).

>>> rng = np.random.default_rng(0)
>>> image = rng.poisson(20, (160, 160)).astype(np.uint16)
>>> blocks = BlockRegistrar(image, max_shift_px=4.0, block_px=64)
>>> still = Shift(0.0, 0.0, 0.0, at_edge=False)
>>> bool(np.abs(blocks.displacement(image, still)).max() < 0.1)
True
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rtdecode.calcium.compiled import compiled
from rtdecode.calcium.phase_correlation import PhaseCorrelator
from rtdecode.calcium.register import Shift, fast_length, peak_shift
from rtdecode.schema.errors import ShapeError

F32 = NDArray[np.float32]

_REACH_PX = 5
"""Largest difference in px of a block's shift from that of the whole scan, as in suite2p."""
_TAPER = 0.25
_MIN_PEAK_SD = 4.0
"""Minimum z-score of a block's correlation peak; below it, the block moves as the whole scan."""
_SMOOTHING = np.array([0.25, 0.5, 0.25])
"""Weights of neighbouring blocks along each axis, for the surfaces in which peaks are found."""


class BlockRegistrar:
    """Displacement of each part of a scan, given the translation of the whole scan.

    Parameters
    ----------
    reference
        (row, col) mean image in counts.
    max_shift_px
        Largest shift of the whole scan along each axis, in px.
    block_px
        Side of a block in px. Blocks overlap by half or more.

    Raises
    ------
    ShapeError
        If no block fits between margins of `max_shift_px`.

    Notes
    -----
    As in suite2p (Pachitariu et al. 2017, bioRxiv 061507): the phase-correlation surface of each
    block, whose part of the scan is moved by the rounded rigid shift, is averaged with those of
    its neighbours; its peak is the shift of the block's centre. Between the centres, shifts are
    interpolated bilinearly; beyond the outermost ones they are constant. Blocks keep a distance of
    `max_shift_px` from the border, so that they lie inside the scan for every accepted shift.
    """

    def __init__(self, reference: NDArray[Any], *, max_shift_px: float, block_px: int) -> None:
        margin = math.ceil(max_shift_px)
        inner = [side - 2 * margin for side in reference.shape]
        self._sizes = [fast_length(min(block_px, max(side, 0))) for side in inner]
        if min(self._sizes) < 4 * _REACH_PX:
            raise ShapeError(
                "the reference image",
                expected=f"space for blocks of {4 * _REACH_PX} px between margins of "
                f"max_shift_px={max_shift_px:g} (or calcium.registration: rigid)",
                got=reference,
            )
        self._corners = [
            _corners(side, size, margin) for side, size in zip(inner, self._sizes, strict=True)
        ]
        self._correlators = [
            PhaseCorrelator(
                reference,
                corner=(int(row), int(col)),
                size=(self._sizes[0], self._sizes[1]),
                reach=(_REACH_PX, _REACH_PX),
                taper=_TAPER,
            )
            for row in self._corners[0]
            for col in self._corners[1]
        ]
        side = 2 * _REACH_PX + 3
        blocks = (len(self._corners[0]), len(self._corners[1]))
        self._surfaces = np.zeros((*blocks, side, side), np.float32)
        self._sd = np.zeros(blocks)
        self._rows, self._cols = (
            _between_centres(length, np.asarray(corners + (size - 1) / 2, np.float64))
            for length, corners, size in zip(
                reference.shape, self._corners, self._sizes, strict=True
            )
        )
        self._moved = np.zeros(reference.shape, np.float32)

    def displacement(self, pixels: NDArray[Any], whole: Shift) -> F32:
        """(2, block row, block column) translation in px of each block, along rows and columns.

        Parameters
        ----------
        pixels
            (row, col) counts of one scan.
        whole
            Translation that registers the whole scan.
        """
        rounded = (round(whole.row_px), round(whole.col_px))
        offset = (-rounded[0], -rounded[1])
        blocks = self._sd.shape
        for place, correlator in zip(np.ndindex(blocks), self._correlators, strict=True):
            self._surfaces[place], self._sd[place] = correlator.surface(pixels, offset=offset)
        smooth, sd = self._surfaces, self._sd
        for axis in (0, 1):
            smooth, sd = (
                ndimage.correlate1d(one, _SMOOTHING, axis=axis, mode="nearest")
                for one in (smooth, sd)
            )
        found = np.empty((2, *blocks), np.float32)
        for place in np.ndindex(blocks):
            one = peak_shift(smooth[place], float(sd[place]), reach=(_REACH_PX, _REACH_PX))
            trusted = one.peak_sd >= _MIN_PEAK_SD and not one.at_edge
            found[0][place] = rounded[0] + one.row_px if trusted else whole.row_px
            found[1][place] = rounded[1] + one.col_px if trusted else whole.col_px
        return found

    def at_pixels(self, displacement: F32) -> F32:
        """(2, row, col) translation in px of each pixel, bilinear between the blocks' centres."""
        for axis, (before, after, part) in ((1, self._rows), (2, self._cols)):
            weight = part[:, None] if axis == 1 else part
            near, far = (displacement.take(block, axis) for block in (before, after))
            displacement = near + weight * (far - near)
        return displacement

    def move(
        self, pixels: NDArray[Any], displacement: F32
    ) -> tuple[F32, tuple[int, int, int, int]]:
        """Scan moved by `displacement`, and the rows and columns it fills, as `Mover.move`."""
        _move_blocks(pixels, displacement, *self._rows, *self._cols, self._moved)
        inside: list[int] = []
        for shift, side in zip(displacement, pixels.shape, strict=True):
            inside.append(max(0, math.ceil(shift.max())))
            inside.append(min(side - 1, math.floor(shift.min()) + side - 1))
        return self._moved, (inside[0], inside[1], inside[2], inside[3])


def _corners(inner: int, size: int, margin: int) -> NDArray[np.int64]:
    """First pixels of blocks of `size` px, at most half a block apart."""
    steps = math.ceil((inner - size) / (size / 2))
    return margin + np.linspace(0, inner - size, steps + 1).round().astype(np.int64)


def _between_centres(
    length: int, centres: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], F32]:
    """For each pixel the blocks before and after it, and the weight of the one after it."""
    at = np.interp(np.arange(length), centres, np.arange(len(centres)))
    before = np.floor(at).astype(np.int64)
    after = np.minimum(before + 1, len(centres) - 1)
    return before, after, (at - before).astype(np.float32)


@compiled
def _move_blocks(  # noqa: PLR0917 - compiled loops take no keywords
    pixels: NDArray[Any],
    displacement: F32,
    upper: NDArray[np.int64],
    lower: NDArray[np.int64],
    lower_part: F32,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    right_part: F32,
    moved: F32,
) -> None:
    rows, cols = pixels.shape
    highest_row, highest_col = np.float32(rows - 1), np.float32(cols - 1)
    one, none = np.float32(1), np.float32(0)
    for row in range(rows):
        part = lower_part[row]
        along_row = (one - part) * displacement[:, upper[row]] + part * displacement[:, lower[row]]
        for col in range(cols):
            weight = right_part[col]
            shift_row = (one - weight) * along_row[0, left[col]] + weight * along_row[0, right[col]]
            shift_col = (one - weight) * along_row[1, left[col]] + weight * along_row[1, right[col]]
            # pixels from outside the scan repeat its border
            at_row = min(max(np.float32(row) - shift_row, none), highest_row)
            at_col = min(max(np.float32(col) - shift_col, none), highest_col)
            top, first = int(at_row), int(at_col)
            upper_line, lower_line = pixels[top], pixels[min(top + 1, rows - 1)]
            second = min(first + 1, cols - 1)
            down, across = at_row - np.float32(top), at_col - np.float32(first)
            up, before = one - down, one - across
            near = up * np.float32(upper_line[first]) + down * np.float32(lower_line[first])
            far = up * np.float32(upper_line[second]) + down * np.float32(lower_line[second])
            moved[row, col] = before * near + across * far
