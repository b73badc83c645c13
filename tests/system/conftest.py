"""Commands as real processes, and a check that they leave no process running."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from chromium import browser, tab

MARK = "RTDECODE_TEST_FOLDER"
Running = subprocess.Popen[str]


class User:
    """Types commands in `folder`; `environment` is added to its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {MARK: str(folder)}

    def config(self, **sections: Any) -> Path:
        """Write a config; sections as in the file."""
        path = self.folder / "run.yaml"
        path.write_text(yaml.safe_dump(sections))
        return path

    def told(self, *command: object) -> subprocess.CompletedProcess[str]:
        """What `rtdecode COMMAND` said, once it has ended."""
        return subprocess.run(
            self._argv(command),
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
            cwd=self.folder,
        )

    @contextmanager
    def running(self, *command: object) -> Iterator[Running]:
        """`rtdecode COMMAND` while it runs; what it says on stderr comes with stdout."""
        with subprocess.Popen(
            self._argv(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
            cwd=self.folder,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def left_running(self) -> list[str]:
        """Command lines of all processes of this user's commands that do not end by themselves."""
        _, stay = psutil.wait_procs(list(self._descendants()), timeout=30)
        found = []
        for process in stay:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                found.append(" ".join(process.cmdline()))
        return found

    def end_all(self) -> None:
        """Kill what a test has left when it failed or its time was over."""
        for process in self._descendants():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process.kill()

    def _descendants(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if process.environ().get(MARK) == self.environment[MARK]:
                    yield process

    def _argv(self, command: Sequence[object]) -> list[str]:
        return [sys.executable, "-m", "rtdecode", *map(str, command)]


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    made = User(tmp_path)
    yield made
    made.end_all()
