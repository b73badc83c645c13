"""Paced output beside the inversion: its own thread, so that a long step delays no frame."""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rtdecode.emit import Pace
from rtdecode.runtime.loop import run_loop
from rtdecode.runtime.sockets import Publisher
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Reconstruction, Start


class PacedQueue:
    """Source of the emitting loop: wakes for what comes in and for what becomes due."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._items: queue.SimpleQueue[Reconstruction] = queue.SimpleQueue()

    def push(self, item: Reconstruction) -> None:
        """Put one reconstruction into the queue."""
        self._items.put(item)

    def take(self, wait_s: float) -> Sequence[Reconstruction]:
        try:
            return [self._items.get(timeout=min(wait_s, self._pace.wait_s()))]
        except queue.Empty:
            return []


class Emission:
    """Publishes reconstructions at their due times until the block ends.

    An error in its thread is raised in the thread that pushes next, or at the end of the block.
    """

    def __init__(self, pace: Pace, publisher: Publisher, *, clock: Clock) -> None:
        self._pace, self._publisher, self._clock = pace, publisher, clock
        self._queue = PacedQueue(pace)
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="emission")

    def push(self, item: Reconstruction) -> None:
        """Hand one reconstruction over; never waits."""
        self._raise_error()
        self._queue.push(item)

    def counters(self) -> dict[str, float]:
        """What the heartbeat tells."""
        return {"out": self._pace.n_out, "late": self._pace.n_late}

    @contextmanager
    def started(self, start: Start) -> Iterator[None]:
        """Emit while the block runs, between START and END of its own source."""
        self._publisher.start(start)
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()
        self._raise_error()
        self._publisher.end(session=start.session, reason="stopped")

    def _run(self) -> None:
        try:
            run_loop(self._queue, self._pace, self._publisher, stop=self._stop, clock=self._clock)
            for last in self._pace.rest():
                self._publisher.push(last)
        except Exception as error:  # noqa: BLE001 - raised again where the process can end
            self._error = error

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
