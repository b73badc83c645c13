"""Single keys of the terminal of this process, as they are typed and without being displayed."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rtdecode.runtime.stop import undone

ReadKey = Callable[[float], bytes | None]
"""Waits so many seconds for a key; None where there was none, and b"" at the end of the input."""

if sys.platform == "win32":

    @contextmanager
    def single_keys() -> Iterator[ReadKey | None]:
        """None: a console of Windows is not read key by key."""
        yield None

else:
    import select
    import termios
    import tty

    @contextmanager
    def single_keys() -> Iterator[ReadKey | None]:
        """Read key by key while the block runs; None where this process owns no terminal.

        The terminal has its earlier mode afterwards, however the block or the process ends. Ctrl-C
        and Ctrl-Z send their signals as before.
        """
        if not _owns_terminal():
            yield None
            return
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
        with undone(lambda: termios.tcsetattr(terminal, termios.TCSADRAIN, before)):
            tty.setcbreak(terminal, termios.TCSANOW)
            # what was typed before is no answer to what is printed now
            termios.tcflush(terminal, termios.TCIFLUSH)
            yield lambda wait_s: _key(terminal, wait_s)

    def _key(terminal: int, wait_s: float) -> bytes | None:
        return os.read(terminal, 1) if select.select([terminal], [], [], wait_s)[0] else None

    def _owns_terminal() -> bool:
        """Whether standard input is a terminal of whose foreground this process is part."""
        try:
            return os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
        except OSError:
            return False
