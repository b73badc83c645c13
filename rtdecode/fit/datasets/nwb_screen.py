"""What an NWB file says was on the screen at any time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize_local_mean

from rtdecode.fit.datasets.nwb_series import is_a, times_of, unlike

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

SCREEN_PX = (36, 64)
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue (ITU-R BT.601)."""
_COLOURED_RANK, _COLOURS = 4, (3, 4)
_PROBED = 16
"""Pictures that tell whether grey levels reach to 1 or to 255."""

ReadPictures = Callable[[I64], F32]
"""(picture, row, col) grey levels 0..255 of the pictures with these numbers, which rise."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """Pictures of one stimulus: each from its time on, until the next one or `last_s`."""

    name: str
    t_s: F64
    last_s: float
    read: ReadPictures


class Screen:
    """All stimuli of a file, in grey levels of 36 x 64 px.

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
                pictures = np.stack([_shrunk(picture) for picture in shown.read(wanted)])
                video[on] = pictures.clip(0, 255).round()[back]
        return video

    def _places(self, at_s: F64) -> tuple[I64, I64]:
        """For each time which stimulus is on, -1 for none, and which of its pictures."""
        which, place = np.full(len(at_s), -1), np.zeros(len(at_s), np.int64)
        for number, shown in enumerate(self.stimuli):
            on = (at_s >= shown.t_s[0]) & (at_s < shown.last_s)
            which[on] = number
            place[on] = np.searchsorted(shown.t_s, at_s[on], side="right") - 1
        return which, place


def _stimulus(series: Any, path: Path) -> Shown:
    """Its last picture is taken to stay as long as most of them."""
    read = _indexed(series, path) if is_a(series, "IndexSeries") else _frames(series, path)
    t_s = times_of(series, path)
    step_s = float(np.median(np.diff(t_s))) if len(t_s) > 1 else 0.0
    return Shown(str(series.name), t_s, float(t_s[-1]) + step_s, read)


def _indexed(series: Any, path: Path) -> ReadPictures:
    """Pictures that are kept once and shown by their number."""
    order = np.asarray(series.data[:], np.int64)
    if series.indexed_timeseries is not None:
        kept = _frames(series.indexed_timeseries, path)
    else:
        held = series.indexed_images
        images = np.stack([image.data[:] for image in held.order_of_images or held.images.values()])
        grey = _grey(images) * _brightness(images)
        kept = grey.__getitem__

    def read(places: I64) -> F32:
        wanted, back = np.unique(order[places], return_inverse=True)
        return kept(wanted)[back]

    return read


def _frames(series: Any, path: Path) -> ReadPictures:
    """Frames of an ImageSeries by their number."""
    if series.external_file is not None:
        linked = ", ".join(str(name) for name in series.external_file)
        raise unlike(path, f"the pictures of '{series.name}' inside it", f"a link to {linked}")
    brightness = _brightness(np.asarray(series.data[:: max(1, len(series.data) // _PROBED)]))

    def read(numbers: I64) -> F32:
        first = int(numbers[0])
        together = np.asarray(series.data[first : int(numbers[-1]) + 1])
        return _grey(together[numbers - first]) * brightness

    return read


def _grey(pictures: NDArray[Any]) -> F32:
    """Without colour, where the last axis is red, green, blue (and transparency)."""
    values = pictures.astype(np.float32)
    coloured = values.ndim == _COLOURED_RANK and values.shape[-1] in _COLOURS
    return np.asarray(values[..., :3] @ _GREY if coloured else values)


def _brightness(some: NDArray[Any]) -> np.float32:
    """Factor to grey levels 0..255."""
    fractions = np.issubdtype(some.dtype, np.floating) and float(np.nanmax(some)) <= 1
    return np.float32(255 if fractions else 1)


def _shrunk(picture: F32) -> F32:
    if picture.shape == SCREEN_PX:
        return picture
    return np.asarray(resize_local_mean(picture, SCREEN_PX))  # type: ignore[no-untyped-call]
