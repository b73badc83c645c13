"""Messages that a sender holds until the recorder takes them: in order, and bounded in bytes.

Duties: keep the packed messages of one sender in their order, refuse those beyond the limit, and
count what was refused by stream. It has no socket: a `Publisher` fills and empties it.

START, END and events are accepted beyond the limit, because a log without them could not state what
it lacks; they are few and small. So is a message where nothing is held: a scan may be larger than a
small limit, and is recorded where the recorder takes it.

>>> backlog = Backlog("bridge", limit_mb=1e-6)
>>> backlog.add(b"1", kind="scan"), backlog.add(b"2", kind="scan"), backlog.add(b"3", kind="end")
(True, False, True)
>>> [event.counts for event in backlog.losses(t_ns=0)]
[{'bridge/scan': 1}]
>>> backlog.send(print, while_true=iter([True, False]))
b'1'
>>> len(backlog)
1
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator

from rtdecode.schema.messages import End, Event, Start

BACKLOG_MB = "recorder_backlog_mb"
"""Counter of every heartbeat: megabytes that a process holds for the recorder."""
NOT_RECORDED = "not_recorded"
"""Counter of every heartbeat: messages that found the backlog full and are not recorded."""
FULL = "recorder_backlog_full"
"""Code of the events that count messages which found the backlog full."""

_ALWAYS_HELD = frozenset({Start.kind, End.kind, Event.kind})
_BYTES_PER_MB = 1_000_000
_REPORT_NS = 1_000_000_000
_BRIDGE, _BRIDGE_SHARE, _OTHER_SHARE = "bridge", 0.5, 0.1


def share_mb(source: str, *, total_mb: float) -> float:
    """The part of `record.backlog_mb` of one source.

    The bridge, which sends the scans, has half of it. A tenth each is for stimulus, decoder, emit,
    evaluate and supervisor; the others send a few events.
    """
    return total_mb * (_BRIDGE_SHARE if source == _BRIDGE else _OTHER_SHARE)


class Backlog:
    """Messages of one source that the recorder has not taken yet.

    Parameters
    ----------
    source
        Name of the source, the first part of its streams' names.
    limit_mb
        Megabytes that are held at most.
    """

    def __init__(self, source: str, *, limit_mb: float) -> None:
        self._source, self._limit_bytes = source, limit_mb * _BYTES_PER_MB
        self._held: deque[tuple[str, bytes]] = deque()
        self._bytes = 0
        self._unreported: Counter[str] = Counter()
        self._report_due_ns: int | None = None
        self.n_refused = 0
        """Messages that were refused because the limit was reached."""

    def __len__(self) -> int:
        return len(self._held)

    @property
    def mb(self) -> float:
        """Megabytes that are held."""
        return self._bytes / _BYTES_PER_MB

    def add(self, data: bytes, *, kind: str) -> bool:
        """Hold `data`; False, and counted, where that would exceed the limit."""
        is_beyond = self._held and self._bytes + len(data) > self._limit_bytes
        if is_beyond and kind not in _ALWAYS_HELD:
            self._unreported[kind] += 1
            self.n_refused += 1
            return False
        self._held.append((kind, data))
        self._bytes += len(data)
        return True

    def send(self, send: Callable[[bytes], object], *, while_true: Iterator[bool]) -> None:
        """Pass the oldest messages to `send`, one for each True of `while_true`."""
        while len(self._held) > 0 and next(while_true, False):
            _, data = self._held[0]
            send(data)
            self._held.popleft()
            self._bytes -= len(data)

    def left(self) -> dict[str, int]:
        """Number of messages that are held, by stream."""
        return self._by_stream(Counter(kind for kind, _ in self._held))

    def losses(self, *, t_ns: int) -> Iterator[Event]:
        """An alarm of what was refused since the last one: at once, then at most one a second."""
        if self._report_due_ns is None or t_ns >= self._report_due_ns:
            yield from self.rest(t_ns=t_ns)

    def rest(self, *, t_ns: int) -> Iterator[Event]:
        """The alarm of what was refused since the last one, without waiting for its second."""
        if self._unreported:
            counts, self._unreported = self._by_stream(self._unreported), Counter()
            self._report_due_ns = t_ns + _REPORT_NS
            text = "the backlog for the recorder was full, and messages were not recorded"
            yield Event("alarm", self._source, FULL, text, {**counts})

    def _by_stream(self, kinds: Counter[str]) -> dict[str, int]:
        return {f"{self._source}/{kind}": n for kind, n in kinds.items()}
