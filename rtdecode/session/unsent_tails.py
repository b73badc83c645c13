"""Messages that a killed sender had numbered, and that may still be on their way to the recorder.

Duties: from the last numbers that a restarted sender states, keep what is missing of each stream,
shorten it by messages that come late, and state what remains. What the killed process had handed to
the system may come after the START of its successor; what was in its own memory never comes. It is
a pure state machine: it must not import sockets, clocks or files.

>>> tails = UnsentTails(detected_by="recorder")
>>> tails.expect("bridge/scan", 4, last=9, before_ns=100)
>>> [tails.arrived("bridge/scan", seq, t_ns=50 + seq) for seq in (4, 5)]
[None, None]
>>> (gap,) = tails.rest()
>>> gap.first_missing, gap.n_missing
(6, 4)
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rtdecode.schema.messages import Gap

MOST_QUIET_FLUSHES = 10
"""Flushes without a late message after which a tail counts as lost. Time would not do: it also
passes while the recorder itself stands still."""


@dataclass(slots=True)
class _Tail:
    stream: str
    next_seq: int
    last: int
    before_ns: int
    """Time of the START of the successor; messages of this tail were sent before."""
    quiet_flushes: int = 0


class UnsentTails:
    """Numbers of killed senders that did not arrive yet.

    Parameters
    ----------
    detected_by
        Name of this process, which each `Gap` carries.
    """

    def __init__(self, *, detected_by: str) -> None:
        self._detected_by = detected_by
        self._tails: list[_Tail] = []

    def expect(self, stream: str, first: int, *, last: int, before_ns: int) -> None:
        """Note that `first` to `last` of `stream` were given before the START at `before_ns`."""
        if first <= last:
            self._tails.append(_Tail(stream, first, last, before_ns))

    def arrived(self, stream: str, seq: int, *, t_ns: int) -> Gap | None:
        """Note that message `seq`, sent at `t_ns`, came late; the gap before it, if there is one.

        Messages of one sender come in order, so that what lies before `seq` never comes.
        """
        of_stream = (one for one in self._tails if one.stream == stream and t_ns < one.before_ns)
        tail = next(of_stream, None)
        if tail is None or not tail.next_seq <= seq <= tail.last:
            return None
        gap = self._gap(tail, seq - tail.next_seq)
        tail.next_seq, tail.quiet_flushes = seq + 1, 0
        return gap

    def settled(self) -> Iterator[Gap]:
        """At a flush: gaps of the tails of which nothing has come for some flushes."""
        for tail in list(self._tails):
            tail.quiet_flushes += 1
            if tail.quiet_flushes > MOST_QUIET_FLUSHES:
                yield from self._taken(tail)

    def rest(self) -> Iterator[Gap]:
        """At the end: gaps of all tails."""
        for tail in list(self._tails):
            yield from self._taken(tail)

    def _taken(self, tail: _Tail) -> Iterator[Gap]:
        self._tails.remove(tail)
        gap = self._gap(tail, tail.last + 1 - tail.next_seq)
        if gap is not None:
            yield gap

    def _gap(self, tail: _Tail, n_missing: int) -> Gap | None:
        if not n_missing:
            return None
        return Gap(tail.stream, tail.next_seq, n_missing, self._detected_by)
