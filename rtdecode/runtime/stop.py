"""Stop events of a process: set by SIGINT and SIGTERM, or by the end of its parent process.

Temporary folders made here are removed, and what `undone` was given is called, also where a second
signal ends the process at once.
"""

import itertools
import math
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import FrameType

from rtdecode.runtime.platform import FOR_SOCKETS, STOP_SIGNALS

_EXIT_AT_ONCE = 130
_NOTICED_S = 0.05
_folders: set[Path] = set()
"""Temporary folders of this process."""
_undo: set[Callable[[], None]] = set()
"""What is called before the process ends at once."""


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A private folder, removed after the block or by the signal that exits at once."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=FOR_SOCKETS))
    _folders.add(folder)
    try:
        yield folder
    finally:
        _remove(folder)
        _folders.discard(folder)


@contextmanager
def undone(undo: Callable[[], None]) -> Iterator[None]:
    """Call `undo` after the block, or before a signal exits at once; for modes of a terminal."""
    _undo.add(undo)
    try:
        yield
    finally:
        undo()
        _undo.discard(undo)


def _remove(folder: Path) -> None:
    # processes that are about to end may still remove their sockets in it
    shutil.rmtree(folder, ignore_errors=True)


class StoppedEarlyError(Exception):
    """Ends a process that was stopped before its start, and closes what it has opened."""


class SignalEvent(Event):
    """An event that a signal handler may set at any moment.

    `Event.set` waits for a lock. A handler runs in the main thread between any two instructions;
    where the thread holds that lock, for a moment in each `wait`, the handler would wait forever.
    """

    def __init__(self) -> None:
        super().__init__()
        self._signalled = False

    def set_by_signal(self) -> None:
        """Set the event without a lock."""
        self._signalled = True

    def is_set(self) -> bool:
        return self._signalled or super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        left_s = math.inf if timeout is None else timeout
        while not self.is_set() and left_s > 0:
            # a signal does not end the wait, so it is checked after each of these steps
            super().wait(min(left_s, _NOTICED_S))
            left_s -= _NOTICED_S
        return self.is_set()


def stop_on_signals() -> Event:
    """An event that each of STOP_SIGNALS sets; the second signal exits at once."""
    stop = SignalEvent()
    # counted apart from the event: a signal may come while the one before it sets the event
    signals = itertools.count()

    def _on_signal(_number: int, _frame: FrameType | None) -> None:
        if next(signals) > 0:
            # a third one would begin the removal anew inside this one, and so on
            for number in STOP_SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            for undo in tuple(_undo):
                undo()
            for folder in tuple(_folders):
                _remove(folder)
            os._exit(_EXIT_AT_ONCE)
        stop.set_by_signal()

    for number in STOP_SIGNALS:
        signal.signal(number, _on_signal)
    return stop


@contextmanager
def stopped_by_signals() -> Iterator[Event]:
    """`stop_on_signals` while the block runs; the earlier signal handlers are restored after it."""
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    try:
        yield stop_on_signals()
    finally:
        for number, handler in zip(STOP_SIGNALS, before, strict=True):
            signal.signal(number, handler)


def stop_with_parent(stop: Event) -> Event:
    """Set `stop` when standard input ends, which it does when the parent process ends or is killed.

    The event that is returned is set then too, and by nothing else. For processes that a supervisor
    has started with a pipe as standard input.
    """
    alone = Event()

    def _watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        alone.set()
        stop.set()

    threading.Thread(target=_watch, name="parent-watch", daemon=True).start()
    return alone
