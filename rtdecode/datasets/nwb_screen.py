"""What an NWB file says was on the screen at any time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize_local_mean

from rtdecode.datasets.nwb_series import ends_of, is_a, times_of, unlike

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

SCREEN_PX = (36, 64)
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue (ITU-R BT.601)."""
_COLOURED_RANK, _COLOURS = 3, (3, 4)
_PROBED = 16
"""Pictures that tell whether fractions reach to 1 or to 255."""
_TOGETHER = 64
"""Pictures that are read at once: of a large screen more may not fit into memory."""

ReadPictures = Callable[[I64], F32]
"""(picture, 36, 64) grey levels of the pictures with these numbers, which rise."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """Pictures of one stimulus, each from its time on until it ends."""

    name: str
    t_s: F64
    end_s: F64
    read: ReadPictures

    @property
    def runs(self) -> list[tuple[float, float]]:
        """Start and end of each run of pictures that follow each other without a pause."""
        last = np.append(np.flatnonzero(self.end_s[:-1] < self.t_s[1:]), len(self.t_s) - 1)
        first = np.append(0, last[:-1] + 1)
        return list(zip(self.t_s[first].tolist(), self.end_s[last].tolist(), strict=True))


class Screen:
    """All stimuli of a file, in grey levels of 36 x 64 px.

    A picture stays until the next one of its stimulus; before a pause, and at the end, as long as
    most of them. Where two stimuli overlap, the picture that came last is on.

    Parameters
    ----------
    series
        ImageSeries, OpticalSeries and IndexSeries as pynwb reads them. Whole numbers are grey
        levels 0..255; fractions that reach to 1 at most are of 255.
    path
        The file, for messages.
    """

    def __init__(self, series: Sequence[Any], path: Path) -> None:
        self.stimuli = [_stimulus(one, path) for one in series]

    def is_on(self, at_s: F64) -> NDArray[np.bool_]:
        """Whether anything is shown at these times."""
        return self._places(at_s)[0] >= 0

    def video(self, at_s: F64) -> NDArray[np.uint8]:
        """(time, row, col) what is shown at rising times; black where nothing is."""
        which, place = self._places(at_s)
        video = np.zeros((len(at_s), *SCREEN_PX), np.uint8)
        for number, shown in enumerate(self.stimuli):
            on = which == number
            if on.any():
                wanted, back = np.unique(place[on], return_inverse=True)
                cuts = range(_TOGETHER, len(wanted), _TOGETHER)
                pictures = np.concatenate([shown.read(some) for some in np.split(wanted, cuts)])
                video[on] = np.nan_to_num(pictures).clip(0, 255).round()[back]
        return video

    def _places(self, at_s: F64) -> tuple[I64, I64]:
        """For each time which stimulus is on, -1 for none, and which of its pictures."""
        which, place = np.full(len(at_s), -1), np.zeros(len(at_s), np.int64)
        since_s = np.full(len(at_s), -np.inf)
        for number, shown in enumerate(self.stimuli):
            now = np.searchsorted(shown.t_s, at_s, side="right") - 1
            on = (now >= 0) & (at_s < shown.end_s[now]) & (shown.t_s[now] >= since_s)
            which[on], place[on], since_s[on] = number, now[on], shown.t_s[now[on]]
        return which, place


def _stimulus(series: Any, path: Path) -> Shown:
    read = _indexed(series, path) if is_a(series, "IndexSeries") else _frames(series, path)
    t_s = times_of(series, path)
    return Shown(str(series.name), t_s, ends_of(t_s), read)


def _indexed(series: Any, path: Path) -> ReadPictures:
    """Pictures that are kept once and shown by their number."""
    order = np.asarray(series.data[:], np.int64)
    frames = series.indexed_timeseries
    if frames is not None:
        kept, count = _frames(frames, path), len(frames.data)
    else:
        held = series.indexed_images
        images = list(held.order_of_images or held.images.values())
        kept, count = _images(images, path), len(images)
    outside = np.flatnonzero((order < 0) | (order >= count))
    if len(outside):
        got = f"number {order[outside[0]]} at sample {outside[0]}"
        raise unlike(path, f"numbers of {count} pictures in '{series.name}'", got)

    def read(places: I64) -> F32:
        wanted, back = np.unique(order[places], return_inverse=True)
        return kept(wanted)[back]

    return read


def _images(images: Sequence[Any], path: Path) -> ReadPictures:
    """Images of any sizes by their number."""
    for image in images:
        _check(image.data.shape, f"image '{image.name}'", path)
    some = [image.data for image in images[:: max(1, len(images) // _PROBED)]]
    brightness = _brightness(some)
    return lambda numbers: np.stack([_small(images[k].data[:]) * brightness for k in numbers])


def _frames(series: Any, path: Path) -> ReadPictures:
    """Frames of an ImageSeries by their number."""
    if series.external_file is not None:
        linked = ", ".join(str(name) for name in series.external_file)
        raise unlike(path, f"the pictures of '{series.name}' inside it", f"a link to {linked}")
    data = series.data
    _check(data.shape[1:], f"a frame of '{series.name}'", path)
    brightness = _brightness([data[k] for k in range(0, len(data), len(data) // _PROBED + 1)])
    return lambda numbers: np.stack([_small(one) * brightness for one in data[numbers]])


def _check(shape: Sequence[int], what: str, path: Path) -> None:
    """Sizes of one picture; colours are its last axis."""
    coloured = len(shape) == _COLOURED_RANK and shape[-1] in _COLOURS
    if not (coloured or len(shape) == len(SCREEN_PX)) or 0 in shape:
        expected = f"{what} of (row, col), (row, col, 3) or (row, col, 4)"
        raise unlike(path, expected, str(tuple(shape)))


def _brightness(some: Sequence[Any]) -> np.float32:
    """Factor to grey levels 0..255."""
    if any(np.dtype(picture.dtype).kind not in "fb" for picture in some):
        return np.float32(1)
    brightest = max(float(np.nan_to_num(picture[:]).max()) for picture in some)
    return np.float32(255 if brightest <= 1 else 1)


def _small(picture: NDArray[Any]) -> F32:
    """Without colour, and averaged over areas."""
    values = picture.astype(np.float32)
    grey = values[..., :3] @ _GREY if values.ndim == _COLOURED_RANK else values
    if grey.shape == SCREEN_PX:
        return grey
    return np.asarray(resize_local_mean(grey, SCREEN_PX))  # type: ignore[no-untyped-call]
