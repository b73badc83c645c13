"""Inverse gamma: the grey level to send to a monitor for each grey level of the movie.

With it luminance is proportional to the grey level of the movie, between the darkest and the
brightest level of the monitor.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.array_files import ContentError, damage_named, require_regular

LEVELS = 256
_WHITE = LEVELS - 1
_FEWEST_MEASURED = 5
_MOST_BYTES = 100_000
_EXPECTED = (
    f"two columns, grey level (0 to {_WHITE}) and luminance, of at least {_FEWEST_MEASURED} levels "
    f"from 0 to {_WHITE} with increasing luminance, or one column of {LEVELS} grey levels"
)


def inverse_gamma(gamma: float | Path | None) -> NDArray[np.uint8]:
    """(256,) grey level to send for each grey level of the movie.

    Parameters
    ----------
    gamma
        Exponent g of a monitor whose luminance is proportional to level^g; a table in a file, see
        `gamma_table`; or None for a monitor that is left as it is.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If the table cannot be used.

    >>> inverse_gamma(2.0)[[0, 64, 255]]
    array([  0, 128, 255], dtype=uint8)
    """
    if isinstance(gamma, Path):
        return gamma_table(gamma)
    wanted = np.arange(LEVELS) / _WHITE
    return np.round(_WHITE * wanted ** (1 / (gamma or 1.0))).astype(np.uint8)


def gamma_table(path: Path) -> NDArray[np.uint8]:
    """The inverse gamma that a text file describes, with values separated by commas or blanks.

    Parameters
    ----------
    path
        A file with a line for each measured level: grey level sent to the monitor, luminance in any
        unit. The inverse is interpolated linearly. A file with one column has the 256 grey levels
        to send. Lines that begin with # and a first line of names are left out.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If the file does not exist, or its content is something else.
    """
    remedy = "measure the luminance of grey levels with a photometer, or set stimulus.monitor.gamma"
    require_regular(path, what="gamma table", remedy=remedy)
    with damage_named(path, what="gamma table", expected=_EXPECTED, remedy=remedy):
        values = _values(path)
        if values.shape[1] == 1:
            return _levels_to_send(values[:, 0])
        return _inverted(*values[np.argsort(values[:, 0])].T)


def _values(path: Path) -> NDArray[np.float64]:
    """(line, column) numbers of the file."""
    if path.stat().st_size > _MOST_BYTES:
        raise ContentError(f"a file of more than {_MOST_BYTES} bytes")
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows = [line.replace(",", " ").replace(";", " ").split() for line in lines]
    rows = [row for row in rows if row and not row[0].startswith("#")]
    if rows and not _is_number(rows[0][0]):
        rows = rows[1:]
    if len({len(row) for row in rows}) != 1 or len(rows[0]) > 2:  # noqa: PLR2004 - two columns
        raise ContentError("lines of different lengths, of more than two values, or none")
    if not all(_is_number(value) for row in rows for value in row):
        raise ContentError("values that are not numbers")
    return np.array(rows, np.float64)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _levels_to_send(levels: NDArray[np.float64]) -> NDArray[np.uint8]:
    if len(levels) != LEVELS or levels.min() < 0 or levels.max() > _WHITE:
        raise ContentError(f"{len(levels)} values from {levels.min():g} to {levels.max():g}")
    return np.round(levels).astype(np.uint8)


def _inverted(levels: NDArray[np.float64], luminances: NDArray[np.float64]) -> NDArray[np.uint8]:
    if len(levels) < _FEWEST_MEASURED or levels[0] != 0 or levels[-1] != _WHITE:
        raise ContentError(f"{len(levels)} levels from {levels[0]:g} to {levels[-1]:g}")
    if (np.diff(levels) <= 0).any() or (np.diff(luminances) <= 0).any():
        raise ContentError("levels that are repeated, or a luminance that does not increase")
    wanted = np.linspace(luminances[0], luminances[-1], LEVELS)
    return np.round(np.interp(wanted, luminances, levels)).astype(np.uint8)
