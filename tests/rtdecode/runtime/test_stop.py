"""A real child that is told to stop returns 0; one whose parent was killed does not stay."""

import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from threading import Timer

import pytest

from rtdecode.runtime.stop import SignalEvent, stopped_by_signals

pytestmark = pytest.mark.system

CHILD = dedent("""
    from rtdecode.runtime.stop import stop_on_signals, stop_with_parent, temporary_folder
    stop = stop_on_signals()
    stop_with_parent(stop)
    print("ready", flush=True)
    stop.wait(120)
    if {stays}:
        import time
        with temporary_folder("rtdecode-") as folder:
            (folder / "file").touch()
            print(folder, flush=True)
            while True:
                time.sleep(0.01)
    raise SystemExit(0 if stop.is_set() else 1)
""")


def child(*, stays: bool = False) -> "subprocess.Popen[bytes]":
    made = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(stays=stays)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert made.stdout is not None
    assert made.stdout.readline() == b"ready\n"
    return made


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_code_0(number: signal.Signals) -> None:
    with child() as running:
        running.send_signal(number)
        assert running.wait(60) == 0


def test_the_end_of_the_parent_ends_it() -> None:
    with child() as running:
        assert running.stdin is not None
        running.stdin.close()
        assert running.wait(60) == 0


def test_a_second_signal_ends_one_that_hangs_and_removes_its_temporary_folder() -> None:
    with child(stays=True) as running:
        running.send_signal(signal.SIGINT)
        assert running.stdout is not None
        folder = Path(running.stdout.readline().decode().strip())
        assert (folder / "file").exists()
        while running.poll() is None:
            running.send_signal(signal.SIGINT)
        assert running.returncode == 130
    assert not folder.exists()


def test_after_the_block_signals_do_what_they_did_before() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupt_in_and_after_the_block()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_while_the_event_is_locked_sets_it(number: signal.Signals) -> None:
    with stopped_by_signals() as stop:
        # as at the begin and at the end of `Event.wait`
        with stop._cond:
            signal.raise_signal(number)
        assert stop.is_set()
        assert stop.wait()


def test_a_wait_ends_when_the_event_is_set_or_its_time_is_over() -> None:
    stop = SignalEvent()
    assert not stop.wait(0.0)
    assert not stop.wait(0.01)
    setter = Timer(0.01, stop.set)
    setter.start()
    assert stop.wait()
    setter.join()


def interrupt_in_and_after_the_block() -> None:
    with stopped_by_signals() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
    signal.raise_signal(signal.SIGINT)
