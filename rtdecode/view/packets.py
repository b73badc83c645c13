"""Binary packets for the browser: little-endian headers, then planes of one byte a pixel.

A picture packet is a header of 24 bytes, then the planes of displayed frame, decoded frame and
uncertainty, each rows x cols bytes: kind 1 (u8), flags (u8), rows, cols, lag in frames (u16),
frame (f64), age of the frame in ms when it was sent (f64). An activity packet is a header of 16
bytes: kind 2 (u8), 0 (u8), groups (u16), neurons (u32), frame (f64); then one byte a group.
`static/pictures.js` reads both.

A displayed frame as it happens, for browsers that ask for it, has a header of 16 bytes: kind 7
(u8), 0 (u8), rows, cols, 0 (u16), time since its flip in ms when it was sent (f64); then its plane
(`static/picture_tools.js`). Kinds 3 to 6 are those of the Microscope tab.
"""

import struct
from dataclasses import dataclass
from enum import IntFlag, StrEnum

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]

_PICTURE = struct.Struct("<BBHHhdd")
_ACTIVITY = struct.Struct("<BBHId")
_PRESENT = struct.Struct("<BBHHHd")
_MOST_LAG = 2**15 - 1


class Slot(StrEnum):
    """Kind of a packet; in a queue a newer packet replaces the older one of its kind."""

    PICTURE = "picture"
    ACTIVITY = "activity"
    PRESENT = "present"


class Flag(IntFlag):
    """Planes that a picture packet holds, and properties of its reconstruction."""

    DISPLAYED = 1
    DECODED = 2
    WARM = 4
    LATE = 8
    UNCERTAINTY = 16


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """One binary message to a browser."""

    slot: Slot
    frame: int
    data: bytes


def picture_packet(
    frame: int,
    *,
    planes: tuple[Plane, Plane, Plane],
    flags: Flag,
    lag_frames: int,
    age_ms: float,
) -> Packet:
    """Displayed frame, reconstruction and uncertainty of one grid frame, each (row, col) uint8."""
    rows, cols = planes[0].shape
    lag_frames = max(-_MOST_LAG, min(lag_frames, _MOST_LAG))
    header = _PICTURE.pack(1, flags, rows, cols, lag_frames, frame, age_ms)
    data = b"".join((header, *(plane.tobytes() for plane in planes)))
    return Packet(Slot.PICTURE, frame, data)


def activity_packet(frame: int, *, groups: Plane, neurons: int) -> Packet:
    """One column of the activity strip: (group,) uint8, of `neurons` neurons in all."""
    header = _ACTIVITY.pack(2, 0, groups.size, neurons, frame)
    return Packet(Slot.ACTIVITY, frame, header + groups.tobytes())


def grey_plane(luminance: NDArray[np.floating]) -> Plane:
    """Grey levels as bytes, rounded and clipped to 0..255."""
    return np.asarray(np.clip(np.rint(luminance), 0, 255), np.uint8)


_GROUPS = 96
_DECAY = 0.998
"""Factor of the maximum for each frame, so that one burst does not darken the strip for long."""
_TINY = 1e-9


def present_packet(luminance: Plane, *, age_ms: float) -> Packet:
    """The newest displayed frame, (row, col) uint8, whatever the decoded moment is."""
    rows, cols = luminance.shape
    return Packet(Slot.PRESENT, 0, _PRESENT.pack(7, 0, rows, cols, 0, age_ms) + luminance.tobytes())


class ActivityStrip:
    """Scales the mean activity of groups of neurons to bytes, by a decaying maximum."""

    def __init__(self) -> None:
        self._maximum = 0.0

    def column(self, activity: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """(group,) uint8: 255 sqrt(mean activity / maximum); 0 without valid neurons."""
        groups = min(_GROUPS, activity.size)
        if not groups:
            return np.zeros(0, np.uint8)
        starts = np.linspace(0, activity.size, groups, endpoint=False).astype(int)
        measured = np.add.reduceat(valid.astype(np.float64), starts)
        mean = np.add.reduceat(np.where(valid, activity, 0.0), starts) / np.maximum(measured, 1)
        self._maximum = max(self._maximum * _DECAY, float(mean.max()), _TINY)
        return np.asarray(255 * np.sqrt(np.clip(mean / self._maximum, 0, 1)), np.uint8)
