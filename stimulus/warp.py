"""Warp of the movie onto a flat monitor close to the eye, as a mesh for the window.

The eye looks perpendicularly at the centre of the monitor, at distance d. A point (x, y) of the
monitor displays the point of the flat movie plane, tangent to a sphere of radius d, whose distance
from the centre is the length of the arc between both: equal distances in the movie are equal visual
angles, with d radians a width of d. Parts of the movie beyond the edges of the monitor are cropped.

The formulas are those of the projections of PsychoPy's Warper (Allen Institute for Brain Science),
with which the tests compare them.
"""

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.config.monitor import MonitorConfig, Warp

_CELLS = (80, 60)
"""Columns and rows of the mesh; between its points the warp is linear within 0.1 px."""

F64 = NDArray[np.float64]


def warped(x_cm: F64, y_cm: F64, *, distance_cm: float, warp: Warp) -> tuple[F64, F64]:
    """Place in the movie that is displayed at each place of the monitor.

    Parameters
    ----------
    x_cm, y_cm
        Places in cm from the centre of the monitor, of any equal shapes.

    Returns
    -------
    (x, y) in cm from the centre of the movie as it would be without warp.
    """
    if warp is Warp.NONE:
        return x_cm, y_cm
    radius = np.sqrt(x_cm**2 + y_cm**2 + distance_cm**2)
    if warp is Warp.CYLINDRICAL:
        azimuth, elevation = np.arctan2(x_cm, distance_cm), np.arcsin(y_cm / radius)
        return distance_cm * azimuth, distance_cm * elevation
    eccentricity = np.arccos(distance_cm / radius)
    from_centre = np.hypot(x_cm, y_cm)
    # at the centre, where the quotient is 0 / 0, its limit is 1
    scale = np.where(
        from_centre > 0, distance_cm * eccentricity / np.where(from_centre > 0, from_centre, 1), 1.0
    )
    return x_cm * scale, y_cm * scale


def mesh(
    monitor: MonitorConfig | None, *, window_px: tuple[int, int], picture_px: tuple[float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The movie's picture on the window, as quadrilaterals.

    Parameters
    ----------
    monitor
        Geometry and warp; None for a window without either.
    window_px, picture_px
        (width, height) of the window, and of the picture in its centre without warp.

    Returns
    -------
    (corner, 2) places in the window from -1 to 1, x to the right and y upwards, and (corner, 2)
    places in the picture from 0 to 1, x to the right and y downwards; beyond 0 to 1 is background.
    Four successive corners are one quadrilateral.
    """
    if monitor is None or monitor.warp is Warp.NONE:
        cells, spread = (1, 1), np.divide(picture_px, window_px)
    else:
        cells, spread = _CELLS, np.ones(2)
    x, y = np.meshgrid(*(np.linspace(-s, s, n + 1) for s, n in zip(spread, cells, strict=True)))
    half = np.divide(window_px, 2)
    shown_x, shown_y = _shown(monitor, x * half[0], y * half[1], width_px=picture_px[0])
    places = np.stack([x, y], axis=-1)
    texture = np.stack([shown_x / picture_px[0] + 0.5, 0.5 - shown_y / picture_px[1]], axis=-1)
    return _quadrilaterals(places), _quadrilaterals(texture)


def _shown(
    monitor: MonitorConfig | None, x_px: F64, y_px: F64, *, width_px: float
) -> tuple[F64, F64]:
    """Places in the unwarped window in px, from its centre; the picture has `width_px`."""
    if monitor is None:
        return x_px, y_px
    px_per_cm = width_px / monitor.width_cm
    x_cm, y_cm = x_px / px_per_cm, y_px / px_per_cm
    shown_x, shown_y = warped(x_cm, y_cm, distance_cm=monitor.distance_cm, warp=monitor.warp)
    return shown_x * px_per_cm, shown_y * px_per_cm


def _quadrilaterals(grid: F64) -> NDArray[np.float32]:
    """(row, col, 2) points of a grid to the (corner, 2) corners of its cells."""
    corners = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], axis=2)
    return np.ascontiguousarray(corners.reshape(-1, 2), np.float32)
