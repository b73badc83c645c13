"""Static and drifting gratings, of constant spatial frequency in degrees of visual angle."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.config.stimuli import DriftingGrating, StaticGrating, Wave
from stimulus.protocol.degrees import F64, Geometry

MIDDLE = 127.5
"""Grey level between black and white, around which contrast is measured."""
GREY = 128
"""Grey level of intervals, of waits, and outside a patch."""


def grating_frames(
    grating: StaticGrating | DriftingGrating,
    geometry: Geometry,
    *,
    frames: int,
    frame_rate_hz: float,
) -> Iterator[NDArray[np.uint8]]:
    """(row, col) frames of a grating.

    With orientation o, azimuth a, altitude b, spatial frequency s, temporal frequency f and phase
    p, the luminance is 127.5 (1 + contrast w(2 pi (s (a cos o + b sin o) - f t) + p)), where w is
    the sine or its sign, and t the time since the trial's first frame.
    """
    angle = np.radians(grating.orientation_deg)
    position = geometry.azimuth_deg * np.cos(angle) + geometry.altitude_deg * np.sin(angle)
    phase = 2 * np.pi * grating.spatial_cpd * position + np.radians(grating.phase_deg)
    sine, cosine = np.sin(phase), np.cos(phase)
    temporal_hz = grating.temporal_hz if isinstance(grating, DriftingGrating) else 0.0
    outside = _outside(grating, geometry)
    for frame in range(frames):
        moved = 2 * np.pi * temporal_hz * frame / frame_rate_hz
        # sin(phase - moved), without a sine for each pixel of each frame
        wave = sine * np.cos(moved) - cosine * np.sin(moved)
        if grating.wave is Wave.SQUARE:
            wave = np.where(wave >= 0, 1.0, -1.0)
        luminance = grey_levels(grating.contrast * wave)
        luminance[outside] = GREY
        yield luminance


def grey_levels(contrast: F64) -> NDArray[np.uint8]:
    """uint8 grey levels of `contrast`, -1 for black and 1 for white; clipped beyond."""
    return np.asarray(np.clip(np.rint(MIDDLE * (1 + contrast)), 0, 255), np.uint8)


def _outside(grating: StaticGrating | DriftingGrating, geometry: Geometry) -> NDArray[np.bool_]:
    """(row, col) True for pixels outside the patch."""
    if grating.size_deg is None:
        return np.zeros(geometry.azimuth_deg.shape, bool)
    angle = geometry.angle_from(grating.azimuth_deg, grating.altitude_deg)
    return np.asarray(angle > grating.size_deg / 2)
