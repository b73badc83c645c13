"""Hook of mkdocs: the pages and files of the site that do not lie in docs/, and the links to them.

README, changelog, security and contributing pages lie at the root of the project, where people look
for them, and documents link to examples in configs/. The site has the former as pages and the
latter as files, and each relative link leads to where its target lies in the site.
"""

import os
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
}
"""Page of the site of each document at the root."""
RECORDS = "decisions/index.md"
_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s#]+)(#[^)\s]*)?\)")
_URL = re.compile(r"[a-z]+:", re.IGNORECASE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents at the root, the list of decisions, and the files that pages link to."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, RECORDS, content=_records()))
    linked = {target for file in files.documentation_pages() for target in _files_of(file)}
    for target in sorted(linked):
        files.append(
            File.generated(config, f"files/{target}", abs_src_path=os.fspath(ROOT / target))
        )
    return files


def on_page_markdown(markdown: str, *, page: Page, **_more: Any) -> str:
    """Lead each relative link to where its target lies in the site."""
    here = page.file.src_uri

    def led(found: re.Match[str]) -> str:
        opening, target, anchor = found[1], found[2], found[3] or ""
        if _URL.match(target):
            return found[0]
        place = _in_site(_from_root(here, target))
        if place is None:
            return opening[1:-2]
        return f"{opening}{posixpath.relpath(place, posixpath.dirname(here) or '.')}{anchor})"

    return _LINK.sub(led, markdown)


def _files_of(file: File) -> set[str]:
    """Files outside docs/ that a page links to, relative to the root."""
    targets = {found[2] for found in _LINK.finditer(file.content_string)}
    places = {_from_root(file.src_uri, one) for one in targets if not _URL.match(one)}
    return {
        place
        for place in places
        if not place.startswith("docs/") and place not in PAGES and (ROOT / place).is_file()
    }


def _from_root(page: str, target: str) -> str:
    """Path of a link's target relative to the root of the project."""
    source = next((name for name, place in PAGES.items() if place == page), f"docs/{page}")
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))


def _in_site(place: str) -> str | None:
    """Where a file of the project lies in the site; None for a folder, which has no page."""
    if place in PAGES:
        return PAGES[place]
    if (ROOT / place).is_dir():
        return None
    return place.removeprefix("docs/") if place.startswith("docs/") else f"files/{place}"


def _records() -> str:
    """A page that lists the decision records by their titles."""
    lines = ["# Decisions", "", "Why things are as they are, in the order of the decisions.", ""]
    for record in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        title = record.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        lines.append(f"- [{title}]({record.name})")
    return "\n".join(lines) + "\n"
