"""The tables of the docs are those of the results that are kept."""

from pathlib import Path

import pytest
from doc_tables import TABLES
from results_as_tables import filled


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.name)
def test_every_table_says_what_the_results_say(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert filled(text, TABLES[page]) == text, "run python benchmarks/doc_tables.py"
