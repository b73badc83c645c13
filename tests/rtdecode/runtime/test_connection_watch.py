"""The end of a process is noticed by its connection, once, and not before it."""

import subprocess
import sys
from pathlib import Path

import pytest

from rtdecode.runtime.connection_watch import ConnectionWatch
from rtdecode.runtime.sockets import Messaging

SENDS = """
import sys, time
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.sockets import Messaging
messaging = Messaging()
where = {"publish": sys.argv[1], "record": "", "queue": 9}
publisher = Publisher(messaging, "events", clock=HostClock(), **where)
print(messaging._sockets[-1].get_string(32), flush=True)
while True:
    publisher.announce_start()
    time.sleep(0.01)
"""


def sender(endpoint: str) -> "tuple[subprocess.Popen[str], str]":
    process = subprocess.Popen(
        [sys.executable, "-c", SENDS, endpoint], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def killed(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


@pytest.mark.parametrize("over", ["ipc", "tcp"])
def test_a_killed_process_is_lost_once_and_again_after_it_came_back(
    tmp_path: Path, over: str
) -> None:
    process, endpoint = sender(f"ipc://{tmp_path}/e" if over == "ipc" else "tcp://127.0.0.1:*")
    absent = f"ipc://{tmp_path}/absent"
    with Messaging() as messaging:
        watch = ConnectionWatch(messaging, {"recorder": endpoint, "decoder": absent})
        for _ in range(2):
            while watch.connected != {"recorder"}:
                assert watch.lost() == []
            killed(process)
            while not (lost := watch.lost()):
                pass
            assert lost == ["recorder"]
            assert watch.connected == set()
            process, _ = sender(endpoint)
        killed(process)
