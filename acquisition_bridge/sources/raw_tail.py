"""A source for growing raw files of scans of constant size: ThorImage, or any other rig."""

from collections.abc import Iterator

import numpy as np

from acquisition_bridge.sources.contract import FrameSpec
from acquisition_bridge.sources.decoded_source import DecodedSource
from acquisition_bridge.sources.intake import DecodedScan, Intake, VolumeLayout
from acquisition_bridge.sources.tail_link import TailLink
from acquisition_bridge.sources.thor_experiment import ThorExperiment, read_thor_experiment
from rtdecode.schema.config.acquisition import RawTailSource
from rtdecode.schema.errors import SettingMissingError
from rtdecode.schema.interfaces import Clock

_NS_PER_S = 1_000_000_000


class RawDecoder:
    """Extracts scans of one channel from little-endian uint16 data, stored channel by channel.

    Time stamps follow from the position in the file, because scans are often written in groups.
    """

    def __init__(self, layout: ThorExperiment, *, channel: int) -> None:
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
            pixels = np.frombuffer(bytes(self._buffer[first : first + scan_bytes]), "<u2")
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
        If the size of the scans is unknown, or ThorImage's Experiment.xml cannot be read.
    """
    layout = _layout(config)
    return DecodedSource(
        TailLink(config.path, clock=clock, idle_s=config.idle_s),
        RawDecoder(layout, channel=config.channel),
        clock=clock,
        spec=FrameSpec(
            layout.rows_px,
            layout.cols_px,
            "uint16",
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
