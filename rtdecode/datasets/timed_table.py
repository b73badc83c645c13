"""Tables of times that a laboratory's own programs write: stimulus logs, behaviour, scan times.

Text files with a line of column names; columns are separated by comma, semicolon or tab. Times are
in seconds, on one clock for all files of a recording.
"""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.array_files import (
    ContentError,
    array_of_npy,
    damage_named,
    require_regular,
)
from rtdecode.schema.errors import MissingFileError, UnreadableFileError

F64 = NDArray[np.float64]

_MOST_BYTES = 1024**3
_FEWEST_SCANS = 2


def read_table(path: Path, *, what: str, needed: tuple[str, ...]) -> dict[str, list[str]]:
    """The columns of a text file, by name in lower case.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no such file, a column of `needed` is missing, or it has no rows.
    """
    expected = f"a table with the columns {', '.join(needed)}"
    remedy = f"write a text file whose first line is {','.join(needed)}"
    require_regular(path, what=what, remedy=remedy)
    with damage_named(path, what=what, expected=expected, remedy=remedy):
        if path.stat().st_size > _MOST_BYTES:
            raise ContentError("more than 1 GiB")
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            separator = next((one for one in ",;\t" if one in head), ",")
            names = [name.strip().lower() for name in head.strip().split(separator)]
            rows = [row for row in csv.reader(file, delimiter=separator) if row]
        if missing := [name for name in needed if name not in names]:
            raise ContentError(f"no column {' and no column '.join(missing)} in '{head.strip()}'")
        if not rows:
            raise ContentError("no rows")
        for number, row in enumerate(rows, start=2):
            if len(row) != len(names):
                raise ContentError(f"{len(row)} values for {len(names)} columns in line {number}")
    return {name: [row[k].strip() for row in rows] for k, name in enumerate(names)}


def numbers(texts: list[str], *, column: str, path: Path, what: str) -> F64:
    """The values of a column; UnreadableFileError names the line of one that is no number."""
    values = np.full(len(texts), np.nan)
    for place, text in enumerate(texts):
        try:
            values[place] = float(text)
        except ValueError:
            continue
    if (wrong := np.flatnonzero(~np.isfinite(values))).size:
        place = int(wrong[0])
        raise UnreadableFileError(
            what=what,
            path=path,
            expected=f"a number in each row of the column {column}",
            got=f"'{texts[place]:.40}' in line {place + 2}",
        )
    return values


def increasing_times(texts: list[str], *, path: Path, what: str) -> F64:
    """The column `t_s`; UnreadableFileError names the line of a time that is not later."""
    t_s = numbers(texts, column="t_s", path=path, what=what)
    if (back := np.flatnonzero(np.diff(t_s) <= 0)).size:
        place = int(back[0])
        raise UnreadableFileError(
            what=what,
            path=path,
            expected="times t_s in s, each later than the one before",
            got=f"{t_s[place + 1]:g} after {t_s[place]:g} in line {place + 3}",
        )
    return t_s


def times_of_scans(path: Path, *, scans: int) -> F64:
    """(scan,) times in s of `scans` scans, from a text file with a column t_s or a .npy file.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no such file, or it has other content, or another number of times.
    """
    what = "file of scan times"
    if path.suffix == ".npy":
        remedy = "give one time in s for each scan"
        t_s = np.asarray(
            array_of_npy(path, what=what, expected="(scan,) times in s", remedy=remedy), np.float64
        ).ravel()
        if not (np.isfinite(t_s).all() and (np.diff(t_s) > 0).all()):
            raise UnreadableFileError(
                what=what, path=path, expected="increasing times in s", got="others", remedy=remedy
            )
    else:
        table = read_table(path, what=what, needed=("t_s",))
        t_s = increasing_times(table["t_s"], path=path, what=what)
    if len(t_s) != scans or scans < _FEWEST_SCANS:
        raise UnreadableFileError(
            what=what,
            path=path,
            expected=f"{scans} times, one for each scan of the traces",
            got=f"{len(t_s)} times",
            remedy="leave out triggers before the first and after the last recorded scan",
        )
    return t_s


def require_folder(path: Path, *, what: str, remedy: str) -> Path:
    """`path`, if it is a folder; MissingFileError else."""
    if not path.is_dir():
        raise MissingFileError(what=what, path=path, remedy=remedy, expected="a folder")
    return path
