"""Children of a run: what a process does with memory that it has freed."""

import platform
import sys
from pathlib import Path

import pytest

from rtdecode.pipeline.topology import TOPOLOGY
from rtdecode.runtime.children import ProcessSpec, spawned
from rtdecode.schema.config.roles import Role

WAITING_MB = 200
CHILD = f"""
import sys
from pathlib import Path
import psutil

def resident_mb():
    return psutil.Process().memory_info().rss / 1e6

before_mb = resident_mb()
waiting = [bytes(100_000) + b"x" for _ in range({WAITING_MB} * 10)]
del waiting
Path(sys.argv[1]).write_text(str(resident_mb() - before_mb))
"""


def gained_mb(folder: Path, *, keeps_memory: bool) -> float:
    """Resident memory that a child has gained once 200 MB of messages are freed."""
    result = folder / f"keeps_{keeps_memory}"
    argv = [sys.executable, "-c", CHILD, str(result)]
    spec = ProcessSpec("child", argv, keeps_memory=keeps_memory)
    child = spawned(spec, log_file=folder / "child.log", env=None)
    assert child.wait() == 0
    child.release()
    return float(result.read_text())


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are those of glibc")
def test_what_waited_is_returned_to_the_system_except_by_the_decoder(tmp_path: Path) -> None:
    assert gained_mb(tmp_path, keeps_memory=True) > 0.9 * WAITING_MB
    assert gained_mb(tmp_path, keeps_memory=False) < 0.1 * WAITING_MB
    assert [row.role for row in TOPOLOGY if row.keeps_memory] == [Role.DECODER]
