"""A source that streams a recorded two-photon movie, TIFF or headerless raw, once at its rate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from acquisition_bridge.sources.contract import FrameSpec, Measured, Pixels
from acquisition_bridge.sources.tiff_file import TiffFile
from rtdecode.schema.config.acquisition import RawMovieSource as RawMovieConfig
from rtdecode.schema.errors import MissingFileError, MovieNotGivenError, UnreadableFileError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import DisplayedFrame, Scan

_ITEM_BYTES = 2


class HeaderlessFile:
    """A file of consecutive scans of `rows_px` x `cols_px` little-endian uint16 counts.

    Raises
    ------
    UnreadableFileError
        If the size is not given, or the file is not an integer number of such scans.
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


_NS_PER_S = 1_000_000_000
_TIFF_SUFFIXES = (".tif", ".tiff", ".btf")


class Movie(Protocol):
    """Scans stored in a file."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Scans, rows, columns."""
        ...

    @property
    def dtype(self) -> str: ...

    def scan(self, number: int) -> Pixels:
        """(row, col) counts of scan `number`."""
        ...

    def close(self) -> None: ...


class RawMovieSource:
    """Yields every scan of a movie once, in order, at its time; then the source ends.

    Scan k covers [k, k + 1) / (scan_rate_hz * speed) seconds from `begin` and is yielded at its
    end. A slow consumer receives all scans, with a delay.
    """

    needs_displayed_frames = False

    def __init__(self, config: RawMovieConfig, *, clock: Clock) -> None:
        self._movie = open_movie(config)
        self._clock = clock
        self._rate_hz = config.scan_rate_hz * config.speed
        self._begin_ns = 0
        self._next = 0
        _, rows, cols = self._movie.shape
        self.spec = FrameSpec(rows, cols, self._movie.dtype, scan_rate_hz=config.scan_rate_hz)

    @property
    def ended(self) -> bool:
        return self._next >= self._movie.shape[0]

    def begin(self, t_ns: int) -> None:
        self._begin_ns = t_ns

    def show(self, frame: DisplayedFrame) -> None:
        """Ignored: the movie is a recording."""

    def measured_until(self, until_ns: int) -> Sequence[Measured]:
        if self.ended:
            return ()
        due_ns = self._start_ns(self._next + 1)
        self._clock.sleep_until(min(due_ns, until_ns))
        if due_ns > self._clock.now_ns():
            return ()
        pixels, number = self._movie.scan(self._next), self._next
        self._next += 1
        return (Scan(pixels, number, 0, self._start_ns(number), due_ns),)

    def health(self) -> dict[str, float]:
        return {"scans": self._next, "left": self._movie.shape[0] - self._next}

    def close(self) -> None:
        self._movie.close()

    def _start_ns(self, scan: int) -> int:
        return self._begin_ns + round(scan * _NS_PER_S / self._rate_hz)


def open_movie(config: RawMovieConfig) -> Movie:
    """Open the movie at the path of `config`.

    Raises
    ------
    MovieNotGivenError, MissingFileError, UnreadableFileError
        If no path is given, no file is there, or the file holds no scans.
    """
    if config.path is None:
        raise MovieNotGivenError
    if not config.path.is_file():
        raise MissingFileError(
            what="movie",
            path=config.path,
            remedy="give a TIFF or .raw file with --movie or acquisition.source.path",
        )
    if config.path.suffix.lower() in _TIFF_SUFFIXES:
        return TiffFile(config.path)
    return HeaderlessFile(config.path, rows_px=config.rows_px, cols_px=config.cols_px)
