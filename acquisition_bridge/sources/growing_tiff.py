"""Pages of TIFF files that the microscope is still writing, for `tiff_tail`."""

import logging
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from acquisition_bridge.sources.contract import as_counts
from acquisition_bridge.sources.scanimage_header import is_same_acquisition, stack_images
from acquisition_bridge.sources.tiff_directory import (
    TiffFormat,
    TiffPage,
    naming,
    tiff_format,
    tiff_page,
)
from rtdecode.runtime.platform import read_at
from rtdecode.schema.errors import MovieFileError, StreamError

log = logging.getLogger(__name__)
CLASSIC_BYTES = 1 << 32
CLASSIC_LIMIT = (
    "a classic TIFF ends at 4 GB, so that later pages cannot be read: "
    "let the microscope write BigTIFF, or shorter files"
)

SINGLE_PAGES = (
    "it has a single page, and {} lies beside it: a recording in files of one page each is read "
    "only with the xml of PrairieView; join the files to one TIFF with many pages"
)


class GrowingTiff:
    """Pages of one growing file, each as soon as it is complete.

    An ImageJ stack with a single directory yields all its images, which are stored one after the
    other behind the first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")
        self._format: TiffFormat | None = None
        self._next = self._page_at = 0
        self._pointer_at: int | None = None
        self._first: TiffPage | None = None
        self._images = self._image = 0

    def page(self) -> TiffPage | None:
        """The next page; None while it is incomplete. Raises MovieFileError for an invalid file."""
        with naming(self._path):
            return self._image_page() if self._images else self._directory_page()

    @property
    def is_cut_off(self) -> bool:
        """True if a further page is announced that the file does not contain."""
        return bool(self._next) or self._image < self._images

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _directory_page(self) -> TiffPage | None:
        if self._format is None:
            self._format = tiff_format(self._read_at)
            if self._format is None:
                return None
            self._next = self._format.first_page
        if self._next == 0 and self._pointer_at is not None:
            raw = self._read_at(self._pointer_at, self._format.pointer.size)
            whole = len(raw) == self._format.pointer.size
            self._next = int(self._format.pointer.unpack(raw)[0]) if whole else 0
        if self._next == 0:
            return None
        if self._next <= self._page_at:
            self._refuse_pointer_back(self._format)
        page = tiff_page(self._read_at, self._format, self._next)
        if page is not None:
            self._page_at = self._next
            self._next, self._pointer_at = page.next_page, page.next_pointer
            self._expect_images(page)
        return page

    def _expect_images(self, page: TiffPage) -> None:
        if self._first is None:
            images = stack_images(page.description, path=self._path)
            if images is not None and page.next_page == 0:
                self._images, self._image = images, 1
            self._first = page

    def _image_page(self) -> TiffPage | None:
        """The next image of a stack with one directory; None while it is incomplete."""
        if self._first is None or self._image >= self._images:
            return None
        first = self._first.pixels
        data = self._read_at(self._first.data_offset + self._image * first.nbytes, first.nbytes)
        if len(data) < first.nbytes:
            return None
        self._image += 1
        order = "<" if self._format is None else self._format.order
        stored = np.frombuffer(
            data, np.dtype(f"{order}{first.dtype.kind}{first.itemsize}")
        ).reshape(first.shape)
        return replace(self._first, pixels=as_counts(stored))

    def _refuse_pointer_back(self, form: TiffFormat) -> None:
        reason = f"the offset of the next page points back to {self._next}"
        size = os.fstat(self._file.fileno()).st_size
        if not form.big and size >= CLASSIC_BYTES:
            reason = f"{reason}; {CLASSIC_LIMIT}"
        raise MovieFileError(path=self._path, reason=reason)

    def _read_at(self, offset: int, size: int) -> bytes:
        # a corrupt offset may exceed the range of the system
        return read_at(self._file.fileno(), size, offset) if offset < 1 << 62 else b""


class TiffRow:
    """Pages of the file `path` and of the consecutively numbered files of its acquisition.

    A file with the next number continues the acquisition if its header says so
    (`scanimage_header.is_same_acquisition`); the files of any other recording are not read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: GrowingTiff | None = None
        self._last: TiffPage | None = None
        self._foreign: Path | None = None
        self._pages = 0
        self.files = self.cut_off = self.not_joined = 0
        """Files that were opened, that end within a page, and that follow only in their number."""

    def page(self) -> TiffPage | None:
        """The next page of the current or the following file; None while there is none."""
        file = self._file or self._opened(self.path)
        page = None if file is None else file.page() or self._following_page(file)
        self._last = page or self._last
        self._pages += page is not None
        return page

    def report_cut_off(self) -> None:
        """Log a warning if the open file ends within a page."""
        if self._file is not None and self._file.is_cut_off:
            self.cut_off += 1
            log.warning("%s is cut off: its last page is incomplete and is left out", self.path)

    def close(self) -> None:
        """Close the file that is open."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self, path: Path) -> GrowingTiff | None:
        if path.is_file():
            self._file = GrowingTiff(path)
            self.files += 1
        return self._file

    def _following_page(self, file: GrowingTiff) -> TiffPage | None:
        """First page of the next file of the acquisition, once there is one."""
        path = following_path(self.path)
        if path is None or path == self._foreign or self._last is None or not path.is_file():
            return None
        following = GrowingTiff(path)
        first = self._first_page(following, path, self._last)
        # the current file may have been completed before the next one was created
        page = None if first is None else file.page()
        if first is None or page is not None:
            following.close()
            return page
        self.report_cut_off()
        self.close()
        self.path, self._file = path, following
        self.files += 1
        return first

    def _first_page(self, file: GrowingTiff, path: Path, last: TiffPage) -> TiffPage | None:
        """First page of `file` if it continues after `last`; None before it is complete."""
        try:
            page = file.page()
            continues = page is None or is_same_acquisition(
                (last.software, last.description), (page.software, page.description)
            )
        except StreamError as error:
            log.warning("%s", error)
            page, continues = None, False
        if continues:
            return page
        if self._pages == 1:
            file.close()
            raise MovieFileError(path=self.path, reason=SINGLE_PAGES.format(path.name))
        self._foreign = path
        self.not_joined += 1
        log.warning(
            "%s is not read: no ScanImage header marks it as a part of the acquisition of %s",
            path,
            self.path,
        )
        return None


def following_path(path: Path) -> Path | None:
    """Path of the next file: the trailing number of the name plus 1; None without a number."""
    found = re.fullmatch(r"(.*?)(\d+)", path.stem)
    if found is None:
        return None
    number = str(int(found[2]) + 1).zfill(len(found[2]))
    return path.with_name(f"{found[1]}{number}{path.suffix}")
