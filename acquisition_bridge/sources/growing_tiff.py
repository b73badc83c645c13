"""Pages of TIFF files that the microscope is still writing, for `tiff_tail`."""

import os
import re
from pathlib import Path

from acquisition_bridge.sources.tiff_directory import TiffFormat, TiffPage, tiff_format, tiff_page
from rtdecode.schema.errors import StreamError


class GrowingTiff:
    """Pages of one growing file, each as soon as it is complete."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._format: TiffFormat | None = None
        self._next = self._page_at = 0
        self._pointer_at: int | None = None

    def page(self) -> TiffPage | None:
        """The next page; None while it is incomplete. Raises StreamError for an invalid file."""
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
            raise StreamError(
                stream="tiff_tail",
                reason=f"the offset of the next page points back to {self._next}",
            )
        page = tiff_page(self._read_at, self._format, self._next)
        if page is not None:
            self._page_at = self._next
            self._next, self._pointer_at = page.next_page, page.next_pointer
        return page

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read_at(self, offset: int, size: int) -> bytes:
        # a corrupt offset may exceed the range of pread
        return os.pread(self._file.fileno(), size, offset) if offset < 1 << 62 else b""


class TiffRow:
    """Pages of the file `path` and of the consecutively numbered files that follow it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: GrowingTiff | None = None
        self.files = 0

    def page(self) -> TiffPage | None:
        """The next page of the current or the following file; None while there is none."""
        file = self._file or self._opened(self._path)
        page = None if file is None else file.page()
        following = _following(self._path)
        if page is not None or file is None or following is None or not following.is_file():
            return page
        page = file.page()  # it may have been completed before the next file was created
        if page is None:
            self._path = following
            self.close()
            page = self.page()
        return page

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


def _following(path: Path) -> Path | None:
    """Path of the next file: the trailing number of the name plus 1; None without a number."""
    found = re.fullmatch(r"(.*?)(\d+)", path.stem)
    if found is None:
        return None
    number = str(int(found[2]) + 1).zfill(len(found[2]))
    return path.with_name(f"{found[1]}{number}{path.suffix}")
