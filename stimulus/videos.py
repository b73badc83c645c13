"""The user's videos, decoded frame by frame for the playlist, so that any length fits in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.errors import ClipError
from stimulus.surface import Shrinker

SUFFIXES = frozenset(".avi .gif .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .webm .wmv .y4m".split())
_TOLERANCE_S = 1e-6
_USUAL_RATE_HZ = 30
_LUMA_FIRST = ("yuv420p", "yuv422p", "yuv444p", "nv12")
_FULL_RANGE = 2
_LIMITED_RANGE = (16, 235)
_QUARTER_DEG = 90

T = TypeVar("T")


def video_files(path: Path) -> tuple[Path, ...]:
    """Videos of a folder, or the file at `path` itself, sorted by name.

    Raises
    ------
    ClipError
        If there is none, and for the first file that yields no frame.
    """
    if not path.exists():
        raise ClipError(path=path, got="it does not exist")
    files = tuple(filter(_is_video, sorted(path.iterdir()))) if path.is_dir() else (path,)
    if not files:
        raise ClipError(path=path, got="the folder holds no video")
    for file in files:
        next(video_frames(file, screen=(1, 1), rate_hz=1.0))
    return files


def _is_video(file: Path) -> bool:
    return file.is_file() and file.suffix.lower() in SUFFIXES and not file.name.startswith(".")


def video_frames(
    file: Path, *, screen: tuple[int, int], rate_hz: float
) -> Iterator[NDArray[np.uint8]]:
    """(rows, cols) uint8 frames of `file` at `rate_hz`, each the source frame nearest in time.

    Luma scaled to 0..255, rotated as the file specifies, cropped at the centre to the screen's
    proportions, and averaged over exact pixel areas.

    Parameters
    ----------
    screen
        (rows, cols) of the result.

    Raises
    ------
    ClipError
        If the file cannot be opened, holds no video, yields no frame, or is truncated.
    """
    given = 0
    try:
        # titles of older programs are in Latin-1
        with av.open(str(file), metadata_errors="replace") as container:
            for frame in _shrunk(_decoded(container, rate_hz), screen):
                yield frame
                given += 1
    except av.FFmpegError as error:
        got = f"{error.strerror} (after {given} frames)"
        raise ClipError(path=file, got=got) from error
    if not given:
        raise ClipError(path=file, got="it holds no frame of video")


def _decoded(container: Any, rate_hz: float) -> Iterator["_Luma"]:
    """Pictures at `rate_hz`; none for a file without a video stream."""
    if not container.streams.video:
        return
    stream = container.streams.video[0]
    # decoding must not compete with the frame loop for cores
    stream.thread_count = 1
    frame_s = 1 / float(stream.average_rate or _USUAL_RATE_HZ)
    aspect = float(stream.sample_aspect_ratio or 1)
    timed = (
        (number * frame_s if frame.time is None else frame.time, frame)
        for number, frame in enumerate(container.decode(stream))
    )
    for frame in nearest_in_time(timed, rate_hz=rate_hz, last_s=frame_s):
        yield _luma(frame, aspect)


def nearest_in_time(
    timed: Iterable[tuple[float, T]], *, rate_hz: float, last_s: float
) -> Iterator[T]:
    """For each time k / `rate_hz` after the first item, the item nearest in time.

    Parameters
    ----------
    timed
        (time in seconds, item) in order of time.
    last_s
        Duration of the last item in seconds.

    >>> list(nearest_in_time([(0.0, "a"), (0.1, "b")], rate_hz=20, last_s=0.1))
    ['a', 'a', 'b', 'b']
    """
    moment, origin_s, held_s, held = 0, 0.0, 0.0, None
    for time_s, item in timed:
        if held is None:
            origin_s = time_s
        while held is not None and moment / rate_hz <= (held_s + time_s) / 2 - origin_s:
            yield held
            moment += 1
        held_s, held = time_s, item
    while held is not None and moment / rate_hz < held_s + last_s - origin_s - _TOLERANCE_S:
        yield held
        moment += 1


@dataclass(frozen=True, slots=True, eq=False)
class _Luma:
    """An upright picture, width over height of its pixels, and its levels of black and white."""

    pixels: NDArray[np.uint8]
    aspect: float
    black: int
    white: int


def _luma(frame: Any, aspect: float) -> _Luma:
    """The luma of `frame`, rotated upright as its metadata specify (telephones film sideways).

    Where the first plane is the luma it is read in place, because a conversion takes as long as
    all other steps together. Levels are scaled after averaging, on 36 x 64 pixels only.
    """
    black, white = 0, 255
    if frame.format.name in _LUMA_FIRST:
        plane = frame.planes[0]
        pixels = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:, : frame.width]
        black, white = (0, 255) if frame.color_range == _FULL_RANGE else _LIMITED_RANGE
    else:
        pixels = frame.to_ndarray(format="gray")
    quarters = round(frame.rotation / _QUARTER_DEG) % 4
    turned = np.rot90(pixels[: frame.height], quarters)
    return _Luma(turned, 1 / aspect if quarters % 2 else aspect, black, white)


def _shrunk(pictures: Iterable[_Luma], screen: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    shrinker = None
    for picture in pictures:
        size = (picture.pixels.shape[0], picture.pixels.shape[1])
        if shrinker is None or shrinker.picture != size:
            shrinker = Shrinker.between(size, screen, pixel_aspect=picture.aspect)
        means = shrinker.shrunk(picture.pixels)
        grey = (means - picture.black) * (255 / (picture.white - picture.black))
        yield np.asarray(np.clip(np.rint(grey), 0, 255), np.uint8)
