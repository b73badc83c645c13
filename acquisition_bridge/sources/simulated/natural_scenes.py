"""Scenes with the statistics of nature, on which a mouse's working points are set."""

import numpy as np
from numpy.typing import NDArray

_TEXTURE_PX = 256
_JUMP_CHANCE = 0.02


def natural_scenes(
    rng: np.random.Generator, frames: int, *, rows_px: int, cols_px: int
) -> NDArray[np.uint8]:
    """(frame, row, col) uint8 video at 30 Hz: 1/f textures under a wandering gaze.

    Amplitude falls about as 1/f in space (Field 1987, J. Opt. Soc. Am. A); texture,
    contrast and mean luminance change every 2 s.
    """
    video = np.empty((frames, rows_px, cols_px), np.uint8)
    for first in range(0, frames, 60):
        texture = _pink_texture(rng, max(_TEXTURE_PX, 2 * rows_px, 2 * cols_px))
        contrast, mean = rng.uniform(25, 75), rng.uniform(70, 150)
        path = _gaze_path(rng, 60)
        for frame, (row, col) in enumerate(path[: frames - first], start=first):
            view = np.roll(texture, (-row, -col), (0, 1))[:rows_px, :cols_px]
            video[frame] = np.clip(mean + contrast * view, 0, 255)
    return video


def _pink_texture(rng: np.random.Generator, side: int) -> NDArray[np.float64]:
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = np.inf
    # steeper than 1 because a screen pixel is a blurred sample of the scene
    texture: NDArray[np.float64] = np.fft.irfft2(
        np.fft.rfft2(rng.normal(size=(side, side))) / frequency**1.3, (side, side)
    )
    texture /= texture.std()
    return texture


def _gaze_path(rng: np.random.Generator, frames: int) -> NDArray[np.int64]:
    """(frame, 2) position in pixels: a smooth drift with few jumps."""
    speed = rng.normal(0, 0.5, 2) + rng.normal(0, 0.1, (frames, 2))
    jumps = (rng.random((frames, 1)) < _JUMP_CHANCE) * rng.normal(0, 15, (frames, 2))
    return np.cumsum(speed + jumps, 0).round().astype(np.int64)
