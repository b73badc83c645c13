"""Write the tables of the docs from the results in `benchmarks/results`.

    python benchmarks/doc_tables.py

A test compares them with the results.
"""

from collections.abc import Callable
from pathlib import Path

import calcium_tables
import fault_tables
import host_tables
import limit_tables
import overload_tables
import page_tables
import performance_tables
import policy_tables
import quality_tables
import soak_tables
import speed_tables
from results_as_tables import ROOT, filled

TABLES: dict[Path, dict[str, Callable[[], str]]] = {
    ROOT / "README.md": {"quality": quality_tables.short_table},
    ROOT / "docs" / "decoder.md": {
        "table": quality_tables.quality_table,
        "mice": quality_tables.mice_table,
        "ensemble": quality_tables.ensemble_table,
        "stills": quality_tables.stills_table,
    },
    ROOT / "docs" / "calcium.md": calcium_tables.TABLES,
    ROOT / "docs" / "benchmarks.md": {
        "screen_masks": quality_tables.screen_masks_table,
        "population": quality_tables.population_table,
        **speed_tables.TABLES,
        **policy_tables.TABLES,
        **overload_tables.TABLES,
        **page_tables.TABLES,
        **soak_tables.TABLES,
        **performance_tables.COMPARISONS,
    },
    ROOT / "docs" / "performance.md": performance_tables.TABLES,
    ROOT / "docs" / "study.md": {
        "mice": quality_tables.mice_table,
        "mice_differences": quality_tables.mice_differences_table,
        "stills": quality_tables.stills_table,
        **limit_tables.TABLES,
    },
    ROOT / "docs" / "faults.md": fault_tables.TABLES,
    ROOT / "docs" / "clocks.md": host_tables.TABLES,
}

if __name__ == "__main__":
    for page, tables in TABLES.items():
        page.write_text(filled(page.read_text(encoding="utf-8"), tables), encoding="utf-8")
