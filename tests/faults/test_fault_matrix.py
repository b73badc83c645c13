"""Every fault in every process: what is reported equals what was injected and what the log holds.

`make test` runs the short form; `make test-long` runs all cells.
"""

import os
from pathlib import Path

import pytest
from fault_cells import CELLS, Cell, Fault
from fault_injection import faulty_run
from fault_verdict import verdict


def marked(cell: Cell) -> object:
    needs_root = cell.fault is Fault.DISK_FULL and os.geteuid() != 0
    root = [pytest.mark.skip("a small disk can only be mounted by root")] if needs_root else []
    return pytest.param(cell, id=cell.name, marks=root)


def checked(cell: Cell, folder: Path) -> None:
    with faulty_run(cell, folder) as left:
        found = verdict(cell, left)
    assert found.wrong() == [], left.said


@pytest.mark.faults
@pytest.mark.parametrize("cell", [marked(cell) for cell in CELLS])
def test_what_is_reported_is_what_was_injected(cell: Cell, tmp_path: Path) -> None:
    checked(cell, tmp_path)


@pytest.mark.system
@pytest.mark.parametrize("cell", [marked(cell) for cell in CELLS if cell.short])
@pytest.mark.slow
def test_the_short_form_of_the_matrix(cell: Cell, tmp_path: Path) -> None:
    checked(cell, tmp_path)


def test_every_process_has_every_fault() -> None:
    stopped = {(cell.process, cell.fault, cell.seconds) for cell in CELLS}
    for process in ("recorder", "stimulus", "bridge", "decoder", "evaluate", "view"):
        faults = [(Fault.KILL, 0.0), (Fault.STOP, 5.0), (Fault.STOP, 20.0), (Fault.HANG, 0.0)]
        assert {(process, *fault) for fault in faults} <= stopped
    assert len({cell.name for cell in CELLS}) == len(CELLS)
