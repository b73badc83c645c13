"""PrairieView's raw sample stream (`-srd`), relayed by a helper on the rig's computer.

Samples are little-endian uint16 without any framing: line by line, `samples_per_pixel` for each
pixel, channels interleaved sample by sample, an offset of 8192 counts; in resonant mode every
second line is reversed. The stream has no counter, so scans that the rig drops cannot be detected:
use `-srd true N` with N > 0, with which the stream stops instead of skipping. Not tested on a real
rig.
"""

import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np

from acquisition_bridge.sources.contract import FrameSpec, Pixels
from acquisition_bridge.sources.decoded_source import DecodedSource
from acquisition_bridge.sources.intake import DecodedScan, Intake
from acquisition_bridge.sources.tcp_link import TcpLink
from rtdecode.schema.config.acquisition import PrairieRawSource
from rtdecode.schema.errors import SettingMissingError, StreamError
from rtdecode.schema.interfaces import Clock

_SEPARATOR, _END = "\x01", b"\r\n"
_ANSWER_S = 5.0
_MOST_BYTES = 1 << 20


def encoded(arguments: Sequence[str]) -> bytes:
    """Bytes of one command; raises StreamError for arguments that contain a separator."""
    for argument in arguments:
        if not argument.isascii() or not argument.isprintable() or not argument:
            raise _error(f"{argument!r:.80} cannot be an argument")
    return _SEPARATOR.join(arguments).encode() + _END


def answer(data: bytes) -> list[str] | None:
    """Lines between ACK and DONE, None while they are incomplete; raises StreamError."""
    whole = data[: data.rfind(_END) + len(_END)] if _END in data else b""
    lines = whole.decode("utf-8", "replace").split("\r\n")[:-1]
    if lines and lines[0] != "ACK":
        raise _error(f"it answered {lines[0]!r:.80} instead of ACK")
    refused = next((line for line in lines if line.upper().startswith("ERROR")), None)
    if refused is not None:
        raise _error(f"it refused the command: {refused:.200}")
    return lines[1 : lines.index("DONE")] if "DONE" in lines else None


class PrairieControl:
    """A control connection that sends one command at a time and waits for its answer."""

    def __init__(self, host: str, port: int) -> None:
        try:
            self._socket = socket.create_connection((host, port), _ANSWER_S)
        except OSError as error:
            raise _error(f"no connection to {host}:{port} ({error})") from error

    def command(self, *arguments: str) -> list[str]:
        """Lines of the answer to a command; raises StreamError if it is refused."""
        self._socket.sendall(encoded(arguments))
        data = b""
        while (lines := answer(data)) is None:
            data += self._received()
            if len(data) > _MOST_BYTES:
                raise _error("its answer does not end")
        return lines

    def close(self) -> None:
        """Send the exit command, which PrairieView expects, and disconnect."""
        with suppress(OSError):
            self._socket.sendall(encoded(["-x"]))
        self._socket.close()

    def _received(self) -> bytes:
        try:
            data = self._socket.recv(1 << 16)
        except TimeoutError as error:
            raise _error(f"no answer within {_ANSWER_S:g} s") from error
        if not data:
            raise _error("it closed the connection")
        return data


class PrairieSwitch:
    """Requests raw samples of PrairieView, which buffers `buffered_frames` for a slow reader.

    With 0 buffered frames PrairieView would keep the newest frame and drop the others unreported.
    """

    def __init__(self, host: str, port: int, *, buffered_frames: int) -> None:
        self._address = (host, port)
        self._buffered_frames = buffered_frames
        self._control: PrairieControl | None = None

    def turn_on(self) -> None:
        """Connect and start the stream; raises StreamError."""
        self._control = PrairieControl(*self._address)
        self._control.command("-srd", "True", str(self._buffered_frames))

    def turn_off(self) -> None:
        """Stop the stream and disconnect."""
        if self._control is not None:
            with suppress(StreamError, OSError):
                self._control.command("-srd", "False")
            self._control.close()
            self._control = None


def _error(reason: str) -> StreamError:
    return StreamError(stream="prairie_raw (its control)", reason=reason)


_NS_PER_S = 1_000_000_000


class PrairieDecoder:
    """Converts samples to scans of one channel: int16 counts, their mean minus the offset."""

    def __init__(self, config: PrairieRawSource) -> None:
        self._config = config
        self._shape = (config.rows_px, config.cols_px, config.samples_per_pixel, config.channels)
        self._bytes = 2 * int(np.prod(self._shape))
        self._buffer = bytearray()
        self._frame = 0

    def reset(self) -> None:
        self._buffer.clear()
        self._frame = 0

    def feed(self, data: bytes) -> Iterator[DecodedScan]:
        self._buffer += data
        while len(self._buffer) >= self._bytes:
            samples = np.frombuffer(bytes(self._buffer[: self._bytes]), "<u2")
            del self._buffer[: self._bytes]
            frame, self._frame = self._frame, self._frame + 1
            stamp_ns = round(frame * _NS_PER_S / self._config.scan_rate_hz)
            yield DecodedScan(self._pixels(samples.reshape(self._shape)), frame, 0, stamp_ns)

    def _pixels(self, samples: Pixels) -> Pixels:
        config = self._config
        mean = samples[..., config.channel].mean(2, dtype=np.float32) - config.offset_counts
        if config.resonant:
            # the resonant mirror scans odd lines from right to left
            mean[1::2] = mean[1::2, ::-1]
        limit = np.iinfo(np.int16)
        counts: Pixels = np.clip(np.rint(mean), limit.min, limit.max).astype(np.int16)
        return counts


def prairie_raw(config: PrairieRawSource, clock: Clock) -> DecodedSource:
    """Open the source; the helper may connect later.

    Raises
    ------
    AddressInUseError, SettingMissingError
        If the port is taken, or the channel is not in the stream.
    """
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
