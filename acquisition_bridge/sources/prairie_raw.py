"""PrairieView's raw sample stream (`-srd`), sent on by a helper on the rig's computer.

Samples are little-endian uint16 without any framing: line by line, `samples_per_pixel` for each
pixel, channels interleaved sample by sample, an offset of 8192 counts; in resonant mode every
second line runs backwards. A scan may begin and end anywhere in what is read. The stream has no
counter: what the rig drops does not show here, so use `-srd true N` with N > 0 (the stream then
stops instead of skipping). Not tried on a real rig.
"""

from collections.abc import Iterator

import numpy as np

from acquisition_bridge.sources.contract import FrameSpec
from acquisition_bridge.sources.decoded_source import DecodedSource
from acquisition_bridge.sources.intake import DecodedScan, Intake
from acquisition_bridge.sources.prairie_control import PrairieSwitch
from acquisition_bridge.sources.scan_pixels import Pixels
from acquisition_bridge.sources.tcp_link import TcpLink
from rtdecode.schema.config.acquisition import PrairieRawSource
from rtdecode.schema.errors import SettingMissingError
from rtdecode.schema.interfaces import Clock

_NS_PER_S = 1_000_000_000


class PrairieDecoder:
    """Samples to scans of one channel, int16 counts above the offset."""

    def __init__(self, config: PrairieRawSource) -> None:
        self._config = config
        self._shape = (config.rows_px, config.cols_px, config.samples_per_pixel, config.channels)
        self._bytes = 2 * int(np.prod(self._shape))
        self._rest = bytearray()
        self._frame = 0

    def reset(self) -> None:
        self._rest.clear()
        self._frame = 0

    def feed(self, data: bytes) -> Iterator[DecodedScan]:
        self._rest += data
        while len(self._rest) >= self._bytes:
            samples = np.frombuffer(bytes(self._rest[: self._bytes]), "<u2")
            del self._rest[: self._bytes]
            frame, self._frame = self._frame, self._frame + 1
            stamp_ns = round(frame * _NS_PER_S / self._config.scan_rate_hz)
            yield DecodedScan(self._pixels(samples.reshape(self._shape)), frame, 0, stamp_ns)

    def _pixels(self, samples: Pixels) -> Pixels:
        config = self._config
        mean = samples[..., config.channel].mean(2, dtype=np.float32) - config.offset_counts
        if config.resonant:
            mean[1::2] = mean[1::2, ::-1]
        limit = np.iinfo(np.int16)
        counts: Pixels = np.clip(np.rint(mean), limit.min, limit.max).astype(np.int16)
        return counts


def prairie_raw(config: PrairieRawSource, clock: Clock) -> DecodedSource:
    """Open the source; the helper may come later. Raises AddressInUseError, SettingMissingError."""
    if config.channel >= config.channels:
        raise SettingMissingError(
            setting=f"acquisition.source.channel below {config.channels}",
            reason=f"channel {config.channel} (from 0) is not in the stream",
        )
    return DecodedSource(
        TcpLink(config.host, config.port, side=config.side, clock=clock),
        PrairieDecoder(config),
        clock=clock,
        spec=FrameSpec(
            config.rows_px,
            config.cols_px,
            "int16",
            channels=config.channels,
            scan_rate_hz=config.scan_rate_hz,
        ),
        intake=Intake(scan_rate_hz=config.scan_rate_hz),
        switch=_switch(config),
    )


def _switch(config: PrairieRawSource) -> PrairieSwitch | None:
    if config.control_port is None:
        return None
    return PrairieSwitch(config.host, config.control_port, buffered_frames=config.buffered_frames)
