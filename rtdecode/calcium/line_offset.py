"""Displacement of every second line of bidirectional scans, for the pipeline."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_LINE_REACH_PX = 8
_LINE_SMOOTH_PX = 10.0
"""SD of the local mean along a line, which is removed before lines are correlated."""
_CLEAR_Z, _CLEAR_SD = 0.05, 8.0
"""Least gain of a displacement over none in Fisher's z, and in SD of a chance correlation."""
_LARGEST_R = 0.999
_FEWEST_LINES = 4


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
    if count < _FEWEST_LINES or reach < 1:
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
