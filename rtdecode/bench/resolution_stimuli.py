"""Displays of known spatial and temporal scale: Gaussian noise and drifting gratings."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

F32 = NDArray[np.float32]

_BLACK, _WHITE = 0.0, 255.0
MEAN, CONTRAST_SD = 127.5, 45.0
"""Mean and standard deviation in grey levels, the same in all displays."""


def gaussian_noise(
    shape: tuple[int, int, int], *, space_px: float, time_frames: float, rng: np.random.Generator
) -> F32:
    """(frame, row, col) grey levels of white noise, filtered by a Gaussian in space and time.

    Parameters
    ----------
    space_px, time_frames
        Standard deviations of the filter; 0 leaves the noise white. The correlation of two frames
        falls to 1/e within twice as many frames, and alike in space.
    """
    reach = (time_frames, space_px, space_px)
    margin = [int(np.ceil(3 * sd)) for sd in reach]
    white = rng.standard_normal([n + 2 * more for n, more in zip(shape, margin, strict=True)])
    smooth = gaussian_filter(white, reach)
    inside = tuple(slice(more, more + n) for n, more in zip(shape, margin, strict=True))
    return _scaled(smooth[inside])


def drifting_grating(
    shape: tuple[int, int, int],
    *,
    cycles_px: float,
    drift_hz: float,
    direction_deg: float,
    frame_rate_hz: float,
) -> F32:
    """(frame, row, col) grey levels of a square-wave grating that drifts in one direction."""
    frames, rows, cols = shape
    t, y, x = np.meshgrid(np.arange(frames), np.arange(rows), np.arange(cols), indexing="ij")
    angle = np.deg2rad(direction_deg)
    cycles = cycles_px * (x * np.cos(angle) + y * np.sin(angle)) - drift_hz * t / frame_rate_hz
    # keeps the edges of waves of up to 32 px between pixels
    return _scaled(np.where((cycles + 1 / 64) % 1 < 0.5, 1.0, -1.0))  # noqa: PLR2004


def _scaled(values: NDArray[np.float64]) -> F32:
    standard = (values - values.mean()) / max(float(values.std()), 1e-9)
    grey = np.clip(MEAN + CONTRAST_SD * standard, _BLACK, _WHITE)
    return np.asarray(grey, np.float32)
