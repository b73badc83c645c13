"""Holes in the numbering of streams become explicit `Gap`s; repeats are dropped."""

from collections.abc import Iterator, Sequence

from rtdecode.schema.messages import Gap, Health, Received, Stamped, Start


class GapWatch:
    """Stage that passes every message once and puts a `Gap` where some are missing.

    Parameters
    ----------
    seen_by
        Name of the process that looks, for the record.
    first_expected
        Number that the first message of a stream must have; None takes what comes first, for a
        subscriber may join late without having lost anything.

    Notes
    -----
    For each stream: seen + missing = last number - first number + 1. A START that is sent again to
    greet somebody else is a repeat; a new START of the same source (it was started again) begins
    its streams anew.
    """

    def __init__(self, *, seen_by: str, first_expected: int | None = None) -> None:
        self._seen_by, self._first = seen_by, first_expected
        self._expected: dict[str, int] = {}
        self._started_ns: dict[str, int] = {}
        self.n_missing = 0

    def step(self, items: Sequence[Received]) -> Iterator[Received | Gap]:
        for item in items:
            yield from self._passed(item)

    def _passed(self, item: Received) -> Iterator[Received | Gap]:
        message = item.message
        if isinstance(message.body, Start) and not self._is_new(message):
            return
        if isinstance(message.body, Health) and message.body.state == "starting":
            return  # a hello before START is not numbered
        expected = self._expected.get(message.stream, self._first)
        if expected is not None and message.seq < expected:
            return
        if expected is not None and message.seq > expected:
            n_missing = message.seq - expected
            self.n_missing += n_missing
            yield Gap(message.stream, expected, n_missing, self._seen_by)
        self._expected[message.stream] = message.seq + 1
        yield item

    def _is_new(self, message: Stamped) -> bool:
        known_ns = self._started_ns.get(message.source)
        if known_ns == message.t_ns:
            return False
        self._started_ns[message.source] = message.t_ns
        if known_ns is not None:
            mine = [name for name in self._expected if name.startswith(f"{message.source}/")]
            for name in mine:
                del self._expected[name]
        return True
