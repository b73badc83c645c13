"""Visual angles of the pixels of a frame, for protocols in degrees and for their checks."""

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.config.monitor import Warp

F64 = NDArray[np.float64]


def pixel_degrees(
    rows_px: int,
    cols_px: int,
    *,
    width_cm: float,
    distance_cm: float,
    warp: Warp = Warp.NONE,
) -> tuple[F64, F64]:
    """Azimuth and altitude of each pixel's centre, as the monitor displays it.

    The eye looks perpendicularly at the centre of a flat screen, over whose whole width the frame
    extends; pixels are square. With x rightward and y upward in cm from the centre, and d the
    distance, azimuth = atan(x / d) and altitude = atan(y / sqrt(x^2 + d^2)): spherical coordinates
    with a vertical axis, as in Marshel et al. 2011, Neuron.

    Under the cylindrical warp azimuth = x / d and altitude = y / d in radians; under the spherical
    one sqrt(x^2 + y^2) / d is the angle from the centre of the screen.

    Returns
    -------
    azimuth_deg, altitude_deg
        (row, col) each, in degrees; rightward and upward are positive.

    Examples
    --------
    >>> azimuth, altitude = pixel_degrees(2, 2, width_cm=40.0, distance_cm=10.0)
    >>> azimuth[0].tolist(), altitude[:, 0].round(2).tolist()
    ([-45.0, 45.0], [35.26, -35.26])
    """
    pitch = width_cm / cols_px / distance_cm
    x = np.broadcast_to((np.arange(cols_px) - (cols_px - 1) / 2) * pitch, (rows_px, cols_px))
    y = np.broadcast_to(((rows_px - 1) / 2 - np.arange(rows_px))[:, None] * pitch, x.shape)
    if warp is Warp.NONE:
        return np.degrees(np.arctan(x)), np.degrees(np.arctan2(y, np.hypot(x, 1)))
    if warp is Warp.CYLINDRICAL:
        return np.degrees(x), np.degrees(y)
    eccentricity = np.hypot(x, y)
    # sin(e) / e, which is 1 in the centre; numpy's sinc is that of pi times its argument
    scale = np.sinc(eccentricity / np.pi)
    azimuth = np.arctan2(scale * x, np.cos(eccentricity))
    return np.degrees(azimuth), np.degrees(np.arcsin(np.clip(scale * y, -1, 1)))
