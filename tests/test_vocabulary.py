"""Names and sentences use the terms of the field: see docs/glossary.md."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("acquisition_bridge", "rtdecode", "stimulus")
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "rtdecode" / "view" / "static").glob("*.*")),
]

PRIVATE_WORDS = {
    "alike", "beat", "bend", "desk", "forget", "greet", "heard", "hears", "hello", "ladder",
    "ledger", "looked", "nowhere", "orders", "programme", "reel", "released", "rung", "rungs",
    "showings", "smear", "stretch", "strict", "surprise", "tape", "ticket", "trust",
}  # fmt: skip
"""Words that stood for terms which the field has; none is part of an identifier."""
PRIVATE_NAMES = {
    "begin_newest", "control_desk", "control_line", "greatest_curvature", "less_shared",
    "shown_frame", "shown_share", "truth_log", "wait_for_go", "whole_file",
}  # fmt: skip
LIBRARY_NAMES = {"strict", "strict_map_key", "released"}
"""Parameters of other libraries that carry such a word: `zip(…, strict=True)`."""
TERMS = {"rtdecode/twins/compact": {"orders", "row_orders", "col_orders"}}
"""Words that are the field's own term in one folder: orders of Hermite functions."""

PHRASES = (
    "outshouting", "next to nothing", "not taken for an image", "tells late", "tell late",
    "whole again", "made whole", "sum session up", "go on after a kill", "goes on after a kill",
    "by turns", "anyhow", "clearly masks", "share of their scatter", "decided about older frames",
    "taken at its word", "taken at their word", "keeps silent", "last words", "taken back",
    "linear guess", "lost: nothing", "all that waits",
)  # fmt: skip
"""Phrases that make a reader guess, or that make a person of a thing."""

SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tokens(path: Path) -> Iterator[tokenize.TokenInfo]:
    yield from tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)


def words_of(identifier: str) -> set[str]:
    """`ControlDesk` and `control_desk` have the words control and desk."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", identifier)
    return {word.lower() for word in spaced.split("_") if word}


def snake(identifier: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", identifier).lower()


def is_private(identifier: str) -> bool:
    if identifier in LIBRARY_NAMES:
        return False
    return bool(words_of(identifier) & PRIVATE_WORDS) or any(
        name in snake(identifier) for name in PRIVATE_NAMES
    )


def test_identifiers_are_split_into_words() -> None:
    assert words_of("ControlDesk") == words_of("_control_desk") == {"control", "desk"}
    assert is_private("_tape")
    assert is_private("GreatestCurvature")
    assert not is_private("strict")
    assert not is_private("tapered")


@pytest.mark.parametrize("package", PACKAGES)
def test_no_identifier_is_a_private_word(package: str) -> None:
    found = {
        f"{shown(path)}: {token.string}"
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] == package
        for token in tokens(path)
        if token.type == tokenize.NAME and is_private(token.string)
        if token.string not in TERMS.get(shown(path.parent), set())
    }
    files = {shown(path) for path in SOURCES if is_private(path.stem)}
    assert sorted(found | files) == []


@pytest.mark.parametrize("page", [*SOURCES, *PAGES], ids=shown)
def test_no_phrase_makes_the_reader_guess(page: Path) -> None:
    if page.suffix not in {".py", ".md", ".html", ".js"}:
        pytest.skip("no text")
    text = " ".join(page.read_text(encoding="utf-8").lower().split())
    assert [phrase for phrase in PHRASES if phrase in text] == []
