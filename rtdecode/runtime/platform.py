"""What Windows does otherwise than Linux: files, locks, priorities, signals, starting processes.

No other module imports or names what only one system has, except `rtdecode.runtime.terminal` and
`rtdecode.runtime.clock`; `key_folder` and `pipeline.run` know that Windows states no file modes.
`make test` checks this by the types of both systems, and by runs in which everything that Windows
lacks is hidden. Nothing has been run on a real Windows.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import IO, Any, NoReturn

if sys.platform == "win32":
    import msvcrt

    STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGBREAK)
    FOR_SOCKETS: Path | None = None
    PORT_ERRORS: tuple[type[Exception], ...] = (OSError, ValueError)
else:
    import fcntl
    import termios

    STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
    """Signals that end a process. Windows sends SIGBREAK for Ctrl-Break, for a console that is
    closed, and for `asked_to_end`; it never sends SIGTERM."""
    FOR_SOCKETS = Path("/tmp")  # noqa: S108 - mkdtemp makes a private folder in it
    """Where folders for Unix sockets are made, whose paths are limited to 107 characters; None for
    the system's folder of temporary files."""
    PORT_ERRORS = (OSError, ValueError, termios.error)
    """What pyserial raises: a SerialException is an OSError, and `flush` raises termios.error."""

_BINARY = getattr(os, "O_BINARY", 0)
"""Without it, Windows writes a line feed as two bytes."""
_LOCKED_BYTE = 1 << 30
"""A lock of Windows also keeps others from reading, so it is on a byte that no file has."""


def opened_to_write(path: Path) -> int:
    """Descriptor of the file `path`, which is created where it does not exist, and not emptied."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | _BINARY, 0o644)


def write_at(file: int, data: bytes, offset: int) -> None:
    """Write `data` at `offset` bytes into `file`."""
    if sys.platform == "win32":
        os.lseek(file, offset, os.SEEK_SET)
        os.write(file, data)
    else:
        os.pwrite(file, data, offset)


def read_at(file: int, size: int, offset: int) -> bytes:
    """At most `size` bytes from `offset` on; fewer at the end of `file`."""
    if sys.platform == "win32":
        os.lseek(file, offset, os.SEEK_SET)
        return os.read(file, size)
    return os.pread(file, size, offset)


def reserve(file: int, size: int) -> None:
    """Give `file` the space on the disk for `size` bytes, and at least that size.

    Raises
    ------
    OSError
        If the disk has no room for it, or cannot reserve space.
    """
    if sys.platform == "win32":
        # a file of NTFS has the space of its size, unless it was made sparse
        if os.fstat(file).st_size < size:
            os.ftruncate(file, size)
    else:
        os.posix_fallocate(file, 0, size)


def lock(file: IO[Any]) -> None:
    """Lock `file` for this process until it is closed or the process ends in any way.

    Raises
    ------
    BlockingIOError
        If it is locked already, also by this process.
    """
    if sys.platform == "win32":
        os.lseek(file.fileno(), _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(error.errno, error.strerror) from error
        finally:
            file.seek(0)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def request_round_robin(priority: int) -> None:
    """Schedule this thread, and those that it starts later, before all usual ones.

    Windows has no such class for a thread without real-time rights: there the whole process gets
    the priority class HIGH.

    Raises
    ------
    PermissionError
        If the system does not permit it.
    """
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.HIGH_PRIORITY_CLASS)
    else:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))


def leave_round_robin() -> None:
    """Schedule this thread like any other; on Windows the class of its process remains."""
    if sys.platform != "win32":
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def lower_priority(thread: Thread, *, nice: int) -> None:
    """Let `thread` run only while others wait; on Windows it stays as it is."""
    if sys.platform != "win32":
        os.setpriority(os.PRIO_PROCESS, thread.native_id or 0, nice)


def thread_ns(thread: Thread) -> int:
    """Processor time in ns that the running `thread` has used; in steps of 16 ms on Windows."""
    if sys.platform == "win32":
        import psutil

        used = {one.id: one for one in psutil.Process().threads()}[thread.native_id or 0]
        return round((used.user_time + used.system_time) * 1e9)
    return time.clock_gettime_ns(time.pthread_getcpuclockid(thread.ident or 0))


def usable_cores() -> int:
    """Number of processor cores that this process may use."""
    if sys.platform == "win32":
        return os.cpu_count() or 1
    return len(os.sched_getaffinity(0))


def needs_display_server() -> bool:
    """Whether a window needs an X server, which DISPLAY names; Windows always has its desktop."""
    return sys.platform != "win32"


def private_endpoints(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """An endpoint of this host for each of `names`: a Unix socket in `folder`.

    On Windows, which has none for ZeroMQ, it is a port of the loopback interface that is free now,
    and that other users of the computer can reach.
    """
    if sys.platform == "win32":
        with ExitStack() as opened:
            # all at once, so that no port is chosen twice
            doors = [opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in names]
            ports = [door.getsockname()[1] for door in doors]
        return {name: f"tcp://127.0.0.1:{port}" for name, port in zip(names, ports, strict=True)}
    return {name: f"ipc://{folder / name}" for name in names}


class StoppablePopen(subprocess.Popen[bytes]):
    """A child process that Ctrl-C in the terminal of its parent does not reach.

    Parameters
    ----------
    argv
        The program and its arguments.
    log
        File that gets its standard output and error.
    env
        Its environment; that of this process where it is None.
    """

    def __init__(
        self, argv: Sequence[str], *, log: IO[bytes], env: Mapping[str, str] | None
    ) -> None:
        group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            # only the process of such a group can be sent Ctrl-Break alone
            group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        super().__init__(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=None if env is None else dict(env),
            **group,
        )

    def terminate(self) -> None:
        """Ask the process to end; on Windows `subprocess` would end it at once."""
        if sys.platform == "win32":
            self.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            super().terminate()


def continue_as(argv: Sequence[str]) -> NoReturn:
    """Run the program `argv` in place of this process, with its terminal and its exit code.

    Windows cannot replace a process: there this one waits for the program, and leaves interrupts
    to it.
    """
    if sys.platform == "win32":
        for number in STOP_SIGNALS:
            signal.signal(number, _leave_to_child)
        raise SystemExit(subprocess.call(list(argv)))  # noqa: S603 - our own program
    os.execv(argv[0], list(argv))  # noqa: S606 - our own program


def _leave_to_child(_number: int, _frame: FrameType | None) -> None:
    """Ctrl-C reaches all processes of a console, and the child ends by it."""
