"""A finished multi-page TIFF with one page per scan, read page by page; for `raw_movie`."""

import struct
from pathlib import Path

import tifffile

from acquisition_bridge.sources.contract import COUNT_TYPES, Pixels, as_counts
from rtdecode.schema.errors import UnreadableFileError

_EXPECTED = "a multi-page TIFF with one 2-D page of uint16, int16 or uint8 counts for each scan"
_SIDES = 2


class TiffFile:
    """Scans in a TIFF of any length, of which one page is in memory at a time.

    Offset, size and type of every page are checked at the start, so that a truncated file is
    refused before the first scan and not during a run.

    Raises
    ------
    UnreadableFileError
        If the file is no TIFF, is truncated, or has pages that differ or hold no counts.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._opened()
        try:
            self.shape, self.dtype = self._checked()
        except BaseException:
            self._file.close()
            raise

    def scan(self, number: int) -> Pixels:
        """(row, col) counts of scan `number`; UnreadableFileError if they cannot be read."""
        try:
            return as_counts(self._file.pages[number].asarray())
        except (ValueError, RuntimeError, OSError, struct.error) as error:
            raise self._refusal(f"page {number} cannot be unpacked ({error})") from error

    def close(self) -> None:
        self._file.close()

    def _opened(self) -> tifffile.TiffFile:
        try:
            return tifffile.TiffFile(self._path)
        except (tifffile.TiffFileError, struct.error, OSError) as error:
            raise self._refusal(f"no readable TIFF ({error})") from error

    def _checked(self) -> tuple[tuple[int, int, int], str]:
        try:
            pages = list(self._file.pages)
        except (tifffile.TiffFileError, struct.error) as error:
            raise self._refusal(f"a directory of pages that is cut off ({error})") from error
        if not pages or not self._is_complete(pages[-1].offset):
            raise self._refusal(f"a file that is cut off after {len(pages)} pages")
        first = pages[0]
        if len(first.shape) != _SIDES or str(first.dtype) not in COUNT_TYPES:
            raise self._refusal(f"pages of shape {first.shape} and type {first.dtype}")
        size = self._file.filehandle.size
        for number, page in enumerate(pages):
            if page.shape != first.shape or page.dtype != first.dtype:
                raise self._refusal(f"page {number} of shape {page.shape} and type {page.dtype}")
            # every strip must lie inside the file, or reading would fail during the run
            ends = map(sum, zip(page.dataoffsets, page.databytecounts, strict=True))
            if max(ends, default=size + 1) > size:
                raise self._refusal(f"a file that is cut off in the data of page {number}")
        dtype = "uint16" if first.dtype == "uint8" else str(first.dtype)
        rows, cols = first.shape
        return (len(pages), rows, cols), dtype

    def _is_complete(self, last_offset: int) -> bool:
        """Whether the chain of pages ends as the format requires: the last offset is 0."""
        tiff, handle = self._file.tiff, self._file.filehandle
        handle.seek(last_offset)
        (tags,) = struct.unpack(tiff.tagnoformat, handle.read(tiff.tagnosize))
        handle.seek(last_offset + tiff.tagnosize + tags * tiff.tagsize)
        following = handle.read(tiff.offsetsize)
        return len(following) == tiff.offsetsize and not any(following)

    def _refusal(self, got: str) -> UnreadableFileError:
        return UnreadableFileError(what="movie", path=self._path, expected=_EXPECTED, got=got)
