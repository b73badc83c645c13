"""Visual directions of the pixels of a frame, for stimuli in degrees."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.config.monitor import MonitorConfig
from rtdecode.schema.visual_degrees import F64, pixel_degrees


class Geometry:
    """Azimuth and altitude of each pixel, and angles between its direction and others.

    Parameters
    ----------
    azimuth_deg, altitude_deg
        (row, col) in degrees, rightward and upward positive, as `pixel_degrees` gives them.
    aspect
        Half width and half height of the flat screen, as fractions of its distance.
    """

    def __init__(self, azimuth_deg: F64, altitude_deg: F64, *, aspect: tuple[float, float]) -> None:
        self.azimuth_deg, self.altitude_deg = azimuth_deg, altitude_deg
        self._directions = _directions(azimuth_deg, altitude_deg)
        self._aspect = aspect

    @classmethod
    def of(cls, monitor: MonitorConfig, *, rows_px: int, cols_px: int) -> Self:
        """Geometry of a monitor, under its warp."""
        width_cm, distance_cm = monitor.width_cm, monitor.distance_cm
        degrees = pixel_degrees(
            rows_px, cols_px, width_cm=width_cm, distance_cm=distance_cm, warp=monitor.warp
        )
        half = width_cm / 2 / distance_cm
        return cls(*degrees, aspect=(half, half * rows_px / cols_px))

    def angle_from(self, azimuth_deg: float, altitude_deg: float) -> F64:
        """(row, col) angle in degrees between each pixel and one direction, on a great circle."""
        centre = _directions(np.asarray(azimuth_deg), np.asarray(altitude_deg))
        return np.asarray(np.degrees(np.arccos(np.clip(self._directions @ centre, -1, 1))))

    def solid_angles(self) -> F64:
        """(row, col) solid angle of each pixel as a fraction of the screen; 0 off the screen.

        A warp moves pixels of the frame off the screen. The solid angle is the area between the
        directions of neighbouring pixels.
        """
        if min(self.azimuth_deg.shape) == 1:
            return np.full(self.azimuth_deg.shape, 1 / self.azimuth_deg.size)
        down, right = np.gradient(self._directions, axis=(0, 1))
        angles = np.linalg.norm(np.cross(down, right), axis=-1) * self._on_screen()
        return np.asarray(angles / angles.sum())

    def _on_screen(self) -> NDArray[np.bool_]:
        rightward, upward, forward = np.moveaxis(self._directions, -1, 0)
        # (x, y) / z is where the direction meets the screen, at the distance 1
        inside = np.abs(rightward) <= self._aspect[0] * forward
        return np.asarray(inside & (np.abs(upward) <= self._aspect[1] * forward))


def _directions(azimuth_deg: F64, altitude_deg: F64) -> F64:
    """(…, 3) unit vectors: rightward, upward, and towards the centre of the screen."""
    azimuth, altitude = np.radians(azimuth_deg), np.radians(altitude_deg)
    forward = np.cos(altitude) * np.cos(azimuth)
    return np.stack([np.cos(altitude) * np.sin(azimuth), np.sin(altitude), forward], axis=-1)


__all__ = ["F64", "Geometry", "pixel_degrees"]
