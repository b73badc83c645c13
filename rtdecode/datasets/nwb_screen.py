"""The stimulus of an NWB file at any time, as grey-level frames, for `nwb_session`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize_local_mean

from rtdecode.datasets.nwb_series import ends_of, is_a, times_of, unlike

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

SCREEN_PX = (36, 64)
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""Luma weights of red, green and blue (ITU-R BT.601)."""
_COLOURED_RANK, _COLOURS = 3, (3, 4)
_SAMPLED_IMAGES = 16
"""Images from which the range of floating-point values (0..1 or 0..255) is determined."""
_IMAGES_AT_ONCE = 64
"""Images read at a time, which bounds the memory for large screens."""

ReadImages = Callable[[I64], F32]
"""(image, row, col) grey levels of the images with these ascending numbers."""
Size = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Stimulus:
    """Images of one stimulus series; image k is displayed from `t_s[k]` to `end_s[k]`."""

    name: str
    t_s: F64
    end_s: F64
    read: ReadImages

    @property
    def runs(self) -> list[tuple[float, float]]:
        """Start and end, in s, of each run of images without a pause."""
        last = np.append(np.flatnonzero(self.end_s[:-1] < self.t_s[1:]), len(self.t_s) - 1)
        first = np.append(0, last[:-1] + 1)
        return list(zip(self.t_s[first].tolist(), self.end_s[last].tolist(), strict=True))


class Screen:
    """All stimuli of a file, as grey levels of 36 x 64 px.

    An image is displayed until the next one of its series; before a pause, and at the end, for the
    median duration. Where two series overlap, the image with the later onset is displayed.

    Parameters
    ----------
    series
        ImageSeries, OpticalSeries and IndexSeries as pynwb reads them. Integers are grey levels
        0..255; floating-point values are too, unless none exceeds 1: they are then scaled by 255.
    path
        The file, named in error messages.
    size_px
        (row, col) to which the images are averaged.
    """

    def __init__(self, series: Sequence[Any], path: Path, *, size_px: Size = SCREEN_PX) -> None:
        self.size_px = size_px
        self.stimuli = [_read_stimulus(one, path, size_px) for one in series]

    @classmethod
    def of_export(cls, series: Sequence[Any], path: Path) -> Self:
        """The stimulus of a file of rtdecode: in its own size, each image until the next one."""
        rows, cols = series[0].data.shape[1:]
        screen = cls(series, path, size_px=(rows, cols))
        screen.stimuli = [
            replace(one, end_s=np.append(one.t_s[1:], np.inf)) for one in screen.stimuli
        ]
        return screen

    def is_on(self, at_s: F64) -> NDArray[np.bool_]:
        """(time,) True where an image is displayed."""
        return self._displayed(at_s)[0] >= 0

    def video(self, at_s: F64) -> NDArray[np.uint8]:
        """(time, row, col) grey levels at ascending times; 0 where no image is displayed."""
        which, place = self._displayed(at_s)
        video = np.zeros((len(at_s), *self.size_px), np.uint8)
        for number, stimulus in enumerate(self.stimuli):
            on = which == number
            if on.any():
                wanted, back = np.unique(place[on], return_inverse=True)
                cuts = range(_IMAGES_AT_ONCE, len(wanted), _IMAGES_AT_ONCE)
                images = np.concatenate([stimulus.read(some) for some in np.split(wanted, cuts)])
                video[on] = np.nan_to_num(images).clip(0, 255).round()[back]
        return video

    def _displayed(self, at_s: F64) -> tuple[I64, I64]:
        """(time,) index of the displayed stimulus, -1 for none, and of its image."""
        which, place = np.full(len(at_s), -1), np.zeros(len(at_s), np.int64)
        since_s = np.full(len(at_s), -np.inf)
        for number, stimulus in enumerate(self.stimuli):
            now = np.searchsorted(stimulus.t_s, at_s, side="right") - 1
            on = (now >= 0) & (at_s < stimulus.end_s[now]) & (stimulus.t_s[now] >= since_s)
            which[on], place[on], since_s[on] = number, now[on], stimulus.t_s[now[on]]
        return which, place


def _read_stimulus(series: Any, path: Path, size: Size) -> Stimulus:
    indexed = is_a(series, "IndexSeries")
    read = _indexed(series, path, size) if indexed else _frames(series, path, size)
    t_s = times_of(series, path)
    return Stimulus(str(series.name), t_s, ends_of(t_s), read)


def _indexed(series: Any, path: Path, size: Size) -> ReadImages:
    """Images that are stored once and referred to by number."""
    order = np.asarray(series.data[:], np.int64)
    frames = series.indexed_timeseries
    if frames is not None:
        kept, count = _frames(frames, path, size), len(frames.data)
    else:
        held = series.indexed_images
        images = list(held.order_of_images or held.images.values())
        kept, count = _images(images, path, size), len(images)
    outside = np.flatnonzero((order < 0) | (order >= count))
    if len(outside):
        got = f"number {order[outside[0]]} at sample {outside[0]}"
        raise unlike(path, f"image numbers below {count} in '{series.name}'", got)

    def read(places: I64) -> F32:
        wanted, back = np.unique(order[places], return_inverse=True)
        return kept(wanted)[back]

    return read


def _images(images: Sequence[Any], path: Path, size: Size) -> ReadImages:
    """Images of any size, by number."""
    for image in images:
        _check(image.data.shape, f"image '{image.name}'", path)
    some = [image.data for image in images[:: max(1, len(images) // _SAMPLED_IMAGES)]]
    brightness = _brightness(some)
    return lambda numbers: np.stack([_small(images[k].data[:], size) * brightness for k in numbers])


def _frames(series: Any, path: Path, size: Size) -> ReadImages:
    """Frames of an ImageSeries, by number."""
    if series.external_file is not None:
        linked = ", ".join(str(name) for name in series.external_file)
        raise unlike(path, f"the images of '{series.name}' inside the file", f"a link to {linked}")
    data = series.data
    _check(data.shape[1:], f"a frame of '{series.name}'", path)
    brightness = _brightness(
        [data[k] for k in range(0, len(data), len(data) // _SAMPLED_IMAGES + 1)]
    )
    return lambda numbers: np.stack([_small(one, size) * brightness for one in data[numbers]])


def _check(shape: Sequence[int], what: str, path: Path) -> None:
    """Refuse an image that is neither grey nor has colours as its last axis."""
    coloured = len(shape) == _COLOURED_RANK and shape[-1] in _COLOURS
    if not (coloured or len(shape) == len(SCREEN_PX)) or 0 in shape:
        expected = f"{what} of (row, col), (row, col, 3) or (row, col, 4)"
        raise unlike(path, expected, str(tuple(shape)))


def _brightness(some: Sequence[Any]) -> np.float32:
    """Factor to grey levels 0..255."""
    if any(np.dtype(image.dtype).kind not in "fb" for image in some):
        return np.float32(1)
    brightest = max(float(np.nan_to_num(image[:]).max()) for image in some)
    return np.float32(255 if brightest <= 1 else 1)


def _small(image: NDArray[Any], size: Size) -> F32:
    """Grey levels, averaged over the area of each of `size` pixels."""
    values = image.astype(np.float32)
    grey = values[..., :3] @ _GREY if values.ndim == _COLOURED_RANK else values
    if grey.shape == size:
        return grey
    return np.asarray(resize_local_mean(grey, size))  # type: ignore[no-untyped-call]
