"""Gap detection for the stages: gaps in the numbering become `Gap`s, repetitions are dropped."""

from collections.abc import Iterator, Sequence

from rtdecode.schema.bounded import Recent
from rtdecode.schema.messages import Gap, Health, Received, Stamped, Start
from rtdecode.schema.sequence_tracker import SequenceTracker

_MOST_SOURCES = 1_000


class GapWatch:
    """Stage that passes every message once and inserts a `Gap` where messages are missing.

    Parameters
    ----------
    detected_by
        Name of this process, which each `Gap` carries.
    first_expected
        As `SequenceTracker` takes it.

    Notes
    -----
    For each stream: seen + missing = last number − first number + 1. A START that is published
    again for another subscriber is a repetition, also that of an earlier start of the source. A
    newer START of the same source means that it was restarted, and its streams start anew.
    """

    def __init__(self, *, detected_by: str, first_expected: int | None = None) -> None:
        self._tracker = SequenceTracker(detected_by=detected_by, first_expected=first_expected)
        self._started_ns: Recent[str, int] = Recent(_MOST_SOURCES)
        self._restarted_ns: Recent[str, int] = Recent(_MOST_SOURCES)
        """As `_started_ns`, of sources that were started again."""

    @property
    def n_missing(self) -> int:
        """Messages of all streams that did not arrive."""
        return self._tracker.n_missing

    def step(self, items: Sequence[Received]) -> Iterator[Received | Gap]:
        for item in items:
            yield from self._passed(item)

    def _passed(self, item: Received) -> Iterator[Received | Gap]:
        message = item.message
        if isinstance(message.body, Start) and not self._is_new(message):
            return
        if isinstance(message.body, Health) and message.body.state == "starting":
            return  # an announcement before START has no number of its own
        if self._is_of_earlier_start(message):
            yield item
            return
        if self._tracker.is_repeated(message.stream, message.seq):
            return
        gap = self._tracker.add(message.stream, message.seq)
        if gap is not None:
            yield gap
        yield item

    def _is_of_earlier_start(self, message: Stamped) -> bool:
        """Whether a restarted source sent `message` before its newest START, as the page gets it.

        The page gets START from the recorder as well, and so before messages that wait for it.
        """
        restarted_ns = self._restarted_ns.get(message.source)
        return restarted_ns is not None and message.t_ns < restarted_ns

    def _is_new(self, message: Stamped) -> bool:
        known_ns = self._started_ns.get(message.source)
        if known_ns is not None and message.t_ns <= known_ns:
            return False
        self._started_ns[message.source] = message.t_ns
        if known_ns is not None:
            self._restarted_ns[message.source] = message.t_ns
            self._tracker.restart_source(message.source)
        return True
