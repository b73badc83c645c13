"""What the README and the other pages tell a reader to do can be done."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from every_verb import verbs

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
SHELL = {"sh", "bash", "console"}


def blocks(page: Path, languages: set[str]) -> Iterator[str]:
    for language, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language in languages:
            yield body


def commands() -> Iterator[list[str]]:
    for page in PAGES:
        for block in blocks(page, SHELL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if words:
                    yield words


def commands_of(program: str) -> list[list[str]]:
    return [words for words in commands() if words[0].removeprefix(".venv/bin/") == program]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_make_target_that_is_named_exists() -> None:
    made = set(
        re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    named = {word for words in commands_of("make") for word in words[1:] if "=" not in word}
    assert named
    assert named <= made


def test_every_verb_and_option_that_is_named_exists() -> None:
    options = {
        name: {word for one in command.params for word in (*one.opts, *one.secondary_opts)}
        for name, command in verbs()
    }
    for words in commands_of("rtdecode"):
        if words[1].startswith("--"):
            continue
        known = options.get(" ".join(words[1:3]), options.get(words[1]))
        assert known is not None, words
        named = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert named - known - {"--help"} == set(), words


RUN_ELSEWHERE = {"session.md", "notebook.md", "export.md"}
"""Pages whose blocks need a session: tests/test_session_page.py runs those of the first with one,
tests/rtdecode/notebook/test_page.py and tests/rtdecode/export those of the others."""


def test_every_python_block_runs() -> None:
    for page in (page for page in PAGES if page.name not in RUN_ELSEWHERE):
        for block in blocks(page, {"python"}):
            command = [sys.executable, "-W", "error", "-c", block]
            told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            assert told.returncode == 0, f"{page.name}:\n{block}\n{told.stderr}"
