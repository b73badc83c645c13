"""What `rtdecode bench` prints is what it has measured and what it writes."""

import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from rtdecode.commands.bench import app, calcium_tables, table_of

USER = CliRunner()
SMALL = ["calcium", "--size", "64", "--cells", "20", "--scans", "30"]


def printed(*tables: object) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(*tables)
    return captured.get()


def test_a_table_has_a_line_for_each_row_under_the_names_of_its_values() -> None:
    lines = printed(table_of([{"what": "a", "ms": 1.23456}, {"what": "b", "ms": 20}])).splitlines()
    assert [line.split() for line in lines] == [["what", "ms"], ["a", "1.235"], ["b", "20"]]


def test_the_calcium_chain_is_timed_step_by_step_and_the_result_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "results" / "speed.json"
    told = USER.invoke(app, [*SMALL, "--no-grow", "--json", str(file)])
    assert told.exit_code == 0, told.stderr
    kept = json.loads(file.read_text())
    assert kept["benchmark"] == "calcium speed"
    assert kept["config"] == {"size_px": 64, "cells": 20, "scans": 30}
    for step, share in kept["results"]["share"].items():
        (line,) = [line for line in told.stdout.splitlines() if line.split()[:1] == [step]]
        assert float(line.split()[-1]) == pytest.approx(100 * share, rel=1e-3)


def test_growth_is_printed_with_a_row_for_each_number_of_rois() -> None:
    times = {"p50": 4.0, "p99": 8.0, "max": 9.0}
    row = {"scans_per_s": 250.0, "cpu_scans_per_s": 500.0, "ms": times, "cpu_ms": times}
    result = row | {"cells": 10, "steps_cpu_ms": {"register": times}, "share": {"register": 1.0}}
    grown = result | {"growth": {"rows": [{"cells": n, **row} for n in (10, 20, 30)]}}
    assert len(calcium_tables(result)) == 2
    *_, table = calcium_tables(grown)
    cells = [line.split()[0] for line in printed(table).splitlines()[1:]]
    assert cells == ["10", "20", "30"]


@pytest.mark.parametrize("wrong", [["--size", "8"], ["--cells", "0"], ["--scans", "5"]])
def test_what_cannot_be_timed_is_a_wrong_option(wrong: list[str]) -> None:
    assert USER.invoke(app, ["calcium", *wrong]).exit_code == 2
