"""Writes every message of every stream to the log of a session, and records missing messages.

Duties: append messages with their bytes unchanged, write a `Gap` where numbers are missing and an
`Event` where something concerns the log itself, flush in time, and close the log with its index,
also on a full disk. It must not unpack or interpret messages, and has no socket: the recorder
process passes it bytes and messages.

    recorder = Recorder(session.folder, flush_s=1.0, clock=HostClock())
    for data, received in collector.take(0.1):
        recorder.write(data, received.message, received.t_received_ns)
    report = recorder.close()
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rtdecode.runtime.codec import pack
from rtdecode.runtime.plausible import AHEAD_NS, MOST_LOST
from rtdecode.schema.disk import free_mb, mount_point
from rtdecode.schema.errors import LogFullError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import BODIES, End, Event, Gap, Stamped, Start
from rtdecode.schema.sequence_tracker import SequenceTracker
from rtdecode.session.layout import SessionLayout
from rtdecode.session.log_parts import SPLIT_MB, LogParts
from rtdecode.session.unsent_tails import UnsentTails

_NS_PER_S, _BYTES_PER_MB = 1_000_000_000, 1_000_000
_CLOCK_NAME = "host"
_SOURCE = "recorder"
_RESERVE_BYTES = 4 * 1024 * 1024
MOST_STREAMS = 1000
"""Streams of one log; a run has about fifty, and MCAP numbers its channels with 16 bits."""
_LONGEST_SOURCE = 200
"""Characters of the name of a source."""
DISK_FULL = "disk_full"
_KINDS = frozenset(body.kind for body in BODIES)
IGNORED = {
    "stream_refused": f"messages of more than {MOST_STREAMS} streams, or of a source with a name "
    f"of more than {_LONGEST_SOURCE} characters, were not recorded",
    "number_implausible": "messages whose number, or whose START or END, cannot be genuine were "
    "recorded, and their numbers were ignored",
}
"""Text of the events that count what the recorder did not accept, by code."""


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
    split_mb
        Size in MB at which the log goes on in a further file.
    on_recorded
        Receives the bytes and the message of everything that is written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        flush_s: float,
        clock: Clock,
        split_mb: float = SPLIT_MB,
        on_recorded: Callable[[bytes, Stamped], None] = lambda _data, _message: None,
    ) -> None:
        self._path = SessionLayout(folder).log
        self._log = LogParts(
            self._path,
            name=f"{folder.resolve().name}, {clock.now_ns()}",
            part_bytes=split_mb * _BYTES_PER_MB,
            reserve_bytes=_RESERVE_BYTES,
        )
        self._clock = clock
        # twice as often as promised: a message has been on its way before it is written here
        self._flush_ns = round(flush_s * _NS_PER_S / 2)
        self._flush_due_ns = clock.now_ns() + self._flush_ns
        self._tracker = SequenceTracker(detected_by=_SOURCE, first_expected=0)
        self._unsent = UnsentTails(detected_by=_SOURCE)
        self._on_recorded = on_recorded
        self._started_ns: dict[str, int] = {}
        """When each source that has sent START last did so."""
        self._restarted: set[str] = set()
        """Sources that have sent START more than once."""
        self._sources: set[str] = set()
        self._own: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._ignored: Counter[str] = Counter()
        self._first_ns: int | None = None
        self._last_ns = 0

    def write(self, data: bytes, message: Stamped, t_received_ns: int) -> None:
        """Append `data`, the wire bytes of `message`; flush if that is due.

        Raises
        ------
        LogFullError
            If the disk is full. The message is in the log, and `close` writes event and index.
        LogWriteError, LogRemovedError
            If the log cannot be written any more, or is not at its place.
        """
        if not self._has_room(message):
            self._ignored["stream_refused"] += 1
            return
        gap = self._tracked(message)
        if gap is not None:
            self._write_own(gap)
        self._append(data, message, t_received_ns)
        self._last_ns = t_received_ns
        if self._first_ns is None:
            self._first_ns = t_received_ns
        self._require_space()
        self.flush_if_due()

    def event(self, event: Event) -> bool:
        """Append an event of the recorder itself; True, as it always can."""
        self._write_own(event)
        return True

    def flush_if_due(self) -> None:
        """Flush if that is due; called in every turn of the loop, also when no message arrives."""
        if self._clock.now_ns() >= self._flush_due_ns:
            self.flush()

    def flush(self) -> None:
        """Pass all messages to the operating system."""
        self._report_ignored()
        for gap in self._unsent.settled():
            self._write_own(gap)
        self._log.flush()
        self._require_space()
        self._flush_due_ns = self._clock.now_ns() + self._flush_ns

    def expect_last(self, source: str, last_seq: Mapping[str, int]) -> None:
        """Note the last number of each kind that `source` gave, where they can be genuine."""
        for stream, last in self._genuine(source, last_seq).items():
            self._tracker.expect_last(stream, last)

    def report(self) -> RecorderReport:
        """Counts so far."""
        streams = self._tracker.streams
        return RecorderReport(
            counts={name: count.messages for name, count in streams.items() if count.messages},
            lost_by_stream=dict(self._lost),
        )

    def close(self) -> RecorderReport:
        """Record the missing tails, or that the disk is full, write the index, close the file."""
        try:
            if not self._log.closed:
                self._write_last()
        finally:
            self._log.close()
        return self.report()

    def _write_last(self) -> None:
        self._report_ignored()
        if self._log.full:
            self._write_own(Event("alarm", _SOURCE, DISK_FULL, str(self._full_disk())))
        for gap in (*self._tracker.missing_tails(), *self._unsent.rest()):
            self._write_own(gap)

    def _require_space(self) -> None:
        if self._log.full:
            raise self._full_disk()

    def _full_disk(self) -> LogFullError:
        first_ns = self._last_ns if self._first_ns is None else self._first_ns
        return LogFullError(
            log=self._path,
            mount=mount_point(self._path),
            free_mb=free_mb(self._path),
            got=self._log.full,
            until_s=(self._last_ns - first_ns) / _NS_PER_S,
        )

    def _has_room(self, message: Stamped) -> bool:
        """Whether the log has the stream of `message`, or may have a further one."""
        if self._log.has_stream(message.stream):
            return True
        return len(message.source) <= _LONGEST_SOURCE and self._log.n_streams < MOST_STREAMS

    def _tracked(self, message: Stamped) -> Gap | None:
        """Count `message`; the gap before it, where there is one.

        Number 0 again means a restarted sender: the recorder gets each START once. A message that
        its sender sent before it was started again, and that comes late, shortens the unsent tail.
        """
        if self._is_of_earlier_start(message):
            self._tracker.count_unnumbered(message.stream)
            return self._unsent.arrived(message.stream, message.seq, t_ns=message.t_ns)
        if isinstance(message.body, End):
            self.expect_last(message.source, message.body.last_seq)
        self._sources.add(message.source)
        if message.seq == 0 and self._tracker.is_repeated(message.stream, message.seq):
            self._tracker.restart(message.stream)
        if not self._is_plausible(message.stream, message.seq):
            self._ignored["number_implausible"] += 1
            return None
        return self._tracker.add(message.stream, message.seq)

    def _is_of_earlier_start(self, message: Stamped) -> bool:
        """Whether a restarted source sent `message` before its newest START.

        A killed process leaves messages in the queue of a recorder that has stalled, which takes
        those of all connections in turn.
        """
        source, started_ns = message.source, self._started_ns.get(message.source)
        if isinstance(message.body, Start) and message.t_ns > self._clock.now_ns() + AHEAD_NS:
            # believed, it would make all that the source sends later messages of before
            self._ignored["number_implausible"] += 1
            return False
        if isinstance(message.body, Start) and (started_ns is None or message.t_ns > started_ns):
            self._started_ns[source] = message.t_ns
            if started_ns is not None and message.seq == 0:
                self._restart(source, message.body.last_seq_before, start_ns=message.t_ns)
            return False
        return source in self._restarted and started_ns is not None and message.t_ns < started_ns

    def _restart(self, source: str, last_seq_before: Mapping[str, int], *, start_ns: int) -> None:
        """Expect the numbers of `source` from 0, and late those up to `last_seq_before`."""
        self._restarted.add(source)
        for gap in self._tracker.missing_tails():
            self._write_own(gap)
        for stream, last in self._genuine(source, last_seq_before).items():
            first = self._tracker.expected(stream)
            self._unsent.expect(stream, first, last=last, before_ns=start_ns)
        self._tracker.restart_source(source)

    def _genuine(self, source: str, last_seq: Mapping[str, int]) -> dict[str, int]:
        """Those of the stated last numbers that can be genuine, by stream.

        A source sends START first, so that numbers of a source without a message state nothing.
        """
        genuine = {
            f"{source}/{kind}": last
            for kind, last in last_seq.items()
            if source in self._sources
            and kind in _KINDS
            and self._is_plausible(f"{source}/{kind}", last)
        }
        self._ignored["number_implausible"] += len(genuine) < len(last_seq)
        return genuine

    def _is_plausible(self, stream: str, seq: int) -> bool:
        return 0 <= seq <= self._tracker.expected(stream) + MOST_LOST

    def _report_ignored(self) -> None:
        """Write an event of what was counted since the last one, by code."""
        counted, self._ignored = self._ignored, Counter()
        for code, n in counted.items():
            if n:
                text = IGNORED[code]
                self._write_own(Event("warning", _SOURCE, code, text, {"messages": n}))

    def _write_own(self, body: Gap | Event) -> None:
        """Append a message of the recorder itself."""
        now_ns = self._clock.now_ns()
        message = Stamped(_SOURCE, self._own[body.kind], now_ns, _CLOCK_NAME, body)
        self._own[body.kind] += 1
        if isinstance(body, Gap):
            self._lost[body.stream] += body.n_missing
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
