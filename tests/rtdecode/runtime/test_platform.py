"""The branch of Windows does the same as that of Linux, as far as this can be shown on Linux.

Each part runs in a process of its own on this system, and in one that finds what Windows has
(`tests/fixtures/as_windows`); both must print the same.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "fixtures" / "as_windows"
FILES = """
from pathlib import Path
from rtdecode.runtime.platform import opened_to_write, read_at, reserve, write_at
file = opened_to_write(Path("a"))
reserve(file, 10)
write_at(file, b"\\n7", 3)
reserve(file, 4)
print(Path("a").read_bytes())
with open("a", "rb") as again:
    print(read_at(again.fileno(), 3, 2), read_at(again.fileno(), 9, 8))
"""
LOCK = """
from rtdecode.schema.errors import SecondInstanceError
from rtdecode.session.layout import SessionLock, new_session
from datetime import datetime, timezone
from pathlib import Path
session = new_session(Path("sessions"), started=datetime.now(timezone.utc))
with SessionLock(session):
    try:
        SessionLock(session)
    except SecondInstanceError as error:
        import os
        print(str(os.getpid()) in str(error))
SessionLock(session).release()
"""
CHILD = """
import sys, time
from pathlib import Path
from rtdecode.runtime.platform import StoppablePopen
program = '''
from rtdecode.runtime.stop import stop_on_signals
stop = stop_on_signals()
print("ready", flush=True)
print(stop.wait(120))
'''
with open("log", "wb") as log:
    child = StoppablePopen([sys.executable, "-c", program], log=log, env=None)
while "ready" not in Path("log").read_text(encoding="ascii"):
    time.sleep(0.02)
child.terminate()
print(child.wait(), Path("log").read_text(encoding="ascii").split())
child.stdin.close()
"""
SUCCESSOR = """
import sys
from rtdecode.runtime.platform import continue_as
print("before", flush=True)
continue_as([sys.executable, "-c", "print('after'); raise SystemExit(3)"])
"""
THREADS = """
import threading
from rtdecode.runtime.clock import processor_ns
from rtdecode.runtime.platform import lower_priority, usable_cores
here = threading.current_thread()
print(processor_ns(here) > 0, usable_cores() > 0)
# not this one, which would then wait on a busy machine until all others are idle
waiting = threading.Thread(target=threading.Event().wait, daemon=True)
waiting.start()
lower_priority(waiting, nice=19)
"""
TERMINAL = """
from rtdecode.runtime.terminal import single_keys
with single_keys() as read_key:
    print(read_key)
"""
ENDPOINTS = """
from pathlib import Path
from rtdecode.runtime.platform import private_endpoints
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.control import ControlServer
from rtdecode.runtime.clock import HostClock
found = private_endpoints(Path.cwd(), ["a", "b", "c"])
with Messaging() as messaging:
    for address in found.values():
        ControlServer(messaging, clock=HostClock(), endpoint=address)
print(list(found), len(set(found.values())))
"""
PARTS = {
    "endpoints": (ENDPOINTS, ["['a', 'b', 'c'] 3"]),
    "files": (
        FILES,
        ["b'\\x00\\x00\\x00\\n7\\x00\\x00\\x00\\x00\\x00'", "b'\\x00\\n7' b'\\x00\\x00'"],
    ),
    "lock": (LOCK, ["True"]),
    "child": (CHILD, ["0 ['ready', 'True']"]),
    "successor": (SUCCESSOR, ["before", "after"]),
    "threads": (THREADS, ["True True"]),
    "terminal": (TERMINAL, ["None"]),
}
EXIT_CODES = {"successor": 3}


@pytest.mark.system
@pytest.mark.parametrize("system", ["linux", "windows"])
@pytest.mark.parametrize("part", PARTS)
def test_a_part_does_the_same_on_both_systems(tmp_path: Path, part: str, system: str) -> None:
    script, expected = PARTS[part]
    path = [str(FOLDER)] if system == "windows" else []
    path += filter(None, [os.environ.get("PYTHONPATH", "")])
    told = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path), "TMPDIR": str(tmp_path)},
    )
    assert told.returncode == EXIT_CODES.get(part, 0), told.stderr
    assert told.stdout.splitlines() == expected
