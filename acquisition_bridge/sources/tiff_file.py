"""A finished multi-page TIFF with one page per scan, read page by page; for `raw_movie`."""

import math
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile

from acquisition_bridge.sources.contract import COUNT_TYPES, Pixels, as_counts
from acquisition_bridge.sources.growing_tiff import CLASSIC_BYTES, CLASSIC_LIMIT
from acquisition_bridge.sources.movie_files import Movie
from acquisition_bridge.sources.scanimage_header import (
    ScanImageHeader,
    has_scanimage_header,
    page_stamp,
    scanimage_header,
    stack_images,
)
from acquisition_bridge.sources.tiff_directory import naming
from rtdecode.schema.errors import RtdecodeError, UnreadableFileError

_EXPECTED = "a multi-page TIFF with one 2-D page of uint16, int16 or uint8 counts for each scan"
_SIDES = 2
_ARTIST = 315
_RATE_FRAMES = 10
MOST_PIXELS = 4096 * 4096
DAMAGED = (
    *(ValueError, ArithmeticError, LookupError, RuntimeError, OSError, struct.error),
    *(TypeError, MemoryError, AttributeError),
)
"""Exceptions that tifffile raises for damaged files."""


class PageTexts(NamedTuple):
    """Texts of a page, in which microscopes write their metadata."""

    software: str
    description: str


class TiffFile(Movie):
    """Scans in a TIFF of any length, of which one page is in memory at a time.

    Offset, size and type of every page are checked at the start, so that a truncated file is
    refused before the first scan and not during a run. An ImageJ stack above 4 GB has a single
    page, behind which all its images are stored.

    Raises
    ------
    UnreadableFileError
        If the file is no TIFF, is truncated, or has pages that differ or hold no counts.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._opened()
        try:
            self._images = 0
            self.shape, self.dtype = self._checked()
        except RtdecodeError:
            self._file.close()
            raise
        except DAMAGED as error:
            self._file.close()
            raise self._refusal(f"a damaged file ({error})") from error

    def scan(self, number: int) -> Pixels:
        """(row, col) counts of scan `number`; UnreadableFileError if they cannot be read."""
        try:
            if self._images:
                return as_counts(self._image(number))
            return as_counts(self._file.pages[number].asarray())
        except DAMAGED as error:
            raise self._refusal(f"page {number} cannot be unpacked ({error})") from error

    def texts(self, number: int) -> PageTexts:
        """Software and description of page `number`."""
        page = self._file.pages[number].aspage()
        return PageTexts(str(page.software), str(page.description))

    def scanimage_rates_hz(self) -> list[float] | None:
        """Scan rates in Hz by the header and by the page stamps; None if not of ScanImage.

        Either is left out where the file does not state it.
        """
        first = self.texts(0)
        if not has_scanimage_header(*first):
            return None
        try:
            with naming(self._path):
                return self._rates_hz(scanimage_header(*first, self._artist()))
        except RtdecodeError:
            raise
        except DAMAGED as error:
            raise self._refusal(f"a damaged file ({error})") from error

    def _rates_hz(self, header: ScanImageHeader) -> list[float]:
        channels, fields = len(header.channels), max(1, len(header.field_rows))
        frames = min(_RATE_FRAMES, self.shape[0] // channels - 1)
        rates = [] if header.frame_rate_hz is None else [header.frame_rate_hz * fields]
        ends = [page_stamp(self.texts(page).description) for page in (0, channels * max(0, frames))]
        if ends[0] is not None and ends[1] is not None and ends[1].t_ns > ends[0].t_ns:
            elapsed_s = (ends[1].t_ns - ends[0].t_ns) / 1e9
            rates.append(fields * (ends[1].frame - ends[0].frame) / elapsed_s)
        return rates

    def _artist(self) -> str:
        tag = self._file.pages.first.tags.get(_ARTIST)
        return "" if tag is None else str(tag.value)

    def close(self) -> None:
        self._file.close()

    def _opened(self) -> tifffile.TiffFile:
        try:
            # tifffile would guess the pages of classic ScanImage files from the first two
            return tifffile.TiffFile(self._path, is_scanimage=False)
        except DAMAGED as error:
            raise self._refusal(f"no readable TIFF ({error})") from error

    def _checked(self) -> tuple[tuple[int, int, int], str]:
        try:
            pages = list(self._file.pages)
        except DAMAGED as error:
            raise self._refusal(f"a directory of pages that is cut off ({error})") from error
        if not pages or not self._is_complete(pages[-1].offset):
            raise self._refusal(f"a file that is cut off after {len(pages)} pages{self._limit()}")
        first = pages[0]
        if len(first.shape) != _SIDES or str(first.dtype) not in COUNT_TYPES:
            raise self._refusal(f"pages of shape {first.shape} and type {first.dtype}")
        if math.prod(first.shape) > MOST_PIXELS:
            raise self._refusal(f"pages of shape {first.shape}")
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
        return (self._counted(len(pages), first), rows, cols), dtype

    def _counted(self, pages: int, first: Any) -> int:
        """Scans in the file: its pages, or the images of an ImageJ stack with a single page."""
        images = stack_images(self.texts(0).description, path=self._path)
        if pages > 1 or images in (None, 1):
            return pages
        missing = first.dataoffsets[0] + images * first.nbytes - self._file.filehandle.size
        if missing > 0 or first.compression != 1:
            raise self._refusal(f"an ImageJ stack of {images} images, cut off by {missing} bytes")
        self._images = images
        return images

    def _image(self, number: int) -> Pixels:
        """(row, col) counts of an image behind the single page of an ImageJ stack."""
        page, handle = self._file.pages[0], self._file.filehandle
        handle.seek(page.dataoffsets[0] + number * page.nbytes)
        kind = np.dtype(page.dtype).newbyteorder(self._file.byteorder)
        counts: Pixels = np.frombuffer(handle.read(page.nbytes), kind)
        return counts.reshape(page.shape)

    def _limit(self) -> str:
        size = self._file.filehandle.size
        return f"; {CLASSIC_LIMIT}" if size >= CLASSIC_BYTES and not self._file.is_bigtiff else ""

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
