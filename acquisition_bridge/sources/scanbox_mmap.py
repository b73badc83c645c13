"""A source for Scanbox, through its memory-mapped file.

The header is 16 int16 numbers: frame counter (-1: read, -2: stopped), lines, columns, TTL flags,
plane period. The image follows, uint16, inverted and column by column, as MATLAB stores it.
Scanbox replaces the image only after the reader has set the counter to -1; a jump of the counter
is a frame that the reader was too slow for. Not tested on a real rig.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from acquisition_bridge.sources.contract import FrameSpec
from acquisition_bridge.sources.decoded_source import DecodedSource
from acquisition_bridge.sources.intake import DecodedScan, Intake
from rtdecode.schema.config.acquisition import ScanboxMmapSource
from rtdecode.schema.errors import StreamError
from rtdecode.schema.interfaces import Clock

_HEADER = struct.Struct("<16h")
_TAKEN, _STOPPED = -1, -2
_COUNTER_BITS = 15
_NEAR_WRAP = (1 << _COUNTER_BITS) - (1 << _COUNTER_BITS - 4)
"""A counter that becomes smaller has wrapped around if it was beyond this, else begun anew."""
_POLL_NS = 1_000_000


class ScanboxDecoder:
    """Extracts scans from consecutive copies of header and image."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._last = self._wraps = 0

    def reset(self) -> None:
        self._buffer.clear()

    def feed(self, data: bytes) -> Iterator[DecodedScan]:
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            counter, lines, cols, _, planes, *_ = _HEADER.unpack_from(self._buffer)
            if counter < 0 or lines < 1 or cols < 1:
                raise _error(f"frame {counter} of {lines} lines x {cols} columns")
            end = _HEADER.size + 2 * lines * cols
            if len(self._buffer) < end:
                return
            stored = np.frombuffer(bytes(self._buffer[_HEADER.size : end]), "<u2")
            del self._buffer[:end]
            pixels = np.ascontiguousarray(np.invert(stored).reshape(cols, lines).T)
            yield DecodedScan(pixels, counter, self._plane(counter, planes))

    def _plane(self, counter: int, planes: int) -> int:
        """Plane of a frame; 2^15 is no multiple of most numbers of planes, so wraps count."""
        if counter < self._last:
            self._wraps = self._wraps + 1 if self._last >= _NEAR_WRAP else 0
        self._last = counter
        return ((self._wraps << _COUNTER_BITS) + counter) % planes if planes > 1 else 0


class ScanboxLink:
    """The file, mapped once it exists; each frame is copied once and marked as read."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._map: mmap.mmap | None = None
        self.connections = 0
        self.ended = False

    def read(self, until_ns: int) -> bytes:
        while not (data := self._frame()) and not self.ended:
            if self._clock.now_ns() >= until_ns:
                return b""
            self._clock.sleep_until(min(until_ns, self._clock.now_ns() + _POLL_NS))
        return data

    def close(self) -> None:
        if self._map is not None:
            self._map.close()
            self._map = None

    def _frame(self) -> bytes:
        view = self._mapped()
        if view is None:
            return b""
        counter, lines, cols, *_ = _HEADER.unpack_from(view)
        self.ended = counter == _STOPPED
        if counter < 0:
            return b""
        size = _HEADER.size + 2 * max(0, lines) * max(0, cols)
        if size > len(view):
            raise _error(f"{lines} lines x {cols} columns do not fit into its {len(view)} bytes")
        data = view[:size]
        # permits Scanbox to write the next frame
        view[:2] = struct.pack("<h", _TAKEN)
        return data

    def _mapped(self) -> mmap.mmap | None:
        if self._map is None and self._path.is_file():
            size = self._path.stat().st_size
            if size <= _HEADER.size:
                return None
            with self._path.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), size)
            self.connections += 1
        return self._map


def scanbox_mmap(config: ScanboxMmapSource, clock: Clock) -> DecodedSource:
    """Open the source; the file may be created later."""
    return DecodedSource(
        ScanboxLink(config.path, clock=clock),
        ScanboxDecoder(),
        clock=clock,
        spec=FrameSpec(None, None, "uint16", scan_rate_hz=config.scan_rate_hz),
        intake=Intake(scan_rate_hz=config.scan_rate_hz, counter_bits=_COUNTER_BITS),
    )


def _error(reason: str) -> StreamError:
    return StreamError(stream="scanbox_mmap", reason=reason)
