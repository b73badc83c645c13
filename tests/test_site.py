"""The site has every page of docs/ in its navigation, and its build finds every broken link."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import rtdecode

ROOT = Path(__file__).resolve().parents[1]
GENERATED = {"index.md", "decisions/index.md"}


def built(root: Path, site: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    named = set(re.findall(r"[\w/]+\.md", nav))
    there = {str(one.relative_to(ROOT / "docs")) for one in (ROOT / "docs").rglob("*.md")}
    records = {one for one in there if one.startswith("decisions/")}
    of_root = {one for one in named if one.startswith("project/")}
    assert there - records == named - GENERATED - of_root


def test_a_link_to_a_page_or_heading_that_is_not_there_ends_the_build(tmp_path: Path) -> None:
    for part in ("mkdocs.yml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        shutil.copy(ROOT / part, tmp_path / part)
    for folder in ("docs", "configs", "requirements"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for package in ("rtdecode", "acquisition_bridge", "stimulus"):
        (tmp_path / package).symlink_to(ROOT / package)
    page = tmp_path / "docs" / "page.md"
    page.write_text(page.read_text() + "\n[a](kays.md) [b](../SECURITY.md#none) [c](hosts.md)\n")
    done = built(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    assert "link 'kays.md'" in done.stderr
    assert "does not contain an anchor '#none'" in done.stderr
    assert "hosts.md'" not in done.stderr


def test_the_reference_has_every_public_name() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    named = {one.rpartition(".")[2] for one in re.findall(r"^::: ([\w.]+)$", page, re.MULTILINE)}
    assert named | {"__version__"} == set(rtdecode.__all__)
