"""The colour scales of the page for errors and uncertainty, as tables (`static/pictures.js`).

>>> error_colours()[255].tolist(), uncertainty_colours()[-1].tolist()
([14, 18, 24], [255, 234, 70])
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

FULL_ERROR, FULL_UNCERTAINTY = 96, 64
"""Grey levels at which each scale ends."""
_GREYS = 255
_NEUTRAL, _DARKER, _BRIGHTER = (14, 18, 24), (74, 158, 255), (255, 150, 50)
_ERROR_POWER = 0.8
_UNCERTAINTY = ((10, 16, 34), (62, 74, 110), (124, 123, 120), (188, 175, 108), (255, 234, 70))
_SD_STEPS = 4
"""Entries of the table of uncertainty for each grey level."""


@cache
def error_colours() -> U8:
    """(511, rgb) colour of decoded minus displayed grey level, from -255 to 255."""
    difference = np.arange(-_GREYS, _GREYS + 1)
    share = np.minimum(1, np.abs(difference) / FULL_ERROR) ** _ERROR_POWER
    ends = np.where((difference < 0)[:, None], _DARKER, _BRIGHTER)
    return _bytes(_NEUTRAL + (ends - np.array(_NEUTRAL)) * share[:, None])


@cache
def uncertainty_colours() -> U8:
    """(step, rgb) colour of standard deviations from 0 to the end of the scale."""
    share = np.linspace(0, len(_UNCERTAINTY) - 1, FULL_UNCERTAINTY * _SD_STEPS + 1)
    stops = np.array(_UNCERTAINTY, float)
    places = np.arange(len(stops))
    return _bytes(np.stack([np.interp(share, places, stops[:, one]) for one in range(3)], axis=1))


def _bytes(colours: NDArray[np.float64]) -> U8:
    return np.asarray(np.rint(colours), np.uint8)


def grey_rgb(luminance: NDArray[np.generic]) -> U8:
    """(..., rgb) grey levels as bytes, clipped to 0..255."""
    grey = np.asarray(np.clip(np.rint(luminance.astype(np.float32)), 0, _GREYS), np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def error_rgb(displayed: U8, decoded: F32) -> U8:
    """(..., rgb) decoded minus displayed: blue where it is darker, orange where brighter."""
    difference = np.rint(np.clip(decoded, 0, _GREYS) - displayed.astype(np.float32))
    return error_colours()[difference.astype(np.int64) + _GREYS]


def uncertainty_rgb(sd: F32) -> U8:
    """(..., rgb) standard deviations in grey levels."""
    step = np.rint(np.clip(sd, 0, FULL_UNCERTAINTY) * _SD_STEPS).astype(np.int64)
    return uncertainty_colours()[step]
