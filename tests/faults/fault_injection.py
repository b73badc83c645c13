"""The faults themselves: what is done to a live run, and until when it is waited."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
from fault_cells import Cell, Fault
from fault_run import FaultRun, Left, prepared

DISK_MB, LEFT_MB = 700, 6
FILLER = "filler"
_AFTER_S = 3.0
_FORWARDED_S = _HUNG_S = 20.0
_BACK_S = 180.0
"""Time within which a process must run again; where it hangs at its start, this takes longest."""


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of DISK_MB at `folder`."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", str(folder)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def fill(folder: Path) -> None:
    """Write a file that leaves LEFT_MB of the disk."""
    free = shutil.disk_usage(folder).free - LEFT_MB * 1_000_000
    with (folder / FILLER).open("wb") as file:
        for _ in range(free // 1_000_000):
            file.write(bytes(1_000_000))


@contextmanager
def faulty_run(cell: Cell, folder: Path) -> Iterator[Left]:
    """Run `cell` in `folder`; its session exists while the block runs."""
    with ExitStack() as stack:
        if cell.fault is Fault.DISK_FULL:
            stack.enter_context(small_disk(folder / "session"))
        for file in prepared().iterdir():
            (folder / file.name).symlink_to(file)
        run = FaultRun(cell, folder)
        stack.callback(run.close)
        run.start()
        inject(run)
        left = run.end()
        (left.session / FILLER).unlink(missing_ok=True)
        yield left


def inject(run: FaultRun) -> None:
    """Make the fault of the cell, and wait until the run has got over it or ended."""
    cell = run.cell
    if cell.fault in (Fault.KILL, Fault.STOP, Fault.HANG, Fault.HANG_AT_START):
        _hit(run)
    elif cell.fault is Fault.SLOW_DISK:
        for _ in range(5):
            _stopped(run, 2.0)
            time.sleep(1.0)
    elif cell.fault is Fault.DISK_FULL:
        fill(run.session)
        run.wait(lambda: False, patience_s=60.0)
    elif cell.fault is Fault.FORWARDED:
        run.tell("forwarder", "inject")
        time.sleep(_FORWARDED_S)
    elif cell.fault is Fault.RIG:
        run.tell("rig", f"inject {cell.detail}")
    elif cell.fault is Fault.CPU_HOG:
        with hogs(2 * (os.cpu_count() or 1)):
            run.wait(lambda: False, patience_s=cell.seconds)
    time.sleep(_AFTER_S)


@contextmanager
def hogs(count: int) -> Iterator[None]:
    """Processes that compute without a pause while the block runs."""
    endless = [sys.executable, "-c", "while True: pass"]
    started = [subprocess.Popen(endless) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def _hit(run: FaultRun) -> None:
    """Kill, stop or suspend the process of the cell; wait until it runs again, or the run ended."""
    line = f"{run.cell.process}: running"
    before, victim = run.count_of(line), _victim(run)
    if victim is None or not _is_restarted(run, victim):
        return
    if not run.wait(lambda: run.count_of(line) > before, patience_s=_BACK_S) and run.alive:
        run.notes.append(f"{run.cell.process} did not run again within {_BACK_S:.0f} s")


def _is_restarted(run: FaultRun, victim: psutil.Process) -> bool:
    """Make the fault; whether the process must be started again, or end the run."""
    if run.cell.fault is Fault.STOP:
        _stopped(run, run.cell.seconds)
        return run.process() != victim
    if run.cell.fault is Fault.HANG:
        victim.suspend()
        # messages are held for a recorder, and it is waited for until the end of the run
        is_recorder = run.cell.process == "recorder"
        time.sleep(_HUNG_S if is_recorder else 0)
        return not is_recorder
    victim.kill()
    if run.cell.fault is Fault.HANG_AT_START:
        run.wait(lambda: run.process() not in (None, victim), patience_s=_BACK_S)
        if (successor := _victim(run)) is not None:
            successor.suspend()
    return True


def _stopped(run: FaultRun, seconds: float) -> None:
    """Stop the process of the cell for `seconds`, or until it is killed meanwhile."""
    if (victim := _victim(run)) is not None:
        with suppress(psutil.Error):
            victim.suspend()
            run.wait(lambda: not victim.is_running(), patience_s=seconds)
            victim.resume()


def _victim(run: FaultRun) -> psutil.Process | None:
    """The process of the cell; that there is none is noted."""
    found = run.process()
    if found is None:
        run.notes.append(f"{run.cell.process} did not run")
    return found
