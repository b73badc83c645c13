"""A process finds the numbers of the last step of the one before it, also after a kill."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rtdecode.runtime.progress import SLOT_BYTES, KeptMessages, Progress, kept_progress
from rtdecode.schema.config import RunConfig

NAMES = ("number", "t_end_ns")
KILLED = """
import os, signal, sys
from pathlib import Path
from rtdecode.runtime.progress import Progress
progress = Progress(Path(sys.argv[1]), ("number", "t_end_ns"))
for number in range(1000):
    progress.write(number, 2 * number)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_numbers_of_the_last_step_are_read(tmp_path: Path) -> None:
    with Progress(tmp_path / "kept", NAMES) as progress:
        for number in range(5):
            progress.write(number, -number)
        assert Progress(tmp_path / "kept", NAMES).read() == {"number": 4, "t_end_ns": -4}
    progress.remove()
    assert Progress(tmp_path / "kept", NAMES).read() is None


@pytest.mark.system
def test_they_remain_after_a_kill(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", KILLED, str(tmp_path / "kept")]
    assert subprocess.run(argv, check=False).returncode == -9
    assert Progress(tmp_path / "kept", NAMES).read() == {"number": 999, "t_end_ns": 1998}


@pytest.mark.parametrize("content", [b"", b"rtd1", b"x" * 20, b"rtd1" + b"\0" * 24])
def test_a_file_of_another_form_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "kept").write_bytes(content)
    assert Progress(tmp_path / "kept", NAMES).read() is None


@pytest.mark.parametrize("session", ["", "elsewhere"])
def test_a_process_without_a_session_folder_keeps_nothing(tmp_path: Path, session: str) -> None:
    config = RunConfig.model_validate({"record": {"folder": tmp_path}})
    run_info: Any = SimpleNamespace(session=session)
    with kept_progress(config, run_info, file="bridge.progress", names=NAMES) as progress:
        progress.write(1, 2)
        assert progress.read() is None
    progress.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_process_keeps_its_numbers_in_its_session_folder(tmp_path: Path) -> None:
    (tmp_path / "session").mkdir()
    config = RunConfig.model_validate({"record": {"folder": tmp_path}})
    run_info: Any = SimpleNamespace(session="session")
    with kept_progress(config, run_info, file="bridge.progress", names=NAMES) as progress:
        progress.write(1, 2)
    assert (tmp_path / "session" / "bridge.progress").is_file()


def test_kept_messages_have_their_room_on_the_disk_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    with KeptMessages(path, slots=256) as kept:
        before = path.stat()
        assert before.st_blocks * 512 >= 256 * SLOT_BYTES
        assert kept.read() == {}
        for number in range(300):
            kept.write(number, b"x" * kept.longest)
        after = path.stat()
    assert (after.st_size, after.st_blocks) == (before.st_size, before.st_blocks)
    # opened again, as by a process that was started again, it has what was kept
    with KeptMessages(path, slots=256) as again:
        assert list(again.read()) == list(range(44, 300))
