"""A finished file of bare uint16 pixels, scan after scan, as several rigs write them."""

from pathlib import Path

import numpy as np

from acquisition_bridge.sources.scan_pixels import Pixels
from rtdecode.schema.errors import UnreadableFileError

_ITEM_BYTES = 2


class HeaderlessFile:
    """Scans of `rows_px` x `cols_px` little-endian uint16 counts, one after the other.

    Raises
    ------
    UnreadableFileError
        If the size is not given, or the file does not hold a whole number of such scans.
    """

    dtype = "uint16"

    def __init__(self, path: Path, *, rows_px: int | None, cols_px: int | None) -> None:
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
                expected=f"whole scans of {rows_px} x {cols_px} uint16, {scan_bytes} bytes each",
                got=f"{size} bytes, which is {size / scan_bytes:.2f} scans: is it cut off, "
                f"or are rows_px and cols_px of another rig?",
            )
        self.shape = (size // scan_bytes, rows_px, cols_px)
        self._file = path.open("rb")

    def scan(self, number: int) -> Pixels:
        """(row, col) counts of scan `number`."""
        _, rows, cols = self.shape
        self._file.seek(number * rows * cols * _ITEM_BYTES)
        return np.fromfile(self._file, "<u2", rows * cols).reshape(rows, cols)

    def close(self) -> None:
        self._file.close()
