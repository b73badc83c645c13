import json
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from rtdecode.runtime.run_info import git_revision
from rtdecode.session import environment
from rtdecode.session.environment import environment_here, package_versions


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_versions_are_those_that_are_installed() -> None:
    assert package_versions()["numpy"] == version("numpy")


def test_a_package_that_is_absent_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "RECORDED_PACKAGES", ("numpy", "no-such-package-at-all"))
    assert list(package_versions()) == ["numpy"]


def test_the_revision_is_the_commit_and_tells_of_changes(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    file = tmp_path / "file"
    file.write_text("a")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-qm", "first")
    commit = git(tmp_path, "rev-parse", "--short=12", "HEAD")
    assert git_revision(tmp_path) == commit
    file.write_text("b")
    assert git_revision(tmp_path) == f"{commit}-dirty"


def test_outside_a_checkout_the_revision_is_unknown(tmp_path: Path) -> None:
    assert git_revision(tmp_path) == "unknown"


def test_the_environment_is_saved_as_json(tmp_path: Path) -> None:
    here = environment_here()
    here.save(tmp_path / "environment.json")
    saved = json.loads((tmp_path / "environment.json").read_text())
    assert saved["cores"] == here.cores >= 1
    assert saved["versions"]["mcap"] == version("mcap")
    assert saved["memory_mb"] > 100
