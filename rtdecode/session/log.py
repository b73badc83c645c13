"""Log file of a session: MCAP with one channel for each stream, and messages as on the wire.

Chunks are not compressed, because shot noise does not compress and the recorder shares its core.
A chunk ends at 64 kB, so a scan is a chunk of its own, and small messages wait in memory until
the next flush.
"""

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from mcap.writer import CompressionType, Writer

from rtdecode.schema.errors import LogRemovedError, LogWriteError, SessionExistsError

MESSAGE_ENCODING = "msgpack"
PROFILE = "rtdecode"
RECOVERY = "rtdecode.recovery"
"""Name of the metadata record that lists what a recovery could not read."""
_CHUNK_BYTES = 64 * 1024
_BUFFER_BYTES = 1024 * 1024
_UINT32 = 0xFFFF_FFFF


class LogWriter:
    """Appends messages to a new MCAP file.

    Raises
    ------
    SessionExistsError
        If the file exists already: a recording is never overwritten.
    LogWriteError
        From any method, if the disk is full or fails; nothing is dropped silently.
    LogRemovedError
        From `flush`, if the file was removed or renamed.
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
        try:
            # so that a log is valid even if the recorder is killed within its first second
            self._file.flush()
        except OSError as error:
            raise self._refused(error) from error

    def add(self, data: bytes, *, stream: str, seq: int, t_sent_ns: int, t_logged_ns: int) -> None:
        """Append one message of `stream`."""
        try:
            channel = self._channels.get(stream)
            if channel is None:
                # schema 0: messages are self-describing
                channel = self._writer.register_channel(stream, MESSAGE_ENCODING, 0)
                self._channels[stream] = channel
            self._writer.add_message(
                channel,
                log_time=t_logged_ns,
                data=data,
                # MCAP has unsigned numbers only; the message itself keeps the original values
                publish_time=max(0, t_sent_ns),
                sequence=seq & _UINT32,
            )
        except OSError as error:
            raise self._refused(error) from error

    def note(self, name: str, values: Mapping[str, str]) -> None:
        """Append a metadata record, which states something about the log as a whole."""
        try:
            self._writer.add_metadata(name, dict(values))
        except OSError as error:
            raise self._refused(error) from error

    def flush(self) -> None:
        """Pass all messages to the operating system, which writes them even after a kill.

        A removed log is an error as well: the system would accept its messages and keep none.
        """
        if not self._path.exists():
            self._abandon()
            raise LogRemovedError(log=self._path)
        try:
            self._writer.flush()  # type: ignore[no-untyped-call]
        except OSError as error:
            raise self._refused(error) from error

    def close(self) -> None:
        """Write the index and sync the file to disk; repeated calls have no effect."""
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
        """Close the file without index; the content of its buffer cannot be written."""
        try:
            self._file.close()
        except OSError:
            # the buffer cannot be written, which the caller reports as LogWriteError
            return
