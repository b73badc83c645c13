"""A source for growing raw files of scans of constant size: ThorImage, or any other rig.

Size, rate and order of the scans are in the config, or in the Experiment.xml of ThorImage.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

import numpy as np

from acquisition_bridge.sources.contract import FrameSpec
from acquisition_bridge.sources.decoded_source import DecodedSource
from acquisition_bridge.sources.intake import DecodedScan, Intake, VolumeLayout
from rtdecode.schema.config.acquisition import RawTailSource
from rtdecode.schema.errors import MissingFileError, SettingMissingError, UnreadableFileError
from rtdecode.schema.file_content import content_of
from rtdecode.schema.interfaces import Clock

_NS_PER_S = 1_000_000_000
_MOST_BYTES = 1 << 24
_CHANNEL_BITS = 4
_CHUNK_BYTES = 1 << 23
_POLL_NS = 2_000_000


class TailLink:
    """All bytes of a file from its beginning, then those appended to it, in order.

    The file may be created later. A file that is replaced or truncated counts as a new connection.
    With `idle_s` the source ends when the file has not grown for that time; without, it never ends.
    """

    def __init__(self, path: Path, *, clock: Clock, idle_s: float | None) -> None:
        self._path, self._clock = path, clock
        self._idle_ns = None if idle_s is None else round(idle_s * 1e9)
        self._file: BinaryIO | None = None
        self._grown_ns: int | None = None
        self.connections = 0
        self.ended = False

    def read(self, until_ns: int) -> bytes:
        while not (data := self._chunk()) and not self.ended:
            now_ns = self._clock.now_ns()
            if now_ns >= until_ns:
                return b""
            self._clock.sleep_until(min(until_ns, now_ns + _POLL_NS))
        return data

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _chunk(self) -> bytes:
        file = self._opened()
        data = b"" if file is None else file.read(_CHUNK_BYTES)
        now_ns = self._clock.now_ns()
        if data or self._grown_ns is None:
            self._grown_ns = now_ns
        elif self._idle_ns is not None:
            self.ended = file is not None and now_ns - self._grown_ns >= self._idle_ns
        return data

    def _opened(self) -> BinaryIO | None:
        if self._file is not None and self._is_replaced(self._file):
            self.close()
        if self._file is None and self._path.is_file():
            self._file = self._path.open("rb")
            self.connections += 1
        return self._file

    def _is_replaced(self, file: BinaryIO) -> bool:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(file.fileno())
        # another file under the same name, or a file shorter than what was read
        return found.st_ino != mine.st_ino or mine.st_size < file.tell()


@dataclass(frozen=True, slots=True)
class ThorExperiment:
    """Size, rate and order of the scans; `scan_rate_hz` counts the scans of all planes."""

    rows_px: int
    cols_px: int
    scan_rate_hz: float
    planes: int
    flyback_scans: int
    channels: int


def read_thor_experiment(path: Path) -> ThorExperiment:
    """Settings in an Experiment.xml.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no file, or an entry is missing; the message names it.
    """
    if not path.is_file():
        raise MissingFileError(
            what="ThorImage header",
            path=path,
            remedy="point acquisition.source.experiment to the Experiment.xml of this recording",
        )
    try:
        return parsed_thor_experiment(path.read_bytes())
    except (ValueError, ElementTree.ParseError) as error:
        raise UnreadableFileError(
            what="ThorImage header", path=path, expected="an Experiment.xml", got=str(error)
        ) from error


def parsed_thor_experiment(content: bytes) -> ThorExperiment:
    """Settings in the bytes of an Experiment.xml; raises ValueError or ParseError."""
    if len(content) > _MOST_BYTES or b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ValueError("a file that is too large, or declares entities")
    root = ElementTree.fromstring(content)  # noqa: S314 - no entities, see above
    lsm = _section(root, "LSM")
    streaming = root.find("Streaming")
    fast_z = streaming is not None and streaming.get("zFastEnable", "0") == "1"
    averaged = _number(lsm, "averageNum") if lsm.get("averageMode", "0") == "1" else 1
    return ThorExperiment(
        rows_px=round(_number(lsm, "pixelY")),
        cols_px=round(_number(lsm, "pixelX")),
        scan_rate_hz=_number(lsm, "frameRate") / averaged,
        planes=round(_number(_section(root, "ZStage"), "steps")) if fast_z else 1,
        flyback_scans=int(streaming.get("flybackFrames", "0"))
        if fast_z and streaming is not None
        else 0,
        channels=_channels(root, lsm),
    )


def _channels(root: ElementTree.Element, lsm: ElementTree.Element) -> int:
    """Number of channels in the raw file: the enabled ones, or all four in older versions."""
    raw = root.find("RawData")
    if raw is not None and raw.get("onlyEnabledChannels") == "0":
        return _CHANNEL_BITS
    enabled = round(_number(lsm, "channel"))
    return max(1, enabled.bit_count())


def _section(root: ElementTree.Element, name: str) -> ElementTree.Element:
    found = root.find(name)
    if found is None:
        raise ValueError(f"no <{name}>")
    return found


def _number(section: ElementTree.Element, name: str) -> float:
    value = float(section.get(name, "nan"))
    if not 0 < value < _MOST_BYTES:
        raise ValueError(f"<{section.tag} {name}={section.get(name)!r}>, not a number above 0")
    return value


class RawDecoder:
    """Extracts scans of one channel from little-endian 16-bit data, stored channel by channel.

    Time stamps follow from the position in the file, because scans are often written in groups.
    """

    def __init__(self, layout: ThorExperiment, *, channel: int, dtype: str = "uint16") -> None:
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._shape = (layout.rows_px, layout.cols_px)
        self._channels, self._channel = layout.channels, channel
        self._volume = VolumeLayout(layout.planes, 1, layout.flyback_scans)
        self._period_ns = _NS_PER_S / layout.scan_rate_hz
        self._buffer = bytearray()
        self._frame = 0

    def reset(self) -> None:
        self._buffer.clear()
        self._frame = 0

    def feed(self, data: bytes) -> Iterator[DecodedScan]:
        self._buffer += data
        rows, cols = self._shape
        scan_bytes = 2 * rows * cols
        while len(self._buffer) >= scan_bytes * self._channels:
            first = scan_bytes * self._channel
            pixels = np.frombuffer(bytes(self._buffer[first : first + scan_bytes]), self._dtype)
            del self._buffer[: scan_bytes * self._channels]
            frame, self._frame = self._frame, self._frame + 1
            # flyback frames are in the file but belong to no plane
            place = self._volume.place(frame)
            if place is not None:
                stamp_ns = round(frame * self._period_ns)
                yield DecodedScan(pixels.reshape(rows, cols), place[0], place[1], stamp_ns)


def raw_tail(config: RawTailSource, clock: Clock) -> DecodedSource:
    """Open the source; the raw file may be created later.

    Raises
    ------
    SettingMissingError, MissingFileError, UnreadableFileError
        If the size of the scans is unknown, ThorImage's Experiment.xml cannot be read, or the file
        is a container whose bytes are no pixels.
    """
    layout = _layout(config)
    container = content_of(config.path) if config.path.is_file() else None
    if container is not None:
        raise UnreadableFileError(
            what="raw file",
            path=config.path,
            expected="bare 16-bit scans",
            got=f"a file in {container} format: give it to kind raw_movie or tiff_tail",
        )
    return DecodedSource(
        TailLink(config.path, clock=clock, idle_s=config.idle_s),
        RawDecoder(layout, channel=config.channel, dtype=config.dtype),
        clock=clock,
        spec=FrameSpec(
            layout.rows_px,
            layout.cols_px,
            config.dtype,
            planes=layout.planes,
            channels=layout.channels,
            scan_rate_hz=layout.scan_rate_hz,
        ),
        intake=Intake(scan_rate_hz=layout.scan_rate_hz),
    )


def _layout(config: RawTailSource) -> ThorExperiment:
    if config.experiment is not None:
        layout = read_thor_experiment(config.experiment)
    elif config.rows_px is None or config.cols_px is None or config.scan_rate_hz is None:
        raise SettingMissingError(
            setting="acquisition.source.rows_px, cols_px and scan_rate_hz",
            reason="a raw file has no header; alternatively set acquisition.source.experiment",
        )
    else:
        layout = ThorExperiment(
            config.rows_px,
            config.cols_px,
            config.scan_rate_hz,
            config.planes,
            config.flyback_scans,
            config.channels,
        )
    if config.channel >= layout.channels:
        raise SettingMissingError(
            setting=f"acquisition.source.channel below {layout.channels}",
            reason=f"channel {config.channel} (from 0) is not in the file",
        )
    return layout
