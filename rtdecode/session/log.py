"""Log file of a session: MCAP with one channel for each stream, and messages as on the wire.

The channel of a stream refers to the JSON Schema of its kind (`log_schema`), which is written once.

Chunks are not compressed, because shot noise does not compress and the recorder shares its core.
A chunk ends at 64 kB, so a scan is a chunk of its own, and small messages wait in memory until
the next flush.
"""

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mcap.writer import CompressionType, Writer

from rtdecode.runtime.codec import starts_as
from rtdecode.schema.errors import LogRemovedError, LogWriteError, SessionExistsError
from rtdecode.session.log_file import LogFile
from rtdecode.session.log_schema import SCHEMA_ENCODING, message_schema, schema_name

MESSAGE_ENCODING = "msgpack"
PROFILE = "rtdecode"
RECOVERY = "rtdecode.recovery"
"""Name of the metadata record that lists what a recovery could not read."""
_CHUNK_BYTES = 64 * 1024
_UINT32 = 0xFFFF_FFFF


class LogWriter:
    """Appends messages to a new MCAP file.

    Parameters
    ----------
    reserve_bytes
        Disk space that is kept for the end of the log. With one, a full disk is no error: `full`
        states it, and the log must be closed with what still belongs into it.

    Raises
    ------
    SessionExistsError
        If the file exists already: a recording is never overwritten.
    LogWriteError
        From any method, if the disk fails, or is full without a reserve; nothing is dropped
        silently. The log then ends with a whole record, without index.
    LogRemovedError
        From `flush`, if the file was removed or renamed.
    """

    def __init__(self, path: Path, *, reserve_bytes: int = 0) -> None:
        self._path = path
        try:
            self._file = LogFile(path, reserve_bytes=reserve_bytes)
        except FileExistsError as error:
            raise SessionExistsError(folder=path.parent) from error
        except OSError as error:
            raise LogWriteError(log=path, got=_reason(error)) from error
        stream: Any = self._file
        self._writer = Writer(stream, chunk_size=_CHUNK_BYTES, compression=CompressionType.NONE)
        self._channels: dict[str, int] = {}
        self._schemas: dict[str, int] = {}
        self._writer.start(profile=PROFILE)
        try:
            # so that a log is valid even if the recorder is killed within its first second
            self._file.flush()
        except OSError as error:
            raise self._refused(error) from error

    @property
    def full(self) -> str:
        """Why only the reserve is left, for example a full disk; empty while there is space."""
        return "" if self._file.error is None else _reason(self._file.error)

    @property
    def closed(self) -> bool:
        """Whether the log was closed, also because it cannot be written any more."""
        return self._file.closed

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def n_bytes(self) -> int:
        """Bytes that were written, those that wait for the next flush included."""
        return self._file.tell()

    @property
    def n_chunks(self) -> int:
        """Chunks that were written; until it is closed, the index holds about 0.8 kB for each."""
        return self._file.n_chunks

    def add(self, data: bytes, *, stream: str, seq: int, t_sent_ns: int, t_logged_ns: int) -> None:
        """Append one message of `stream`."""
        try:
            channel = self._channels.get(stream)
            if channel is None:
                schema = self._schema(stream.rpartition("/")[2], data)
                channel = self._writer.register_channel(stream, MESSAGE_ENCODING, schema)
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

    def _schema(self, kind: str, data: bytes) -> int:
        """Number of the schema of `kind`; 0, none, where `data` is not a message that it describes.

        That is so in a log of an earlier wire version that is repaired.
        """
        if not starts_as(kind, data):
            return 0
        if kind not in self._schemas:
            self._schemas[kind] = self._writer.register_schema(
                schema_name(kind), SCHEMA_ENCODING, message_schema(kind)
            )
        return self._schemas[kind]

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
        if not self._file.is_at(self._path):
            with suppress(LogWriteError):
                # a renamed log is somewhere, and gets its index
                self.close()
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
            self._file.close()
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> LogWriteError:
        self._file.abandon()
        return LogWriteError(log=self._path, got=_reason(error))


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or errno.EIO)
