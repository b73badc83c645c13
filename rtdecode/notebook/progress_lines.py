"""Progress of long work in a notebook: lines of text, for `print` or for a logger."""

from collections.abc import Callable

from rtdecode.schema.interfaces import Clock
from rtdecode.schema.work import Work

Say = Callable[[str], None]
_LINE_S = 10.0
_NS_PER_S = 1e9


class ProgressLines:
    """Progress as lines of text: one for each part, and one every ten seconds within it."""

    def __init__(self, say: Say | None, *, clock: Clock) -> None:
        self._say, self._clock = say or (lambda _: None), clock
        self._begun_ns = self._said_ns = clock.now_ns()

    def work(self) -> Work:
        """What long work reports to."""
        return Work(begun=self.begin, report=self.count, cut_short=self._say)

    def begin(self, part: str) -> None:
        """Begin `part`."""
        self._begun_ns = self._said_ns = self._clock.now_ns()
        self._say(part)

    def count(self, done: int, total: int, status: str = "") -> None:
        """State the rounds done and in all, with the time that remains."""
        now_ns = self._clock.now_ns()
        if not done or now_ns - self._said_ns < _LINE_S * _NS_PER_S:
            return
        self._said_ns = now_ns
        left_s = (now_ns - self._begun_ns) / _NS_PER_S / done * (total - done)
        self._say(f"{done} of {total}: {left_s:.0f} s remaining{status and f', {status}'}")
