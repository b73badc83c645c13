"""A source that streams a recorded two-photon movie once at its rate: TIFF, HDF5, bare pixels."""

from collections.abc import Sequence
from pathlib import Path

from acquisition_bridge.sources.contract import FrameSpec, Measured
from acquisition_bridge.sources.growing_tiff import SINGLE_PAGES, following_path
from acquisition_bridge.sources.movie_files import Movie, bare_or_hdf5
from acquisition_bridge.sources.tiff_file import TiffFile
from rtdecode.schema.config.acquisition import RawMovieSource as RawMovieConfig
from rtdecode.schema.errors import MissingFileError, MovieFileError, MovieNotGivenError
from rtdecode.schema.file_content import content_of
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import DisplayedFrame, Scan

_NS_PER_S = 1_000_000_000
_TIFF_SUFFIXES = (".tif", ".tiff", ".btf")


class RawMovieSource:
    """Yields every scan of a movie once, in order, at its time; then the source ends.

    Scan k covers [k, k + 1) / (scan_rate_hz * speed) seconds from `begin`, or begins at the time
    that the movie states, and is yielded at its end. A slow consumer receives all scans, with a
    delay.

    Parameters
    ----------
    movie
        The movie, opened already; None: the file at `config.path`.
    """

    needs_displayed_frames = False

    def __init__(self, config: RawMovieConfig, *, clock: Clock, movie: Movie | None = None) -> None:
        self._movie = open_movie(config) if movie is None else movie
        self._clock = clock
        self._speed = config.speed
        self._rate_hz = config.scan_rate_hz * config.speed
        self._begin_ns = 0
        self._next = self._lost = 0
        self._resumed_s = 0.0
        _, rows, cols = self._movie.shape
        self.spec = FrameSpec(
            rows,
            cols,
            self._movie.dtype,
            planes=self._movie.planes,
            scan_rate_hz=config.scan_rate_hz,
        )

    @property
    def ended(self) -> bool:
        return self._next >= self._movie.shape[0]

    def begin(self, t_ns: int) -> None:
        self._begin_ns = t_ns - round(self._resumed_s * _NS_PER_S)

    def resume_after(self, number: int) -> None:
        """Begin with the scan after that with `number`, without waiting for those before it."""
        while not self.ended and (place := self._movie.place(self._next)).number <= number:
            self._next += 1
            self._resumed_s = (place.number + 1) / self._rate_hz
            if place.start_s is not None:
                self._resumed_s = place.start_s / self._speed + 1 / self._rate_hz

    def show(self, frame: DisplayedFrame) -> None:
        """Ignored: the movie is a recording."""

    def measured_until(self, until_ns: int) -> Sequence[Measured]:
        if self.ended:
            return ()
        place = self._movie.place(self._next)
        start_ns, due_ns = self._span(place.number, place.start_s)
        self._clock.sleep_until(min(due_ns, until_ns))
        if due_ns > self._clock.now_ns():
            return ()
        pixels = self._movie.scan(self._next)
        # missing files of a series, which the numbers of the scans count
        self._lost = place.number - self._next
        self._next += 1
        return (Scan(pixels, place.number, place.plane, start_ns, due_ns),)

    def health(self) -> dict[str, float]:
        return {"scans": self._next, "left": self._movie.shape[0] - self._next, "lost": self._lost}

    def close(self) -> None:
        self._movie.close()

    def _span(self, number: int, start_s: float | None) -> tuple[int, int]:
        """HostNs of the start and the end of a scan."""
        if start_s is None:
            return self._after(number / self._rate_hz), self._after((number + 1) / self._rate_hz)
        start_s = start_s / self._speed
        return self._after(start_s), self._after(start_s + 1 / self._rate_hz)

    def _after(self, seconds: float) -> int:
        return self._begin_ns + round(seconds * _NS_PER_S)


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
            remedy="give a TIFF, HDF5 or .raw file with --movie or acquisition.source.path",
        )
    if is_tiff(config.path):
        return _tiff(config.path)
    return bare_or_hdf5(config, config.path)


def _tiff(path: Path) -> TiffFile:
    """A TIFF with one page for each scan; refused if each scan has a file of its own."""
    movie, following = TiffFile(path), following_path(path)
    if movie.shape[0] == 1 and following is not None and following.is_file():
        movie.close()
        raise MovieFileError(path=path, reason=SINGLE_PAGES.format(following.name))
    return movie


def is_tiff(path: Path) -> bool:
    """True for a file that is a TIFF by its content, or by its name."""
    if not path.is_file():
        return False
    return path.suffix.lower() in _TIFF_SUFFIXES or content_of(path) == "TIFF"
