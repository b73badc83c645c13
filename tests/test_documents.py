"""Pages of the project: line width, and files that they name."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
WIDTH, PARAGRAPH_LINES = 100, 6
PATH = re.compile(r"`((?:rtdecode|acquisition_bridge|stimulus)/[\w/]+\.py)`")


def prose(page: Path) -> list[tuple[int, str]]:
    """Numbered lines that are neither code, nor a table, nor one unbreakable word."""
    lines, in_code = [], False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("```"):
            in_code = not in_code
        elif not in_code and not line.startswith(("|", "![", "    ")):
            lines.append((number, line))
    return lines


def paragraphs(page: Path) -> list[list[int]]:
    found: list[list[int]] = [[]]
    for number, line in prose(page):
        if not line.strip() or line.startswith(("#", "- ", "* ", ">", "<!--", "[")):
            found.append([])
        if line.strip():
            found[-1].append(number)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_prose_wraps(page: Path) -> None:
    assert [f"{page.name}:{n}" for n, line in prose(page) if len(line) > WIDTH] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paragraphs_are_short(page: Path) -> None:
    long = [lines[0] for lines in paragraphs(page) if len(lines) > PARAGRAPH_LINES]
    assert [f"{page.name}:{number}" for number in long] == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent.name != "decisions"], ids=lambda page: page.name
)
def test_files_that_are_named_exist(page: Path) -> None:
    named = PATH.findall(page.read_text(encoding="utf-8"))
    assert sorted({name for name in named if not (ROOT / name).is_file()}) == []
