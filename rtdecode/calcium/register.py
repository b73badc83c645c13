"""Rigid registration of scans by phase correlation with a sub-pixel peak, for the scan reader.

Duties: estimate the translation of a scan relative to a reference, average scans into a reference,
and measure and remove the displacement of every second line (bidirectional scanning). The module
does not depend on ROIs, on earlier scans (each shift is estimated from one scan alone), or on
whether a shift is plausible, which `field_check` decides.

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
from scipy import ndimage

from rtdecode.calcium.extract import Mover
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
_PEAK_SD_PX = 1.5
"""SD of the Gaussian correlation peak, for which the three-point fit is exact."""


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
    Phase correlation (Kuglin & Hines 1975; sub-pixel shifts: Foroosh, Zerubia & Berthod 2002, IEEE
    Trans. Image Process.). With the spectra R of the reference and S of the scan, both of a
    tapered central crop, the correlation surface is

        p = F⁻¹[ G(f) · S R* / (|S| |R|) ],     G(f) = exp(-2 (π σ f)²).

    Whitening makes the peak independent of the spectrum of the tissue; the weight G makes it a
    Gaussian of SD σ = 1.5 px, whose position between samples follows from three samples exactly
    (`_between`).
    """

    def __init__(self, reference: NDArray[Any], *, max_shift_px: float) -> None:
        if reference.ndim != _AXES or min(reference.shape) < _SMALLEST_PX:
            raise ShapeError(
                "the reference image",
                expected="(row, col) of 16 or more pixels each",
                got=reference,
            )
        self._shape = reference.shape
        rows, cols = (_crop_length(side) for side in reference.shape)
        self._crop = tuple(
            slice((side - length) // 2, (side - length) // 2 + length)
            for side, length in zip(reference.shape, (rows, cols), strict=True)
        )
        self._taper = np.outer(_taper(rows), _taper(cols)).astype(np.float32)
        self._taper_sum = float(self._taper.sum())
        self._buffer = np.empty((rows, cols), np.float32)
        self._weighted = _whitened(self._spectrum(reference)).conj() * _gaussian_weights(rows, cols)
        self._reach = [
            max(1, min(math.ceil(max_shift_px), length // 2 - 2)) for length in (rows, cols)
        ]

    def shift(self, pixels: NDArray[Any]) -> Shift:
        """Translation that registers one scan, (row, col) counts.

        Raises
        ------
        ScanShapeError
            If the scan has another shape than the reference.
        """
        if pixels.shape != self._shape:
            raise ScanShapeError(got=pixels.shape, expected=self._shape, what="reference image")
        cross = _whitened(self._spectrum(pixels))
        cross *= self._weighted
        surface = scipy.fft.irfft2(cross, s=self._buffer.shape, overwrite_x=True, workers=1)
        return self._peak(surface)

    def _spectrum(self, pixels: NDArray[Any]) -> NDArray[np.complex64]:
        buffer = self._buffer
        np.multiply(pixels[self._crop], self._taper, out=buffer)
        buffer -= np.float32(buffer.sum(dtype=np.float64) / self._taper_sum) * self._taper
        spectrum: NDArray[np.complex64] = scipy.fft.rfft2(buffer, workers=1)
        return spectrum

    def _peak(self, surface: NDArray[np.float32]) -> Shift:
        rows, cols = self._reach
        near = np.roll(surface, (rows + 1, cols + 1), (0, 1))[: 2 * rows + 3, : 2 * cols + 3]
        inner = near[1:-1, 1:-1]
        row, col = np.unravel_index(int(inner.argmax()), inner.shape)
        top = float(inner[row, col])
        row_part = _between(near[row, col + 1], top, near[row + 2, col + 1])
        col_part = _between(near[row + 1, col], top, near[row + 1, col + 2])
        spread = float(surface.std()) + 1e-12
        edge = row in (0, 2 * rows) or col in (0, 2 * cols)
        # the surface peaks at the displacement of the scan; registration is its opposite
        return Shift(rows - row - row_part, cols - col - col_part, top / spread, bool(edge))


def _crop_length(side: int) -> int:
    """Largest even length with a fast transform, at most `side` and the largest crop."""
    length = min(side, _LARGEST_CROP_PX)
    while scipy.fft.next_fast_len(length, real=True) != length or length % 2:
        length -= 1
    return length


def _taper(length: int) -> NDArray[np.float64]:
    edge = max(1, round(_TAPER * length))
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)
    taper = np.ones(length)
    taper[:edge], taper[-edge:] = ramp, ramp[::-1]
    return taper


def _gaussian_weights(rows: int, cols: int) -> NDArray[np.float32]:
    row = np.exp(-2 * (np.pi * _PEAK_SD_PX * scipy.fft.fftfreq(rows)) ** 2)
    col = np.exp(-2 * (np.pi * _PEAK_SD_PX * scipy.fft.rfftfreq(cols)) ** 2)
    return np.outer(row, col).astype(np.float32)


def _whitened(spectrum: NDArray[np.complex64]) -> NDArray[np.complex64]:
    size = np.abs(spectrum)
    size += np.float32(1e-6) * size.max() + np.float32(1e-20)
    spectrum /= size
    return spectrum


def _between(before: float, top: float, after: float) -> float:
    """Offset of a Gaussian's peak from its highest sample, in samples.

    With the logarithms a, b, c of the samples before, at and after the highest one, a parabola
    through them peaks at ½ (a - c) / (a - 2 b + c).
    """
    floor = 1e-3 * top + 1e-20
    low, mid, high = (math.log(max(float(v), floor)) for v in (before, top, after))
    curve = low - 2 * mid + high
    return 0.0 if curve >= 0 else max(-0.5, min(0.5, 0.5 * (low - high) / curve))


_LINE_REACH_PX = 8
_LINE_SMOOTH_PX = 10.0
"""SD of the local mean along a line, which is removed before lines are correlated."""
_CLEAR_Z, _CLEAR_SD = 0.05, 8.0
"""Least gain of a displacement over none in Fisher's z, and in SD of a chance correlation."""
_LARGEST_R = 0.999


def line_offset_px(image: NDArray[Any]) -> float:
    """Displacement in px of the odd rows (1, 3, …) along the columns relative to the even ones.

    In bidirectional scanning every second line is recorded backwards; a delay displaces these
    lines. The mean of an odd row's neighbours is correlated with the row at displacements of up to
    8 px,

        r(d) = corr( I[2k+1, x + d], ½ (I[2k, x] + I[2k+2, x]) ),

    of lines without their local mean; a parabola through the peak gives the fraction of a pixel.

    Parameters
    ----------
    image
        (row, col) mean of raw scans in counts.

    Returns
    -------
    0.0 where the upper and the lower half of the image do not agree on a displacement, or where it
    gains too little over none in Fisher's z = artanh r (0.05, or 8 / √n for n pixels).
    """
    lines = image.astype(np.float64)
    lines -= ndimage.gaussian_filter1d(lines, _LINE_SMOOTH_PX, axis=1)
    odd, even = lines[1:-1:2], (lines[:-2:2] + lines[2::2]) / 2
    count, reach = len(odd), min(_LINE_REACH_PX, lines.shape[1] // 4)
    if count < _SMALLEST_PX // 4 or reach < 1:
        return 0.0
    r = _line_correlations(odd, even, reach)
    best = int(r.argmax())
    z = np.arctanh(np.clip(r, -_LARGEST_R, _LARGEST_R))
    least_gain = max(_CLEAR_Z, _CLEAR_SD / math.sqrt(odd.size))
    half = count // 2
    agreed = all(
        int(_line_correlations(odd[rows], even[rows], reach).argmax()) == best
        for rows in (slice(None, half), slice(half, None))
    )
    if not agreed or best in (0, 2 * reach) or z[best] - z[reach] < least_gain:
        return 0.0
    low, top, high = r[best - 1 : best + 2]
    return float(best - reach + 0.5 * (low - high) / (low - 2 * top + high))


def _line_correlations(
    odd: NDArray[np.float64], even: NDArray[np.float64], reach: int
) -> NDArray[np.float64]:
    """(displacement,) Pearson correlation from -`reach` to `reach` px."""
    cols = odd.shape[1]
    fixed = even[:, reach : cols - reach]
    moved = (odd[:, reach + d : cols - reach + d] for d in range(-reach, reach + 1))
    scale = np.linalg.norm(fixed) + 1e-12
    return np.array(
        [(one * fixed).sum() / ((np.linalg.norm(one) + 1e-12) * scale) for one in moved]
    )


def without_line_offset(pixels: NDArray[Any], offset_px: int) -> NDArray[Any]:
    """(row, col) counts whose odd rows are moved back by `offset_px`; `pixels` for 0.

    Columns beyond the border of the scan repeat the outermost one.
    """
    if offset_px == 0 or pixels.shape[1] <= 1:
        return pixels
    straight, odd = pixels.copy(), pixels[1::2]
    beyond = min(abs(offset_px), pixels.shape[1] - 1)
    if offset_px > 0:
        straight[1::2, :-beyond] = odd[:, beyond:]
        straight[1::2, -beyond:] = odd[:, -1:]
    else:
        straight[1::2, beyond:] = odd[:, :-beyond]
        straight[1::2, :beyond] = odd[:, :1]
    return straight
