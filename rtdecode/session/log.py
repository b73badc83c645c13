"""The log file of a session: MCAP, one channel a stream, the wire bytes as they came.

Uncompressed, because shot noise does not compress and the recorder shares its core. A chunk ends
at 64 kB, so a scan is a chunk of its own and small messages wait in memory until the next flush.
"""

import errno
import os
from pathlib import Path

from mcap.writer import CompressionType, Writer

from rtdecode.schema.errors import LogWriteError, SessionExistsError

MESSAGE_ENCODING = "msgpack"
PROFILE = "rtdecode"
_CHUNK_BYTES = 64 * 1024
_BUFFER_BYTES = 1024 * 1024
_UINT32 = 0xFFFF_FFFF


class LogWriter:
    """Appends messages to a new MCAP file.

    Raises
    ------
    SessionExistsError
        If the file is already there: a recording is never overwritten.
    LogWriteError
        From any method, where the disk takes no more; nothing is dropped silently.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("xb", buffering=_BUFFER_BYTES)
        except FileExistsError as error:
            raise SessionExistsError(folder=path.parent) from error
        self._writer = Writer(self._file, chunk_size=_CHUNK_BYTES, compression=CompressionType.NONE)
        self._channels: dict[str, int] = {}
        self._writer.start(profile=PROFILE)
        # so that even a log killed in its first second is one
        self._file.flush()

    def add(self, data: bytes, *, stream: str, seq: int, t_sent_ns: int, t_logged_ns: int) -> None:
        """Append one message of `stream`."""
        channel = self._channels.get(stream)
        if channel is None:
            # schema 0: the message describes itself
            channel = self._writer.register_channel(stream, MESSAGE_ENCODING, 0)
            self._channels[stream] = channel
        try:
            self._writer.add_message(
                channel,
                log_time=t_logged_ns,
                data=data,
                # The index knows only unsigned numbers; the message itself keeps the true ones.
                publish_time=max(0, t_sent_ns),
                sequence=seq & _UINT32,
            )
        except OSError as error:
            raise self._refused(error) from error

    def flush(self) -> None:
        """Give everything to the operating system, where it survives a kill of this process."""
        try:
            self._writer.flush()  # type: ignore[no-untyped-call]
        except OSError as error:
            raise self._refused(error) from error

    def close(self) -> None:
        """Write the index and wait until the disk has it all; again is harmless."""
        if self._file.closed:
            return
        try:
            self._writer.finish()  # type: ignore[no-untyped-call]
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._refused(error) from error
        self._file.close()

    def _refused(self, error: OSError) -> LogWriteError:
        self._abandon()
        return LogWriteError(log=self._path, got=os.strerror(error.errno or errno.EIO))

    def _abandon(self) -> None:
        """Close the file without its index; what lies in its buffer cannot be written any more."""
        try:
            self._file.close()
        except OSError:
            # The buffer could not be emptied, which the caller is just being told.
            return
