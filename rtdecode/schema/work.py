"""Long work in named parts: how far it is, and when its time is over.

What does the work counts its rounds with `Work.rounds`; what shows it, or limits its time, is given
by the caller. Nothing here knows a terminal or a clock.

>>> done = []
>>> work = Work(begun=print, report=lambda n, total: done.append((n, total)))
>>> [item for item in work.rounds("reading", "abc", total=3)]
reading
['a', 'b', 'c']
>>> done
[(0, 3), (1, 3), (2, 3), (3, 3)]
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")
_LINE_S = 10.0


def _nothing(*_: object) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Work:
    """Callbacks of long work.

    Parameters
    ----------
    begun
        Called with the name of each part as it begins.
    report
        Called with the number of rounds of the part that are done, and that there are.
    is_over
        Whether the time of the whole work is over; parts that can do with fewer rounds end then.
    cut_short
        Called with a sentence where a part ended with fewer rounds than it should have.
    """

    begun: Callable[[str], None] = _nothing
    report: Callable[[int, int], None] = _nothing
    is_over: Callable[[], bool] = _never
    cut_short: Callable[[str], None] = _nothing

    def rounds(
        self, part: str, items: Iterable[Item], *, total: int, fewest: int | None = None
    ) -> Iterator[Item]:
        """`items`, each counted as a round of `part` once the next one is asked for.

        Parameters
        ----------
        part
            Its name, with which it begins.
        items
            What the rounds are about, `total` of them.
        total
            Number of rounds.
        fewest
            Rounds after which the part may end early where the time is over; by default it never
            does.
        """
        self.begun(part)
        self.report(0, total)
        for done, item in enumerate(items):
            if fewest is not None and done >= fewest and self.is_over():
                self.cut_short(f"{part}: {done} of {total} rounds, because the time was over")
                return
            yield item
            self.report(done + 1, total)


class RemainingTime:
    """States the remaining time of a part of long work, at most every ten seconds.

    Parameters
    ----------
    now_s
        Time in s, from any beginning.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self.begin()

    def begin(self) -> None:
        """Begin a part."""
        self._begun_s = self._stated_s = self._now_s()

    def line(self, done: int, total: int) -> str | None:
        """Rounds done and in all with the time that remains; None where no line is due."""
        now_s = self._now_s()
        if not done or now_s - self._stated_s < _LINE_S:
            return None
        self._stated_s = now_s
        left_s = (now_s - self._begun_s) / done * (total - done)
        return f"{done} of {total}: {left_s:.0f} s remaining"


UNSEEN = Work()
"""Work without reports and without a time limit."""
