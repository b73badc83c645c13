"""Run the fault matrix with real processes, and write what was injected, counted and reported.

    python tests/faults/fault_matrix.py --json benchmarks/results/faults.json
    python tests/faults/fault_matrix.py kill_decoder scans_lost
    python benchmarks/doc_tables.py

A cell takes 20 to 60 s. A cell that is wrong is stated with what differs.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "fixtures"))

from fault_cells import CELLS, Cell
from fault_injection import faulty_run
from fault_verdict import verdict

from rtdecode.bench.result_file import write_benchmark
from rtdecode.runtime.run_info import git_revision

Row = dict[str, Any]


def row(cell: Cell) -> Row:
    """Run one cell in a folder of its own; its row of the result file."""
    begun_s = time.monotonic()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="fault-") as folder,
            faulty_run(cell, Path(folder)) as left,
        ):
            found = verdict(cell, left).as_json()
    except (OSError, RuntimeError, ValueError, SubprocessError) as error:
        found = {"cell": cell.name, "fault": cell.fault.value, "process": cell.process}
        found |= {"done": cell.done, "right": False, "wrong": [f"it could not be run: {error}"]}
    return found | {"commit": git_revision(), "wall_s": round(time.monotonic() - begun_s, 1)}


def kept_rows(file: Path, *, without: set[str]) -> list[Row]:
    """Rows of an earlier run, without those of the cells that are run again."""
    if not file.is_file():
        return []
    rows = json.loads(file.read_text(encoding="utf-8"))["results"]
    return [one for one in rows if one["cell"] not in without]


def main(argv: Sequence[str]) -> int:
    """Run the cells that are named, or all; 0 where all are right."""
    parser = argparse.ArgumentParser(description="Run the fault matrix.")
    parser.add_argument("cells", nargs="*", metavar="CELL", help="names of cells; all by default")
    parser.add_argument("--json", type=Path, help="result file; rows of other cells stay in it")
    args = parser.parse_args(argv)
    order = [cell.name for cell in CELLS]
    chosen = [cell for cell in CELLS if not args.cells or cell.name in args.cells]
    rows = kept_rows(args.json, without={cell.name for cell in chosen}) if args.json else []
    for cell in chosen:
        found = row(cell)
        rows = sorted([*rows, found], key=lambda one: order.index(one["cell"]))
        print(f"{cell.name}: {'right' if found['right'] else 'WRONG'}", flush=True)
        for sentence in found["wrong"]:
            print(f"    {sentence}", flush=True)
        if args.json is not None:
            write_benchmark(args.json, name="faults", config={"cells": len(CELLS)}, results=rows)
    return 0 if all(one["right"] for one in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
