"""Finished movies by their content (TIFF, HDF5, bare pixels), for `raw_movie`.

The kind of a file follows from its first bytes, not from its name, so that the bytes of a container
are never streamed as pixels.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import h5py
import numpy as np

from acquisition_bridge.sources.contract import COUNT_TYPES, Pixels, as_counts
from rtdecode.schema.config.acquisition import RawMovieSource as RawMovieConfig
from rtdecode.schema.errors import SettingMissingError, UnreadableFileError
from rtdecode.schema.file_content import content_of

_ITEM_BYTES = 2
_MOST_SIGNED = 32767
_MOST_PIXELS = 4096 * 4096
_MOST_CHUNK_BYTES = 1 << 30
_SUITE2P_NAMES = ("data.bin", "data_raw.bin", "data_chan2.bin", "data_chan2_raw.bin")


class ScanPlace(NamedTuple):
    """Number of a scan, missing ones counted, its plane, and its start in s where it is known."""

    number: int
    plane: int = 0
    start_s: float | None = None


class Movie(Protocol):
    """Scans stored in a file."""

    shape: tuple[int, int, int]
    """Scans, rows, columns."""
    dtype: str
    planes: int = 1
    """Number of planes, between which the scans alternate."""

    def place(self, scan: int) -> ScanPlace:
        """Number, plane and time of the scan with the index `scan`."""
        return ScanPlace(scan)

    def scan(self, number: int) -> Pixels:
        """(row, col) counts of scan `number`."""
        ...

    def close(self) -> None: ...


class HeaderlessFile(Movie):
    """A file of consecutive scans of `rows_px` x `cols_px` little-endian 16-bit counts.

    Without a configured type the counts are uint16, or int16 in the data.bin of suite2p; a value
    above 32767 then could be a negative one, and is refused.

    Raises
    ------
    UnreadableFileError
        If the size is not given, or the file is not an integer number of such scans.
    """

    def __init__(
        self, path: Path, *, rows_px: int | None, cols_px: int | None, dtype: str | None = None
    ) -> None:
        self._path = path
        size = path.stat().st_size
        if rows_px is None or cols_px is None:
            raise UnreadableFileError(
                what="movie",
                path=path,
                expected="acquisition.source.rows_px and cols_px, because the file has no header",
                got=f"rows_px={rows_px}, cols_px={cols_px}",
            )
        scan_bytes = rows_px * cols_px * _ITEM_BYTES
        if size == 0 or size % scan_bytes:
            raise UnreadableFileError(
                what="movie",
                path=path,
                expected=f"whole scans of {rows_px} x {cols_px} 16-bit counts, "
                f"{scan_bytes} bytes each",
                got=f"{size} bytes, which is {size / scan_bytes:.2f} scans: is it cut off, "
                f"or are rows_px and cols_px of another rig?",
            )
        by_name = "int16" if path.name in _SUITE2P_NAMES else None
        self._sign_is_known = dtype is not None or by_name is not None
        self.dtype = dtype or by_name or "uint16"
        self.shape = (size // scan_bytes, rows_px, cols_px)
        self._file = path.open("rb")
        try:
            self.scan(0)
        except UnreadableFileError:
            self._file.close()
            raise

    def scan(self, number: int) -> Pixels:
        """(row, col) counts of scan `number`."""
        _, rows, cols = self.shape
        self._file.seek(number * rows * cols * _ITEM_BYTES)
        pixels = np.fromfile(self._file, np.dtype(self.dtype).newbyteorder("<"), rows * cols)
        if not self._sign_is_known and pixels.max() > _MOST_SIGNED:
            raise UnreadableFileError(
                what="movie",
                path=self._path,
                expected="acquisition.source.dtype: int16 (as suite2p writes) or uint16",
                got=f"values above {_MOST_SIGNED} in scan {number}, which are negative as int16",
            )
        return pixels.reshape(rows, cols)

    def close(self) -> None:
        self._file.close()


class Hdf5Movie(Movie):
    """A data set (scan, row, column) of an HDF5 file; the only one with three axes, or `name`.

    Raises
    ------
    UnreadableFileError
        If the file is damaged, has no or several such data sets, or they hold no counts.
    """

    def __init__(self, path: Path, *, name: str | None) -> None:
        self._path = path
        try:
            self._file = h5py.File(path, "r")
        except _DAMAGED as error:
            raise self._refusal(f"no readable HDF5 file ({error})") from error
        try:
            self._data = self._checked(name)
            scans, rows, cols = self._data.shape
            self.shape = (int(scans), int(rows), int(cols))
            self.scan(0)
        except _DAMAGED as error:
            self._file.close()
            if isinstance(error, UnreadableFileError | SettingMissingError):
                raise
            raise self._refusal(f"a damaged file ({error})") from error
        self.dtype = "uint16" if self._data.dtype == np.uint8 else self._data.dtype.name

    def scan(self, number: int) -> Pixels:
        """(row, col) counts of scan `number`; UnreadableFileError if they cannot be read."""
        try:
            return as_counts(self._data[number])
        except _DAMAGED as error:
            raise self._refusal(f"scan {number}, which cannot be read ({error})") from error

    def close(self) -> None:
        self._file.close()

    def _checked(self, name: str | None) -> Any:
        found = self._stacks()
        if name is None and len(found) > 1:
            raise SettingMissingError(
                setting="acquisition.source.dataset",
                reason=f"{self._path} has {len(found)} data sets with three axes, "
                f"{', '.join(sorted(found)[:10])}",
            )
        wanted = name.strip("/") if name is not None else next(iter(found), "")
        if wanted not in found:
            raise self._refusal(f"no data set '{wanted}' with three axes")
        data = found[wanted]
        if data.dtype.name not in COUNT_TYPES or min(data.shape) < 1:
            raise self._refusal(f"'{wanted}' of type {data.dtype} and shape {data.shape}")
        chunk = math.prod(data.chunks or (1,)) * data.dtype.itemsize
        if math.prod(data.shape[1:]) > _MOST_PIXELS or chunk > _MOST_CHUNK_BYTES:
            raise self._refusal(f"'{wanted}' of shape {data.shape} in chunks of {data.chunks}")
        return data

    def _stacks(self) -> dict[str, Any]:
        """Data sets with three axes by their names."""
        found = {}

        def keep(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and item.ndim == 3:  # noqa: PLR2004 - scan, row, col
                found[name] = item

        self._file.visititems(keep)
        return found

    def _refusal(self, got: str) -> UnreadableFileError:
        expected = "an HDF5 data set (scan, row, column) of uint16, int16 or uint8 counts"
        return UnreadableFileError(what="movie", path=self._path, expected=expected, got=got)


_DAMAGED = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError)
"""Exceptions that h5py raises for damaged files."""


def bare_or_hdf5(config: RawMovieConfig, path: Path) -> Movie:
    """Open a movie that is no TIFF.

    Raises
    ------
    UnreadableFileError, SettingMissingError
        If the file has another format, or settings are missing that its format needs.
    """
    content = content_of(path)
    if content == "HDF5":
        return Hdf5Movie(path, name=config.dataset)
    if path.suffix.lower() == ".sbx":
        content = "Scanbox (.sbx)"
    if content is not None:
        raise UnreadableFileError(
            what="movie",
            path=path,
            expected="a TIFF or HDF5 file, or a file of bare 16-bit scans",
            got=f"a file in {content} format: convert it to TIFF",
        )
    return HeaderlessFile(path, rows_px=config.rows_px, cols_px=config.cols_px, dtype=config.dtype)
