"""Texts, lines and sharp enlargement for pictures that are arrays of bytes.

The fonts are those that matplotlib brings (DejaVu, under a licence that permits any use); Pillow,
which draws them, comes with matplotlib too.
"""

from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.runtime.extras import missing_extra_named

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]
Colour = tuple[int, int, int]
_FINE = 4
"""Lines are drawn this much larger, so that their edges are smooth."""
_OUTLINE_PX = 2


@cache
def _font(size: int, *, bold: bool) -> Any:
    with missing_extra_named():
        import matplotlib as mpl
        from PIL import ImageFont
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / name), size)


@lru_cache(maxsize=512)
def text_image(text: str, size: int, *, bold: bool = False) -> NDArray[np.float32]:
    """(row, col) coverage from 0 to 1 of `text` in letters of `size` px; texts share a baseline."""
    from PIL import Image, ImageDraw

    font = _font(size, bold=bold)
    ascent, descent = font.getmetrics()
    image = Image.new("L", (max(1, round(font.getlength(text))), ascent + descent))
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=font)
    return np.asarray(image, np.float32) / np.float32(255)


def write(
    picture: U8,
    place: tuple[int, int],
    text: str,
    size: int,
    colour: Colour,
    *,
    bold: bool = False,
    right: bool = False,
) -> int:
    """Write `text` with its upper left, or upper right, corner at (row, col).

    What reaches beyond the picture is cut. Returns the column at the other end of the text.
    """
    cover = text_image(text, size, bold=bold)
    row, col = place
    if right:
        col -= cover.shape[1]
    cover = cover[:, max(0, -col) :]
    start = max(0, col)
    under = picture[row : row + cover.shape[0], start : start + cover.shape[1]]
    shown = cover[: under.shape[0], : under.shape[1], None]
    under[:] = np.rint(under + shown * (np.array(colour, np.float32) - under)).astype(np.uint8)
    return col if right else col + cover.shape[1]


def enlarged(pixels: NDArray[Any], scale: int) -> NDArray[Any]:
    """(row, col, ...) each pixel as a square of `scale` × `scale`."""
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def outline(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(row, col) the border of `inside`, two pixels wide, along the edges of the picture too."""
    padded = np.pad(inside, _OUTLINE_PX)
    core = inside.copy()
    size = 2 * _OUTLINE_PX + 1
    for row in range(size):
        for col in range(size):
            rows, cols = inside.shape
            core &= padded[row : row + rows, col : col + cols]
    return inside & ~core


def drawn_line(height: int, width: int, x: F64, y: F64, *, thickness: float) -> NDArray[np.float32]:
    """(row, col) coverage of a line through (x, y), both as shares of the picture, y upwards.

    NaN in `y` interrupts the line.
    """
    from PIL import Image, ImageDraw

    image = Image.new("L", (width * _FINE, height * _FINE))
    draw = ImageDraw.Draw(image)
    pad = round(thickness * _FINE)
    columns = x * (width * _FINE - 1)
    rows = pad + (1 - y) * (height * _FINE - 1 - 2 * pad)
    known = ~np.isnan(y)
    for part in np.split(np.arange(len(x)), np.flatnonzero(np.diff(known.astype(int))) + 1):
        if known[part].all():
            points = [(float(columns[k]), float(rows[k])) for k in part]
            draw.line(points, fill=255, width=pad, joint="curve")
    fine = np.asarray(image, np.float32) / np.float32(255)
    return np.asarray(fine.reshape(height, _FINE, width, _FINE).mean(axis=(1, 3)), np.float32)


def painted(picture: U8, cover: NDArray[np.float32], colour: Colour) -> None:
    """Paint `colour` onto `picture` where `cover` is, in place."""
    picture[:] = np.rint(
        picture + cover[..., None] * (np.array(colour, np.float32) - picture)
    ).astype(np.uint8)
