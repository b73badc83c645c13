"""Markdown tables from the committed benchmark results, for `doc_tables.py`."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def content(name: str) -> Any:
    """All of `benchmarks/results/NAME.json`."""
    file = ROOT / "benchmarks" / "results" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8"))


def result(name: str) -> Any:
    """The figures in `benchmarks/results/NAME.json`, without config and environment."""
    return content(name)["results"]


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def filled(page: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """`page` with each table between its two comments."""
    for name, make in tables.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        between = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
        if not between.search(page):
            raise ValueError(
                f"the page lacks the place of table {name}: expected {begin} and {end}"
            )
        new = f"{begin}\n{make()}\n{end}"
        page = between.sub(lambda _, new=new: new, page)  # type: ignore[misc]
    return page
