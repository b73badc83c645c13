"""Frames decoded ahead of time in a second thread, so that opening a file never delays a flip."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

from stimulus.priority import Priority, request_real_time

T = TypeVar("T")


class FramePrefetcher(Generic[T]):
    """Iterator over `items` of which the next `ahead` are prepared by another thread.

    One item is prepared for each item that is consumed, so the work is spread evenly between
    flips. An exception of the iterator is raised at the position of the item it replaced.

    >>> with FramePrefetcher(iter("abc"), ahead=2) as prefetched:
    ...     list(prefetched)
    ['a', 'b', 'c']
    """

    def __init__(self, items: Iterator[T], *, ahead: int) -> None:
        self._items = items
        self._worker = ThreadPoolExecutor(
            1, "frame-prefetch", initializer=request_real_time, initargs=(Priority.PREFETCH,)
        )
        self._pending: deque[Future[T | None]] = deque(self._requested() for _ in range(ahead))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        item = self._pending.popleft().result()
        self._pending.append(self._requested())
        if item is None:
            raise StopIteration
        return item

    def _requested(self) -> Future[T | None]:
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
