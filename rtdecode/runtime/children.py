"""Child processes of a supervisor: how one is started, the end of its log, and its end.

A process has 10 s to end after its SIGTERM. While it holds messages for the recorder it has longer:
the limit is counted anew whenever the recorder takes some of them, and is not counted while the
recorder sends no heartbeat, as on a slow disk, for at most 60 s.
"""

import logging
import math
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtdecode.schema.errors import DataLostError
from rtdecode.schema.interfaces import Clock

log = logging.getLogger(__name__)
_STOP_S = 10.0
_TAIL_LINES = 12


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


def spawned(
    spec: ProcessSpec, *, log_file: Path, env: Mapping[str, str] | None
) -> "subprocess.Popen[bytes]":
    """The started process; its stdout and stderr are appended to `log_file`."""
    with log_file.open("ab") as stderr:
        return subprocess.Popen(  # noqa: S603 - the argv is built by pipeline, not by a user
            list(spec.argv),
            stdin=subprocess.PIPE,
            stdout=stderr,
            stderr=stderr,
            env=None if env is None else dict(env),
            start_new_session=True,
        )


def end_of_log(log_file: Path) -> str:
    """The last lines of the log of a process."""
    try:
        text = log_file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return f"{log_file} is gone: the session folder was removed or renamed during its run"
    return "\n".join(text.splitlines()[-_TAIL_LINES:])


def exit_code(
    popen: "subprocess.Popen[bytes]",
    *,
    name: str,
    clock: Clock,
    held_mb: Callable[[], float],
    recorder_is_awaited: Callable[[], bool],
) -> int:
    """Exit code of the process `name`, which is killed where it does not end in time.

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
    while popen.poll() is None:
        held = held_mb()
        if held < least_mb or recorder_is_awaited():
            least_mb, since_ns = held, clock.now_ns()
        if clock.now_ns() - since_ns > _STOP_S * 1e9:
            log.warning("%s did not end within %g s and is killed", name, _STOP_S)
            popen.kill()
            killed_code = DataLostError.exit_code if held else None
            break
    code = popen.wait()
    close_stdin(popen)
    return killed_code or code


def close_stdin(popen: "subprocess.Popen[bytes]") -> None:
    """End the standard input of a process: then it waits neither for the supervisor nor for data.

    Repeated calls have no effect.
    """
    if popen.stdin is not None:
        popen.stdin.close()
