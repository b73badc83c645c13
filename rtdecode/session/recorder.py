"""Writes every message of every stream to the log of a session, and records missing messages.

Duties: append messages with their bytes unchanged, write a `Gap` where numbers are missing, and
flush in time. It must not unpack, filter or interpret messages, and has no socket: the recorder
process passes it bytes and messages.

    recorder = Recorder(session.folder, flush_s=1.0, clock=HostClock())
    for data, received in collector.take(0.1):
        recorder.write(data, received.message, received.t_received_ns)
    report = recorder.close()
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rtdecode.runtime.codec import pack
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import End, Gap, Stamped
from rtdecode.schema.sequence_tracker import SequenceTracker
from rtdecode.session.layout import SessionLayout
from rtdecode.session.log import LogWriter

_NS_PER_S = 1_000_000_000
_CLOCK_NAME = "host"
_SOURCE = "recorder"


@dataclass(frozen=True, slots=True)
class RecorderReport:
    """Messages and losses in a log by stream, for example `bridge/scan`."""

    counts: Mapping[str, int]
    lost_by_stream: Mapping[str, int]
    """Only streams with missing messages."""

    @property
    def lost(self) -> int:
        """Messages that were sent and did not arrive."""
        return sum(self.lost_by_stream.values())


class Recorder:
    """Writer of the log of one session, from its first message to its index.

    After SIGKILL at most the messages of the last `flush_s` are lost; a power cut may also lose
    what the operating system has not yet written. Every gap in a stream is written as a `Gap` of
    the stream `recorder/gap` where it was detected.

    Parameters
    ----------
    folder
        The session folder, without a log.
    flush_s
        Seconds after which a message must have been passed to the operating system.
    on_recorded
        Receives the bytes and the message of everything that is written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        flush_s: float,
        clock: Clock,
        on_recorded: Callable[[bytes, Stamped], None] = lambda _data, _message: None,
    ) -> None:
        self._log = LogWriter(SessionLayout(folder).log)
        self._clock = clock
        self._flush_ns = round(flush_s * _NS_PER_S)
        self._flush_due_ns = clock.now_ns() + self._flush_ns
        self._tracker = SequenceTracker(detected_by=_SOURCE, first_expected=0)
        self._gaps, self._on_recorded = 0, on_recorded

    def write(self, data: bytes, message: Stamped, t_received_ns: int) -> None:
        """Append `data`, the wire bytes of `message`; flush if that is due."""
        gap = self._tracked(message)
        if gap is not None:
            self._write_gap(gap)
        self._append(data, message, t_received_ns)
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """Flush if that is due; called in every turn of the loop, also when no message arrives."""
        now_ns = self._clock.now_ns()
        if now_ns >= self._flush_due_ns:
            self._log.flush()
            self._flush_due_ns = now_ns + self._flush_ns

    def report(self) -> RecorderReport:
        """Counts so far."""
        streams = self._tracker.streams
        return RecorderReport(
            counts={name: count.messages for name, count in streams.items() if count.messages},
            lost_by_stream={name: count.lost for name, count in streams.items() if count.lost},
        )

    def close(self) -> RecorderReport:
        """Record the missing tails, write the index, close the file."""
        for gap in self._tracker.missing_tails():
            self._write_gap(gap)
        self._log.close()
        return self.report()

    def _tracked(self, message: Stamped) -> Gap | None:
        """Count `message`; the gap before it, where there is one.

        Number 0 again means a restarted sender: the recorder gets each START once.
        """
        if isinstance(message.body, End):
            for kind, last in message.body.last_seq.items():
                self._tracker.expect_last(f"{message.source}/{kind}", last)
        if message.seq == 0 and self._tracker.is_repeated(message.stream, message.seq):
            self._tracker.restart(message.stream)
        return self._tracker.add(message.stream, message.seq)

    def _write_gap(self, gap: Gap) -> None:
        now_ns = self._clock.now_ns()
        message = Stamped(_SOURCE, self._gaps, now_ns, _CLOCK_NAME, gap)
        self._gaps += 1
        self._tracker.add(message.stream, message.seq)
        self._append(pack(message), message, now_ns)

    def _append(self, data: bytes, message: Stamped, t_received_ns: int) -> None:
        self._log.add(
            data,
            stream=message.stream,
            seq=message.seq,
            t_sent_ns=message.t_ns,
            t_logged_ns=t_received_ns,
        )
        self._on_recorded(data, message)
