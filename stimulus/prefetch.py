"""Items made a little ahead of time, so that opening a file never delays a flip."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

from stimulus.priority import Priority, take_real_time

T = TypeVar("T")


class FramePrefetcher(Generic[T]):
    """`ahead` items of an iterator are made by another thread, one for each that is taken.

    In the steady state one item is made each time that one is taken, so the work is spread evenly
    between flips. What the iterator raises is raised where its item would have been.
    """

    def __init__(self, items: Iterator[T], *, ahead: int) -> None:
        self._items = items
        self._worker = ThreadPoolExecutor(
            1, "reel", initializer=take_real_time, initargs=(Priority.AHEAD,)
        )
        self._coming: deque[Future[T | None]] = deque(self._ordered() for _ in range(ahead))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        item = self._coming.popleft().result()
        self._coming.append(self._ordered())
        if item is None:
            raise StopIteration
        return item

    def _ordered(self) -> Future[T | None]:
        return self._worker.submit(next, self._items, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._worker.shutdown(cancel_futures=True)
