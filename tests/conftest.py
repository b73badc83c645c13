"""What holds for every test: nothing is left running, and shared data are found or skipped."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "rtdecode",
    # A busy machine is no failure: time is never what a property is about.
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=50,
    # The same examples each time: what passed once passes on every machine.
    derandomize=True,
)
# Other examples each time, and more of them: `pytest --hypothesis-profile explore`.
settings.register_profile(
    "explore", settings.get_profile("rtdecode"), derandomize=False, max_examples=500
)
settings.load_profile("rtdecode")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs the suite in the background has it ignored by all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_SLOW = 20
"""Tests that take as long together as one with the marker `slow`."""
_CHECKOUT = Path(__file__).resolve().parents[1]
_PATIENCE_S = 30.0
_PYTHONS_OWN = b"multiprocessing.resource_tracker"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files that take long begin first, so that no worker has the last one alone."""
    costs = Counter[Path]()
    for item in items:
        costs[item.path] += 1 if item.get_closest_marker("slow") is None else _SLOW
    items.sort(key=lambda item: -costs[item.path])


def child_processes() -> set[int]:
    """Process ids of this process's children, the dead that nobody waited for among them."""
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    children = {int(pid) for task in tasks for pid in _children_of(task)}
    return {pid for pid in children if not _is_pythons_own(pid)}


def _children_of(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except OSError:
        # the thread ended since it was listed; its children are now another thread's
        return []


def _is_pythons_own(pid: int) -> bool:
    try:
        return _PYTHONS_OWN in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    threads, children = set(threading.enumerate()), child_processes()
    yield
    left = [thread for thread in threading.enumerate() if thread not in threads]
    for thread in left:
        # One that is just ending is not one left behind.
        thread.join(_PATIENCE_S)
    running = [thread.name for thread in left if thread.is_alive()]
    orphans = child_processes() - children
    for pid in orphans:
        # also one that was stopped, by a test that failed before it let it go on
        os.kill(pid, signal.SIGKILL)
    if running or orphans:
        pytest.fail(f"left behind: threads {running}, child processes {sorted(orphans)}")


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder of measured data beside the checkout (RTDECODE_SHARED names another)."""
    folder = Path(os.environ.get("RTDECODE_SHARED", _CHECKOUT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no measured data at {folder}; set RTDECODE_SHARED to where they are")
    return folder
