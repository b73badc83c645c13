"""Sequence numbers of streams: counts messages, and finds gaps, repetitions and missing tails.

Duties: for each stream, decide whether a number is the next one, a repetition or beyond a gap, and
count what arrived and what is missing. The recorder and `GapWatch` both use it. It is a pure state
machine: it must not import sockets, clocks or files. It does not decide what a restart of a sender
is; the caller does, and calls `restart` or `restart_source`.

For each stream without a restart: seen + missing = last number − first number + 1.

>>> tracker = SequenceTracker(detected_by="recorder", first_expected=0)
>>> [tracker.add("bridge/scan", seq) for seq in (0, 1)]
[None, None]
>>> gap = tracker.add("bridge/scan", 4)
>>> gap.first_missing, gap.n_missing
(2, 2)
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rtdecode.schema.messages import Gap


@dataclass(slots=True)
class StreamCount:
    """Counts of one stream since the start of the run."""

    next_seq: int | None
    """Number that is expected next; None where any number may come."""
    messages: int = 0
    """Messages that arrived, repetitions included."""
    lost: int = 0
    """Messages that did not arrive."""
    repeated: int = 0
    restarts: int = 0


class SequenceTracker:
    """Follows the sequence number of every stream.

    Parameters
    ----------
    detected_by
        Name of this process, which each `Gap` carries.
    first_expected
        Number that the first message of a stream must have. None accepts any first number: a
        subscriber may join late without having lost anything.
    """

    def __init__(self, *, detected_by: str, first_expected: int | None = None) -> None:
        self._detected_by, self._first = detected_by, first_expected
        self._streams: dict[str, StreamCount] = {}
        self._last_sent: dict[str, int] = {}

    @property
    def streams(self) -> dict[str, StreamCount]:
        """Counts by name of the stream."""
        return dict(self._streams)

    @property
    def n_missing(self) -> int:
        """Messages of all streams that did not arrive."""
        return sum(count.lost for count in self._streams.values())

    def is_repeated(self, stream: str, seq: int) -> bool:
        """Whether `seq` lies before the number that is expected next."""
        count = self._streams.get(stream)
        return count is not None and count.next_seq is not None and seq < count.next_seq

    def expected(self, stream: str) -> int:
        """The number that is expected next in `stream`; 0 where any may come."""
        count = self._streams.get(stream)
        return (self._first if count is None else count.next_seq) or 0

    def add(self, stream: str, seq: int) -> Gap | None:
        """Count message `seq` of `stream`; the gap before it, where there is one."""
        count = self._count_of(stream)
        count.messages += 1
        if self.is_repeated(stream, seq):
            count.repeated += 1
            return None
        gap = self._gap_before(stream, seq)
        count.next_seq = seq + 1
        return gap

    def count_unnumbered(self, stream: str) -> None:
        """Count a message of `stream` whose number is of an earlier start of its sender."""
        self._count_of(stream).messages += 1

    def restart(self, stream: str) -> None:
        """Start `stream` anew: its sender was restarted, and how much it lost is unknown."""
        count = self._count_of(stream)
        count.restarts += 1
        count.next_seq = self._first
        self._last_sent.pop(stream, None)

    def restart_source(self, source: str) -> None:
        """Start all streams of `source` anew."""
        for stream in [name for name in self._streams if name.startswith(f"{source}/")]:
            self.restart(stream)

    def expect_last(self, stream: str, last: int) -> None:
        """Note that the sender has sent numbers up to `last`, as its END states."""
        self._last_sent[stream] = last

    def missing_tails(self) -> Iterator[Gap]:
        """Gaps at the end of streams, from the numbers of `expect_last`."""
        for stream, last in self._last_sent.items():
            gap = self._gap_before(stream, last + 1)
            if gap is not None:
                self._count_of(stream).next_seq = last + 1
                yield gap

    def _count_of(self, stream: str) -> StreamCount:
        return self._streams.setdefault(stream, StreamCount(self._first))

    def _gap_before(self, stream: str, seq: int) -> Gap | None:
        count = self._count_of(stream)
        if count.next_seq is None or seq <= count.next_seq:
            return None
        first, n_missing = count.next_seq, seq - count.next_seq
        count.lost += n_missing
        return Gap(stream, first, n_missing, self._detected_by)
