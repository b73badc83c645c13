"""Binary packets of the Microscope tab: little-endian headers, then arrays in their own type.

Each begins with its kind and a second byte. Arrays of 8-byte numbers begin at multiples of 8 and
are followed by those of 4 bytes, so that a browser reads all of them in place. Times are seconds of
HostNs.

* 3, plane: picture of the field of view. rows, cols, bin in px (u16); number (i64), time (f64),
  counts of black and of white (f32); rows x cols bytes.
* 4, 0: activity. columns (u16), neurons (u32), frame rate in Hz (f64), activity of byte 255 (f32),
  1 if earlier columns are void (u32); a frame (f64) for each column, then columns x neurons bytes:
  0 without a measurement, else 1 + 254 √(activity / largest).
* 4, 1: traces. count (u16), 0 (u32); for each one neuron (u32), signal (u8: 0 activity in twin
  units, 1 fluorescence), plane (u8), 0 (u16), n (u32), 1 if its earlier samples are void (u32), n
  times (f64), n values (f32), and 4 bytes more where n is odd.
* 5, 0: behaviour; 5, 1: registration shift. 1 if earlier samples are void (u16), n (u32); n times
  (f64), then n each of running in cm/s and pupil diameter in px, or of row and column shift in px
  and plane (f32).
* 6, 0: neurons of a plane. plane, rows, cols (u16); first neuron, neurons, pixels (u32), 1 where
  the pixels are dots at preferred places on a screen of rows x cols (u32); neurons + 1 indices of
  first pixels, then the pixels (i32).
* 6, 1: order of the raster. by what, as `OrderedBy` (u16), neurons (u32), then their indices (u32).

`static/microscope_packets.js` reads them.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.microscope import FieldOfView, PlaneNeurons

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_FIELD = struct.Struct("<BBHHHqdff")
_ACTIVITY = struct.Struct("<BBHIdfI")
_TRACES, _TRACE = struct.Struct("<BBHI"), struct.Struct("<IBBHII")
_SAMPLES = struct.Struct("<BBHI")
_NEURONS = struct.Struct("<BBHHHIIII")
_ORDER = struct.Struct("<BBHI")
_NS_PER_S = 1e9
_ALIGNMENT = 8
_SCREEN = (180, 320)
_MOST_PLANE = 255


class Signal(IntEnum):
    """What a trace is of."""

    ACTIVITY = 0
    FLUORESCENCE = 1


class Samples(IntEnum):
    """What samples of kind 5 are of."""

    BEHAVIOUR = 0
    SHIFT = 1


class OrderedBy(IntEnum):
    """By what the neurons of the raster are sorted."""

    SOURCE = 0
    """The order in which the source sends them."""
    ROI = 1
    """The row of the ROI in its field of view, planes one after the other."""
    PLACE = 2
    """The horizontal place of the receptive field, by the twin's readout."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """New samples of one signal of one neuron."""

    neuron: int
    signal: Signal
    plane: int
    t_s: F64
    values: F32
    """NaN where there is no measurement."""
    restarts: bool
    """Whether earlier samples are void."""


def field_packet(body: FieldOfView) -> bytes:
    """The picture of one plane."""
    rows, cols = body.picture.shape
    header = _FIELD.pack(
        3, min(body.plane, _MOST_PLANE), rows, cols, min(body.bin_px, 2**16 - 1), body.number,
        body.t_scan_ns / _NS_PER_S, body.low_counts, body.high_counts,
    )  # fmt: skip
    return header + body.picture.tobytes()


def activity_columns_packet(
    frames: F64, activity: F32, *, rate_hz: float, largest: float, restarts: bool
) -> bytes:
    """Activity of all neurons, (frame, neuron) with NaN where there is no measurement."""
    columns, neurons = activity.shape
    scaled = np.sqrt(np.clip(activity * np.float32(1 / largest), 0, 1))
    levels = np.where(np.isnan(scaled), 0, 1 + 254 * np.nan_to_num(scaled)).astype(np.uint8)
    header = _ACTIVITY.pack(4, 0, columns, neurons, rate_hz, largest, restarts)
    return header + frames.astype("<f8").tobytes() + levels.tobytes()


def traces_packet(traces: Sequence[Trace]) -> bytes:
    """New samples of the chosen traces."""
    parts = [_TRACES.pack(4, 1, len(traces), 0)]
    for one in traces:
        n = len(one.t_s)
        plane = min(one.plane, _MOST_PLANE)
        parts.append(_TRACE.pack(one.neuron, one.signal, plane, 0, n, one.restarts))
        parts += [_bytes(one.t_s, "<f8"), _bytes(one.values, "<f4")]
        parts.append(b"\0" * (-4 * n % _ALIGNMENT))
    return b"".join(parts)


def samples_packet(what: Samples, t_s: F64, values: F32, *, restarts: bool) -> bytes:
    """Samples (sample, quantity), each quantity in one piece."""
    header = _SAMPLES.pack(5, what, restarts, len(t_s))
    return header + _bytes(t_s, "<f8") + _bytes(values.T, "<f4")


def neurons_packet(body: PlaneNeurons) -> bytes:
    """ROIs of the neurons of one plane; without ROIs a dot at each preferred place."""
    rows, cols = body.rows_px, body.cols_px
    indptr, pixels = body.indptr, body.roi_pixels
    on_screen = not rows and bool(body.place_x.size)
    if on_screen:
        (rows, cols), (indptr, pixels) = _SCREEN, _dots(body)
    header = _NEURONS.pack(
        6, 0, body.plane, rows, cols, body.first_neuron, len(indptr) - 1, len(pixels), on_screen
    )
    return header + _bytes(indptr, "<i4") + _bytes(pixels, "<i4")


def _dots(body: PlaneNeurons) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Index of the first pixel of each neuron, and the pixels of a 3 x 3 dot at its place."""
    rows, cols = _SCREEN
    row = np.rint((np.clip(body.place_y, -1, 1) + 1) / 2 * (rows - 3)).astype(np.int32) + 1
    col = np.rint((np.clip(body.place_x, -1, 1) + 1) / 2 * (cols - 3)).astype(np.int32) + 1
    steps = (np.arange(-1, 2)[:, None] * cols + np.arange(-1, 2)).ravel().astype(np.int32)
    pixels = ((row * cols + col)[:, None] + steps).ravel().astype(np.int32)
    return np.arange(len(row) + 1, dtype=np.int32) * steps.size, pixels


def order_packet(order: NDArray[np.intp], by: OrderedBy) -> bytes:
    """Neurons from the top of the raster to its bottom."""
    return _ORDER.pack(6, 1, by, len(order)) + _bytes(order, "<u4")


def _bytes(array: NDArray[Any], dtype: str) -> bytes:
    return np.ascontiguousarray(array, dtype).tobytes()
