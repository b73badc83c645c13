"""Progress of long work in a notebook: lines of text, for `print` or for a logger."""

from collections.abc import Callable

from rtdecode.schema.interfaces import Clock
from rtdecode.schema.work import RemainingTime, Work

Say = Callable[[str], None]
_NS_PER_S = 1e9


class ProgressLines:
    """Progress as lines of text: one for each part, and one every ten seconds within it."""

    def __init__(self, say: Say | None, *, clock: Clock) -> None:
        self._say = say or (lambda _: None)
        self._remaining = RemainingTime(lambda: clock.now_ns() / _NS_PER_S)

    def work(self) -> Work:
        """What long work reports to."""
        return Work(begun=self.begin, report=self.count, cut_short=self._say)

    def begin(self, part: str) -> None:
        """Begin `part`."""
        self._remaining.begin()
        self._say(part)

    def count(self, done: int, total: int, status: str = "") -> None:
        """State the rounds done and in all, with the time that remains."""
        if line := self._remaining.line(done, total):
            self._say(f"{line}{status and f', {status}'}")
