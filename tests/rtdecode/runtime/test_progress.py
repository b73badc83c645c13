"""A process finds the numbers of the last step of the one before it, also after a kill."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rtdecode.runtime.progress import Progress, kept_progress
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
