"""Counts of each stream, and which numbers of it never came."""

from collections.abc import Iterable
from dataclasses import dataclass

from rtdecode.schema.messages import End, Gap, Stamped

SEEN_BY = "recorder"


@dataclass(slots=True)
class StreamCount:
    """One stream so far; `lost` and `repeated` are messages, `next_seq` is due next."""

    messages: int = 0
    lost: int = 0
    repeated: int = 0
    restarts: int = 0
    next_seq: int = 0


class Ledger:
    """Follows `seq` in every stream.

    A number that jumps forward is a hole; one that was there before is a repetition; number 0
    again is a sender that was started anew, whose unsent tail nobody can know.
    """

    def __init__(self) -> None:
        self._streams: dict[str, StreamCount] = {}
        self._promised: dict[str, int] = {}

    @property
    def streams(self) -> dict[str, StreamCount]:
        """Each stream's counts, by name."""
        return dict(self._streams)

    def enter(self, message: Stamped) -> Gap | None:
        """Note `message`; gives the hole before it, if there is one."""
        if isinstance(message.body, End):
            self._note_promise(message.source, message.body)
        count = self._streams.setdefault(message.stream, StreamCount())
        count.messages += 1
        if message.seq < count.next_seq:
            self._note_earlier(message.stream, count, seq=message.seq)
            return None
        hole = self._hole(message.stream, count, message.seq)
        count.next_seq = message.seq + 1
        return hole

    def missing_tails(self) -> Iterable[Gap]:
        """Holes at the end of streams, as the ENDs of their sources tell; ask once, at the end."""
        for stream, last in self._promised.items():
            count = self._streams.setdefault(stream, StreamCount())
            hole = self._hole(stream, count, last + 1)
            count.next_seq = max(count.next_seq, last + 1)
            if hole is not None:
                yield hole

    def _note_promise(self, source: str, end: End) -> None:
        for kind, last in end.last_seq.items():
            self._promised[f"{source}/{kind}"] = last

    def _note_earlier(self, stream: str, count: StreamCount, *, seq: int) -> None:
        if seq == 0:
            count.restarts += 1
            count.next_seq = 1
            # What its END promised was about the numbers before.
            self._promised.pop(stream, None)
        else:
            count.repeated += 1

    @staticmethod
    def _hole(stream: str, count: StreamCount, seq: int) -> Gap | None:
        missing = seq - count.next_seq
        if missing <= 0:
            return None
        count.lost += missing
        return Gap(stream=stream, first_missing=count.next_seq, n_missing=missing, seen_by=SEEN_BY)
