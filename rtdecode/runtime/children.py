"""Processes of a run for their supervisor: how a child is started, the end of its log, its end.

A process has 10 s to end after its SIGTERM. While it holds messages for the recorder it has longer:
the limit is counted anew whenever the recorder takes some of them, and is not counted while the
recorder sends no heartbeat, as on a slow disk, for at most 60 s, nor while its host is silent.
"""

import logging
import math
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from rtdecode.runtime.platform import StoppablePopen
from rtdecode.schema.errors import DataLostError, RtdecodeError
from rtdecode.schema.interfaces import Clock

log = logging.getLogger(__name__)
_STOP_S = 10.0
_TAIL_LINES = 12
_TAIL_BYTES = 8192
ONE_THREAD: Mapping[str, str] = MappingProxyType(
    {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
    }
)
"""Environment of every process of the run: one thread for each library."""
_FREED_MEMORY_IS_KEPT: Mapping[str, str] = MappingProxyType(
    # By default glibc returns freed memory to the system after every step and requests it again,
    # which makes torch on the CPU several times slower.
    {"MALLOC_TRIM_THRESHOLD_": "268435456", "MALLOC_MMAP_THRESHOLD_": "268435456"}
)
_FREED_MEMORY_IS_RETURNED: Mapping[str, str] = MappingProxyType(
    # What waited during a fault would otherwise remain with the process, piece by piece.
    {
        "MALLOC_ARENA_MAX": "2",
        "MALLOC_TRIM_THRESHOLD_": "1048576",
        "MALLOC_MMAP_THRESHOLD_": "262144",
    }
)


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process: how it is started, and what its end means."""

    name: str
    argv: Sequence[str]
    restarts: bool = False
    """Whether it is started again after a failure."""
    is_essential: bool = True
    """Whether too many failures within a time end the run."""
    ends_run: bool = False
    """Whether its clean end ends the run, as the end of a movie does."""
    host: str = ""
    """Name of the joined host that runs it; empty for this one."""
    is_held: bool = False
    """Whether its start waits for what begins the session."""
    keeps_memory: bool = False
    """Whether freed memory stays with it, because it needs the same again in the next step."""


class ProcessHandle(Protocol):
    """A process of the run, on this host or on another one."""

    @property
    def pid(self) -> int:
        """Process number on its host."""

    @property
    def is_reachable(self) -> bool:
        """False while its host is silent or has not joined: then its silence means nothing."""

    @property
    def reachable_since_ns(self) -> int:
        """Since when its host can be reached; 0 for this host."""

    @property
    def is_awaited(self) -> bool:
        """Whether its end is waited for although its host is silent now."""

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""

    def wait(self) -> int:
        """Its exit code, once it has ended."""

    def terminate(self) -> None:
        """Let it end once the recorder has taken what it holds."""

    def release(self) -> None:
        """Let it wait neither for the supervisor nor for the recorder; may be repeated."""

    def kill(self) -> None:
        """End it at once."""

    def end_of_log(self) -> str:
        """The last lines of its log."""


class ChildProcess:
    """A process on this host, started as a child of this one."""

    is_reachable, reachable_since_ns, is_awaited = True, 0, False

    def __init__(self, popen: "subprocess.Popen[bytes]", log_file: Path) -> None:
        self._popen, self._log_file = popen, log_file

    @property
    def pid(self) -> int:
        return self._popen.pid

    def poll(self) -> int | None:
        return self._popen.poll()

    def wait(self) -> int:
        return self._popen.wait()

    def terminate(self) -> None:
        self._popen.terminate()

    def release(self) -> None:
        if self._popen.stdin is not None:
            self._popen.stdin.close()

    def kill(self) -> None:
        self._popen.kill()

    def end_of_log(self) -> str:
        return end_of_log(self._log_file)


class NotStarted:
    """A process that could not be started: it has ended with the code and sentence of `error`."""

    pid, is_reachable, reachable_since_ns, is_awaited = 0, True, 0, False

    def __init__(self, error: RtdecodeError) -> None:
        self._error = error

    def poll(self) -> int | None:
        return self._error.exit_code

    def wait(self) -> int:
        return self._error.exit_code

    def terminate(self) -> None:
        """Has no effect, as `release` and `kill`."""

    release = kill = terminate

    def end_of_log(self) -> str:
        return str(self._error)


def spawned(
    spec: ProcessSpec,
    *,
    log_file: Path,
    env: Mapping[str, str] | None,
    starts: int = 1,
    detail: str = "",
) -> ChildProcess:
    """The started process; its stdout and stderr are appended to `log_file`.

    Parameters
    ----------
    starts
        Number of its starts with this one.
    detail
        Detail of its last heartbeat before this start.
    """
    again = ["--restarts", str(starts - 1), f"--before-restart={detail}"] if starts > 1 else []
    memory = _FREED_MEMORY_IS_KEPT if spec.keeps_memory else _FREED_MEMORY_IS_RETURNED
    env = {**(os.environ if env is None else env), **memory}
    with log_file.open("ab") as stderr:
        popen = StoppablePopen([*spec.argv, *again], log=stderr, env=env)
    return ChildProcess(popen, log_file)


def end_of_log(log_file: Path) -> str:
    """The last lines of the log of a process."""
    try:
        with log_file.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return f"{log_file} is gone: the session folder was removed or renamed during its run"
    return "\n".join(text.splitlines()[-_TAIL_LINES:])


def exit_code(
    process: ProcessHandle,
    *,
    name: str,
    clock: Clock,
    held_mb: Callable[[], float],
    recorder_is_awaited: Callable[[], bool],
) -> int:
    """Exit code of `process`, which is killed where it does not end in time.

    The code of lost data (3) if it was killed while it held messages for the recorder.

    Parameters
    ----------
    held_mb
        Takes the messages that have arrived; MB that the process holds for the recorder.
    recorder_is_awaited
        Whether the recorder sends no heartbeat now, and may still go on.
    """
    killed_code: int | None = None
    least_mb, since_ns = math.inf, clock.now_ns()
    while process.poll() is None:
        held = held_mb()
        if held < least_mb or recorder_is_awaited() or process.is_awaited:
            least_mb, since_ns = held, clock.now_ns()
        if clock.now_ns() - since_ns > _STOP_S * 1e9:
            log.warning("%s did not end within %g s and is killed", name, _STOP_S)
            process.kill()
            killed_code = DataLostError.exit_code if held else None
            break
    code = process.wait()
    process.release()
    return killed_code or code
