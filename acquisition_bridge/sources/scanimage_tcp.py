"""A source for ScanImage with a TCP streaming module: messages of (code, length) and a body.

Both numbers are little-endian int64. Codes: 10 start of an acquisition, metadata as JSON; 20 header
of a frame as JSON (number, time stamp, width, height); 30 its pixels, int16, column by column as
MATLAB stores them; 40 end of the acquisition; -1 end of the connection. The format follows a
description of such modules; it has not been tested on a real rig.
"""

import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from acquisition_bridge.sources.contract import FrameSpec
from acquisition_bridge.sources.decoded_source import DecodedSource
from acquisition_bridge.sources.intake import DecodedScan, Intake, VolumeLayout
from acquisition_bridge.sources.tcp_link import TcpLink
from rtdecode.schema.config.acquisition import ScanImageTcpSource
from rtdecode.schema.errors import StreamError
from rtdecode.schema.interfaces import Clock

_HEAD = struct.Struct("<qq")
_METADATA, _FRAME, _PIXELS, _END, _LEAVE = 10, 20, 30, 40, -1
_MOST_BYTES = {
    _METADATA: 1 << 20,
    _FRAME: 1 << 16,
    _PIXELS: 1 << 25,
    _END: 1 << 16,
    _LEAVE: 1 << 16,
}
_MOST_PIXELS = 4096
_NS_PER_S = 1_000_000_000
_LONGEST_S = 1e9


class ScanImageDecoder:
    """Extracts scans from the bytes of the stream; the format is described above."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._layout = VolumeLayout()
        self._running = True
        self._restarted = False
        self._frame: dict[str, Any] | None = None

    def reset(self) -> None:
        self._buffer.clear()
        self._frame = None
        self._running = True

    def feed(self, data: bytes) -> Iterator[DecodedScan]:
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            code, length = _HEAD.unpack_from(self._buffer)
            if not 0 <= length <= _MOST_BYTES.get(code, -1):
                raise _error(f"code {code} with {length} bytes is no message of the protocol")
            end = _HEAD.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_HEAD.size : end])
            del self._buffer[:end]
            scan = self._message(code, body)
            if scan is not None:
                yield scan

    def _message(self, code: int, body: bytes) -> DecodedScan | None:
        if code == _PIXELS:
            return self._scan(body)
        if code == _METADATA:
            self._begin(_json(body))
        elif code == _FRAME:
            self._frame = _json(body)
        elif code == _END:
            self._running = False
        return None

    def _begin(self, metadata: dict[str, Any]) -> None:
        if metadata.get("channels_data_type", "int16") != "int16":
            raise _error(f"pixels of type {metadata['channels_data_type']!r:.40}, not int16")
        slices = _count(metadata, "stack_num_slices", default=1)
        per_slice = _count(metadata, "stack_num_frames_per_slice", default=1)
        in_volume = _count(metadata, "stack_num_frames_per_volume", default=slices * per_slice)
        if metadata.get("acquisition_mode") == "focus":
            slices = per_slice = in_volume = 1
        flyback = max(0, in_volume - slices * per_slice)
        self._layout = VolumeLayout(slices, per_slice, flyback)
        self._running = self._restarted = True

    def _scan(self, body: bytes) -> DecodedScan | None:
        frame, self._frame = self._frame, None
        if frame is None:
            raise _error("pixels without a frame header before them")
        rows = _count(frame, "frame_height", "height", most=_MOST_PIXELS)
        cols = _count(frame, "frame_width", "width", most=_MOST_PIXELS)
        number = _count(frame, "frame_number", "number", most=1 << 62)
        stamp_s = _stamp_s(frame)
        if len(body) != 2 * rows * cols:
            raise _error(f"{len(body)} bytes of pixels for a frame of {rows} x {cols}")
        place = self._layout.place(number - 1)
        if not self._running or place is None:
            return None
        counter_restarted, self._restarted = self._restarted, False
        # MATLAB stores images in column order, which numpy reads as rows
        pixels = np.ascontiguousarray(np.frombuffer(body, "<i2").reshape(cols, rows).T)
        stamp_ns = None if stamp_s is None else round(stamp_s * _NS_PER_S)
        return DecodedScan(pixels, place[0], place[1], stamp_ns, counter_restarted)


def scanimage_tcp(config: ScanImageTcpSource, clock: Clock) -> DecodedSource:
    """Open the source; the rig may connect later. Raises AddressInUseError if the port is taken."""
    return DecodedSource(
        TcpLink(config.host, config.port, side=config.side, clock=clock),
        ScanImageDecoder(),
        clock=clock,
        spec=FrameSpec(None, None, "int16", scan_rate_hz=config.scan_rate_hz),
        intake=Intake(scan_rate_hz=config.scan_rate_hz),
    )


def _json(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _error(f"a header that is no JSON ({error})") from error
    if not isinstance(content, dict):
        raise _error(f"a header that is {type(content).__name__}, not a map")
    return content


def _count(
    content: dict[str, Any], *names: str, default: int | None = None, most: int = 1 << 16
) -> int:
    value = next((content[name] for name in names if name in content), default)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not 1 <= value <= most:
        raise _error(f"{names[0]} is {value!r:.40}, not a number from 1 to {most}")
    return value


def _stamp_s(frame: dict[str, Any]) -> float | None:
    names = ("last_frame_time_stamp", "frame_timestamp", "timestamp")
    value = next((frame[name] for name in names if name in frame), None)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value < _LONGEST_S:
        raise _error(f"time stamp {value!r:.40} is no time in seconds")
    return float(value)


def _error(reason: str) -> StreamError:
    return StreamError(stream="scanimage_tcp", reason=reason)
