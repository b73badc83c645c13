"""States what is missing from a damaged log: times, streams and counts, for reader and recovery.

The writer places the message indices of a chunk behind it. They state the channel and the time of
each of its messages, also where the chunk itself cannot be read.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from mcap.records import Message, MessageIndex

from rtdecode.runtime.codec import current_stream
from rtdecode.session.records import Content, Part, Unreadable, torn_messages

_NS_PER_S = 1e9
_LEAST_CHUNK_BYTES = 80
"""A chunk with one message without content; a shorter range holds no message."""
_INDEX_BYTES, _INDEX_ENTRY_BYTES = 15, 16


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of a log that cannot be read."""

    start: int
    """Its first byte."""
    size: int
    """Bytes; 0 where the log ends between two records."""
    counts: Mapping[str, int]
    """Messages that are missing, by stream."""
    counted: bool
    """False if more messages than these can be missing."""
    first_ns: int
    """When the recorder received the first missing message, or the last message before it."""
    last_ns: int | None
    """When it received the last missing message; None at the end of a log, where it is unknown."""
    file: str = ""
    """Name of the file; empty in notes of earlier versions, whose logs have one file."""
    absent_files: int = 0
    """How many whole files are missing, of which `file` is the first."""

    @property
    def loses_messages(self) -> bool:
        """False if no message is missing, only bytes of an index or a header."""
        return bool(self.counts) or not self.counted

    def sentence(self, *, zero_ns: int) -> str:
        """State what is missing; times in seconds after `zero_ns`, the start of the log."""
        # 0 where no message before the missing ones is known
        begin = f"{(self.first_ns - zero_ns) / _NS_PER_S:.3f} s" if self.first_ns else "its start"
        if self.absent_files:
            where = f"what {self.file} held is missing, from {begin}"
            if self.absent_files > 1:
                files = f"{self.absent_files} files from {self.file} on"
                where = f"what {files} held is missing, from {begin}"
            if self.last_ns is not None:
                where += f" to {(self.last_ns - zero_ns) / _NS_PER_S:.3f} s"
        elif self.last_ns is None:
            where = f"the log ends early, after {begin}"
            if self.size:
                where += f", with {self.size} bytes of a torn record"
        else:
            end = f"{(self.last_ns - zero_ns) / _NS_PER_S:.3f} s"
            where = f"a damaged part of {self.size} bytes was skipped, from {begin} to {end}"
        return f"{where}: {self._missing()}"

    def _missing(self) -> str:
        total = sum(self.counts.values())
        streams = ", ".join(f"{n} of {stream}" for stream, n in self.counts.items())
        if self.counted:
            return f"{total} messages are missing ({streams})" if total else "no message is missing"
        if total:
            return f"at least {total} messages are missing ({streams})"
        return "how many messages are missing is unknown"


def incomplete_log(damage: Iterable[Damage], *, zero_ns: int) -> str:
    """State what is missing from a log of which the rest is used; the first part in full."""
    lost = [one.sentence(zero_ns=zero_ns) for one in damage if one.loses_messages]
    more = f", and {len(lost) - 1} more such parts" if len(lost) > 1 else ""
    first = f": {lost[0]}{more}" if lost else ""
    return (
        f"The log of the session is not complete{first}. The file has what can be read of it (see "
        f"`rtdecode recover`)."
    )


def damage_as_values(damage: Iterable[Damage]) -> dict[str, str]:
    """Values of the metadata record that keeps `damage` in a repaired log."""
    return {"damage": json.dumps([asdict(one) for one in damage])}


def damage_noted(values: Mapping[str, str]) -> list[Damage]:
    """The damage that `damage_as_values` wrote."""
    try:
        return [Damage(**one) for one in json.loads(values.get("damage", "[]"))]
    except (ValueError, TypeError):
        # damaged text of an intact record: that messages are missing is still certain
        return [Damage(0, 0, {}, counted=False, first_ns=0, last_ns=None)]


@dataclass(slots=True)
class _Skipped:
    """An unreadable range, and what the message indices behind it state."""

    part: Unreadable
    before_ns: int
    channels: Counter[int] = field(default_factory=Counter)
    times: list[int] = field(default_factory=list)
    is_harmless: bool = False

    def damage(self, streams: Mapping[int, str]) -> Damage:
        counts: Counter[str] = Counter()
        # a longer range can hide chunks whose indices are damaged too
        counted = bool(self.channels and self.part.is_one_chunk) or self.is_harmless
        channels, named = self.channels, dict(streams)
        if not channels and not counted:
            # the bytes before a cut are intact, also where no index follows
            channels, torn = torn_messages(self.part.content)
            named = {number: current_stream(topic) for number, topic in torn.items()} | named
        for number, n in channels.items():
            counts[named.get(number, "unknown/unknown")] += n
        times = self.times or [self.before_ns]
        return Damage(
            start=self.part.start,
            size=self.part.size,
            counts=dict(counts),
            counted=counted,
            first_ns=min(times),
            last_ns=None if self.part.is_tail else max(times),
        )


class DamageCount:
    """Counts the messages that are missing, from the parts of a file in their order.

    Parameters
    ----------
    before_ns
        When the recorder received the last message of the file before.
    """

    def __init__(self, *, before_ns: int = 0) -> None:
        self._skipped: list[_Skipped] = []
        self._open = False
        self._unindexed: Counter[int] = Counter()
        self._last_ns = before_ns

    def add(self, part: Part) -> None:
        """Take the next part into account."""
        if isinstance(part, Unreadable):
            self._skip(part)
        elif isinstance(part, MessageIndex):
            self._index(part)
        elif isinstance(part, Content):
            messages = [record for record in part.records if isinstance(record, Message)]
            self._unindexed = Counter(message.channel_id for message in messages)
            self._last_ns = max([self._last_ns, *(message.log_time for message in messages)])
            self._open = False

    def damage(self, streams: Mapping[int, str]) -> tuple[Damage, ...]:
        """What is missing, with the names of the streams by channel number."""
        return tuple(skipped.damage(streams) for skipped in self._skipped)

    def _skip(self, part: Unreadable) -> None:
        left = (_INDEX_BYTES + _INDEX_ENTRY_BYTES * n for n in self._unindexed.values())
        small = part.size < max(_LEAST_CHUNK_BYTES, sum(left) + 1) or part.is_one_metadata
        harmless = small and not part.is_tail
        skipped = _Skipped(part, self._last_ns, is_harmless=harmless)
        self._skipped.append(skipped)
        self._open = not harmless
        if not harmless:
            self._unindexed.clear()

    def _index(self, index: MessageIndex) -> None:
        if self._unindexed.pop(index.channel_id, 0) or not self._open:
            return
        self._skipped[-1].channels[index.channel_id] += len(index.records)
        self._skipped[-1].times += [t_ns for t_ns, _ in index.records]
