"""Tables and lists of what other programs send, kept to a bounded size.

A table whose sums must stay complete has one entry for all names beyond its bound (`kept_name`);
one of which only the newest entries matter forgets the others (`Recent`, `RecentMessages`).
"""

from collections import OrderedDict, deque
from collections.abc import Container, Iterator, Sized
from typing import Generic, Protocol, TypeVar

OTHERS = "others"
"""Entry of all names beyond the bound."""
_MOST_KEPT_BYTES = 16 * 1024 * 1024

K = TypeVar("K")
V = TypeVar("V")


class Table(Container[object], Sized, Protocol):
    """What has keys and a number of them."""


def kept_name(table: Table, name: K, *, most: int, others: K) -> K:
    """`name` where `table` has it or has fewer than `most` keys; else `others`.

    >>> counts = {"bridge": 1, "stimulus": 2}
    >>> [kept_name(counts, name, most=2, others="others") for name in ("bridge", "decoder")]
    ['bridge', 'others']
    """
    return name if name in table or len(table) < most else others


class Recent(OrderedDict[K, V], Generic[K, V]):
    """A dict of at most `most` keys; the one that was set longest ago leaves first."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)


class RecentMessages:
    """The newest messages that a publisher sends again, at most `most` and 16 MiB of them."""

    def __init__(self, most: int) -> None:
        self._most, self._messages, self._bytes = most, deque[bytes](), 0

    def append(self, data: bytes) -> None:
        """Keep `data`; the oldest ones leave."""
        self._messages.append(data)
        self._bytes += len(data)
        while len(self._messages) > 1 and (
            len(self._messages) > self._most or self._bytes > _MOST_KEPT_BYTES
        ):
            self._bytes -= len(self._messages.popleft())

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._messages)
