"""Ctrl-C at any time ends the command soon, keeps the recording and leaves no process."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from rtdecode.session.reader import LogReader

pytestmark = pytest.mark.system

NOBODY_SENDS = {"kind": "zmq_native", "address": "tcp://127.0.0.1:*"}
Running = subprocess.Popen[str]


@contextmanager
def recording(user: Any, *, until: str) -> Iterator[Running]:
    """A run that would last forever, once it has said `until`."""
    config = user.config(
        processes=["recorder", "bridge", "view"], acquisition={"source": NOBODY_SENDS}
    )
    with user.running("run", config, "--out", "s") as running:
        read_until(running, until)
        yield running


def read_until(running: Running, words: str) -> None:
    assert running.stdout is not None
    seen = []
    for line in running.stdout:
        seen.append(line)
        if words in line:
            return
    pytest.fail(f"it never said {words}: {''.join(seen)}")


def interrupted(running: Running) -> str:
    running.send_signal(signal.SIGINT)
    return running.communicate()[0]


def all_gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=60)
    return not alive


def test_an_interrupt_during_the_start_records_nothing_and_is_reported(user: Any) -> None:
    with recording(user, until="recorder: ready") as running:
        said = interrupted(running)
    assert running.returncode == 0, said
    assert "stopped before it began: nothing was recorded" in said
    assert user.left_running() == []


def test_an_interrupt_of_a_run_leaves_a_complete_log_and_a_summary(user: Any) -> None:
    with recording(user, until="bridge: running") as running:
        said = interrupted(running)
    assert running.returncode == 0, said
    assert "stopped as asked" in said
    assert "the log is complete; no message was lost" in said
    assert user.left_running() == []


def test_twice_it_ends_at_once_and_the_processes_follow(user: Any) -> None:
    with recording(user, until="bridge: running") as running:
        children = psutil.Process(running.pid).children(recursive=True)
        while running.poll() is None:
            running.send_signal(signal.SIGINT)
    assert running.returncode == 130
    assert all_gone(children)
    assert LogReader(Path(user.folder / "s" / "log.mcap")).summary().complete


def test_an_interrupt_of_the_report_names_the_command_that_writes_it(user: Any) -> None:
    with recording(user, until="bridge: running") as running:
        running.send_signal(signal.SIGINT)
        read_until(running, "reading the log")
        said = interrupted(running)
    assert running.returncode == 130, said
    assert "the recording is kept; `rtdecode score s` computes its summary" in said
    assert user.told("score", "s").returncode == 0
    assert user.left_running() == []
