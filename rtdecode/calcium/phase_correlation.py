"""The part of a phase-correlation surface near shift 0, for the registration of scans.

>>> rng = np.random.default_rng(0)
>>> image = rng.poisson(20, (64, 64)).astype(np.uint16)
>>> correlator = PhaseCorrelator(image, corner=(0, 0), size=(64, 64), reach=(8, 8), taper=0.25)
>>> surface, sd = correlator.surface(np.roll(image, (3, -2), (0, 1)))
>>> [int(i) - 9 for i in np.unravel_index(surface.argmax(), surface.shape)]
[3, -2]
"""

from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from rtdecode.calcium.compiled import compiled

F32 = NDArray[np.float32]

_PEAK_SD_PX = 1.5
"""SD of the Gaussian correlation peak, for which a three-point fit is exact."""
_LANES = 32
"""The columns of the surface are padded to a multiple, so that no part of a loop is scalar."""


class PhaseCorrelator:
    """Correlation of one part of a scan with the same part of a fixed reference.

    Parameters
    ----------
    reference
        (row, col) mean image in counts.
    corner, size
        First row and column, and even numbers of rows and columns, of the part.
    reach
        Largest shift in px along rows and columns.
    taper
        Fraction of the part at each side with a raised-cosine taper, which suppresses edge effects.

    Notes
    -----
    Phase correlation (Kuglin & Hines 1975; Foroosh, Zerubia & Berthod 2002, IEEE Trans. Image
    Process.). With the spectra R of the reference and S of the scan, the surface is

        p = F⁻¹[ C ],   C = G(f) · S R* / (|S| |R|),     G(f) = exp(-2 (π σ f)²).

    Whitening makes the peak independent of the spectrum of the tissue; the weight G makes it a
    Gaussian of SD σ = 1.5 px. Only shifts within reach are computed, one axis after the other:

        P[k, v] = Σ_u C[u, v] exp(2πi k u / rows)
                = Σ_u≤rows/2 cos(2π k u / rows) (C[u] + C[-u]) + i sin(…) (C[u] - C[-u]),
        p[k, l] = Σ_v≤cols/2 w_v Re( P[k, v] exp(2πi l v / cols) ) / (rows · cols),

    w_v = 1 for v = 0 and cols / 2, else 2. The SD of the whole surface is that of its spectrum
    (Parseval). Sums are made element by element over rows of arrays, so their order, and thus the
    result, does not depend on the width of the processor's vectors.
    """

    def __init__(
        self,
        reference: NDArray[Any],
        *,
        corner: tuple[int, int],
        size: tuple[int, int],
        reach: tuple[int, int],
        taper: float,
    ) -> None:
        rows, cols = size
        self._corner = corner
        self._taper = np.outer(_taper(rows, taper), _taper(cols, taper)).astype(np.float32)
        self._taper_sum = float(self._taper.sum())
        self._buffer = np.empty(size, np.float32)
        whitened = self._spectrum(reference)
        magnitude = np.abs(whitened)
        whitened /= magnitude + np.float32(1e-6) * magnitude.max() + np.float32(1e-20)
        weighted = whitened.conj() * _gaussian_weights(rows, cols)
        self._reference = np.stack([weighted.real, weighted.imag]).astype(np.float32)
        down = np.outer(np.arange(reach[0] + 2), np.arange(rows // 2 + 1)) * (2 * np.pi / rows)
        self._down = np.stack([np.cos(down), np.sin(down)]).astype(np.float32)
        self._across = _across(cols, reach[1], scale=1 / (rows * cols))
        self._width = 2 * reach[1] + 3
        half = cols // 2 + 1
        self._sums = np.zeros((4, reach[0] + 2, half), np.float32)
        self._lines = np.zeros((4, half), np.float32)
        self._power = np.zeros((2, half), np.float32)
        self._near = np.zeros((2 * reach[0] + 3, self._across.shape[2]), np.float32)

    def surface(
        self, pixels: NDArray[Any], *, offset: tuple[int, int] = (0, 0)
    ) -> tuple[F32, float]:
        """Correlation at shifts of -reach - 1 to reach + 1, and the SD of the whole surface.

        Parameters
        ----------
        pixels
            (row, col) counts of a whole scan. The next call overwrites the result.
        offset
            Rows and columns from the part of the reference to the part of the scan, which must lie
            inside the scan.
        """
        spectrum = self._spectrum(pixels, offset)
        mean_power, mean = _cross_rows(
            spectrum, self._reference, self._down, self._sums, self._lines, self._power
        )
        _across_columns(self._sums, self._across, self._near)
        rows, cols = self._buffer.shape
        # Σ |C|² / N² - mean² = variance of the surface, N = rows · cols
        variance = (mean_power - mean**2) / float(rows * cols) ** 2
        return self._near[:, : self._width], max(0.0, variance) ** 0.5

    def _spectrum(
        self, pixels: NDArray[Any], offset: tuple[int, int] = (0, 0)
    ) -> NDArray[np.complex64]:
        top, left = self._corner[0] + offset[0], self._corner[1] + offset[1]
        _tapered(pixels, top, left, self._taper, self._taper_sum, self._buffer)
        spectrum: NDArray[np.complex64] = scipy.fft.rfft2(self._buffer, workers=1)
        return spectrum


def _taper(length: int, fraction: float) -> NDArray[np.float64]:
    edge = max(1, round(fraction * length))
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)
    taper = np.ones(length)
    taper[:edge], taper[-edge:] = ramp, ramp[::-1]
    return taper


def _gaussian_weights(rows: int, cols: int) -> F32:
    row = np.exp(-2 * (np.pi * _PEAK_SD_PX * scipy.fft.fftfreq(rows)) ** 2)
    col = np.exp(-2 * (np.pi * _PEAK_SD_PX * scipy.fft.rfftfreq(cols)) ** 2)
    return np.outer(row, col).astype(np.float32)


def _across(cols: int, reach: int, *, scale: float) -> F32:
    """(2, frequency, shift) w_v cos and -w_v sin of 2π l v / cols, times `scale`."""
    shifts = np.arange(-reach - 1, reach + 2)
    weight = np.full(cols // 2 + 1, 2.0)
    weight[[0, -1]] = 1.0
    angle = np.outer(np.arange(cols // 2 + 1), shifts) * (2 * np.pi / cols)
    table = np.zeros((2, len(weight), -(-len(shifts) // _LANES) * _LANES), np.float32)
    table[0, :, : len(shifts)] = scale * weight[:, None] * np.cos(angle)
    table[1, :, : len(shifts)] = -scale * weight[:, None] * np.sin(angle)
    return table


@compiled
def _tapered(  # noqa: PLR0917 - compiled loops take no keywords
    pixels: NDArray[Any], top: int, left: int, taper: F32, taper_sum: float, out: F32
) -> None:
    """The part times the taper, of which its weighted mean is subtracted."""
    rows, cols = out.shape
    total = np.zeros(cols, np.float64)
    for row in range(rows):
        line, weight = pixels[top + row, left : left + cols], taper[row]
        to = out[row]
        for col in range(cols):
            to[col] = np.float32(line[col]) * weight[col]
        for col in range(cols):
            total[col] += to[col]
    mean = np.float32(total.sum() / taper_sum)
    for row in range(rows):
        weight, to = taper[row], out[row]
        for col in range(cols):
            to[col] -= mean * weight[col]


@compiled
def _cross_rows(  # noqa: C901, PLR0917 - one loop, compiled; it takes no keywords
    spectrum: NDArray[np.complex64],
    reference: F32,
    down: F32,
    sums: F32,
    lines: F32,
    power: F32,
) -> tuple[float, float]:
    """Fill `sums` with the transform along rows; return Σ |C|² over all frequencies, and C[0, 0].

    `sums` is (4, k, frequency): real and imaginary parts of the cosine terms and of the sine terms.
    """
    rows, half = spectrum.shape
    highest, squares = power[0], power[1]
    highest[:] = 0
    squares[:] = 0
    sums[:] = 0
    for row in range(rows):
        line = spectrum[row]
        for col in range(half):
            size = line[col].real * line[col].real + line[col].imag * line[col].imag
            highest[col] = size if size > highest[col] else highest[col]
    floor = np.float32(1e-6) * np.sqrt(highest.max()) + np.float32(1e-20)
    even_re, even_im, odd_re, odd_im = lines[0], lines[1], lines[2], lines[3]
    mean = np.float32(0)
    for row in range(rows // 2 + 1):
        even_re[:] = 0
        even_im[:] = 0
        odd_re[:] = 0
        odd_im[:] = 0
        for mirrored in range(2):
            at = (rows - row) % rows if mirrored else row
            if mirrored and at == row:
                continue
            sign = np.float32(-1 if mirrored else 1)
            line, ref_re, ref_im = spectrum[at], reference[0, at], reference[1, at]
            for col in range(half):
                re, im = line[col].real, line[col].imag
                gain = np.float32(1) / (np.sqrt(re * re + im * im) + floor)
                cross_re = (re * ref_re[col] - im * ref_im[col]) * gain
                cross_im = (re * ref_im[col] + im * ref_re[col]) * gain
                even_re[col] += cross_re
                even_im[col] += cross_im
                odd_re[col] += sign * cross_re
                odd_im[col] += sign * cross_im
                squares[col] += cross_re * cross_re + cross_im * cross_im
        if row == 0:
            mean = even_re[0]
        for k in range(sums.shape[1]):
            cosine, sine = down[0, k, row], down[1, k, row]
            cos_re, cos_im, sin_re, sin_im = sums[0, k], sums[1, k], sums[2, k], sums[3, k]
            for col in range(half):
                cos_re[col] += cosine * even_re[col]
                cos_im[col] += cosine * even_im[col]
                sin_re[col] += sine * odd_re[col]
                sin_im[col] += sine * odd_im[col]
    total = 2.0 * squares.sum() - squares[0] - squares[half - 1]
    return float(total), float(mean)


@compiled
def _across_columns(sums: F32, across: F32, near: F32) -> None:
    """The surface at shifts -reach - 1 … reach + 1 from the sums of `_cross_rows`."""
    steps, half = sums.shape[1] - 1, sums.shape[2]
    near[:] = 0
    for k in range(steps + 1):
        later, earlier = near[steps + k], near[steps - k]
        for col in range(half):
            cosine, sine = across[0, col], across[1, col]
            # P[±k] = cosine terms ± i · sine terms
            plus_re = sums[0, k, col] - sums[3, k, col]
            plus_im = sums[1, k, col] + sums[2, k, col]
            minus_re = sums[0, k, col] + sums[3, k, col]
            minus_im = sums[1, k, col] - sums[2, k, col]
            for shift in range(len(cosine)):
                later[shift] += plus_re * cosine[shift] + plus_im * sine[shift]
            if k > 0:
                for shift in range(len(cosine)):
                    earlier[shift] += minus_re * cosine[shift] + minus_im * sine[shift]
