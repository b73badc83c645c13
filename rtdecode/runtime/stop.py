"""How a process learns that it should end: a signal, or the end of whoever started it."""

import itertools
import os
import signal
import sys
import threading
from threading import Event
from types import FrameType

_EXIT_AT_ONCE = 130


def stop_on_signals() -> Event:
    """An event that SIGINT and SIGTERM set; the second signal exits at once."""
    stop = Event()
    # counted apart from the event: a signal may come while the one before it sets the event
    signals = itertools.count()

    def _on_signal(_number: int, _frame: FrameType | None) -> None:
        if next(signals) > 0:
            os._exit(_EXIT_AT_ONCE)
        stop.set()

    signal.signal(signal.SIGINT, _on_signal)
    signal.signal(signal.SIGTERM, _on_signal)
    return stop


def stop_with_parent(stop: Event) -> None:
    """Set `stop` when standard input ends, which it does when the parent is gone, even killed.

    Only for processes that a supervisor started with a pipe as standard input.
    """

    def _watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        stop.set()

    threading.Thread(target=_watch, name="parent-watch", daemon=True).start()
