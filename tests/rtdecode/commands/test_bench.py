"""What `rtdecode bench` prints is what it has measured and what it writes."""

import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from rtdecode.commands.bench import app, calcium_tables, print_table, table_of

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


DECODER = {
    "neurons": 2000,
    "window_frames": 36,
    "lag_frames": 8,
    "steps": 3,
    "threads": 1,
    "ms_p50": 16.123,
    "ms_p99": 26.456,
    "cpu_ms_p50": 16.123,
    "cpu_ms_p99": 26.456,
    "ms_a_step": 5.374,
}


@pytest.mark.parametrize("terminal", [True, False])
def test_a_table_on_80_columns_has_all_words_of_its_header(terminal: bool) -> None:
    console = Console(width=80, color_system=None, force_terminal=terminal)
    with console.capture() as captured:
        print_table(console, table_of([DECODER, DECODER]))
    words = {word for name in DECODER for word in name.split("_")}
    assert words <= set(captured.get().split())
    assert "…" not in captured.get()


def test_a_table_that_is_no_terminals_has_one_line_for_its_header_and_for_each_row() -> None:
    console = Console(width=40, color_system=None, force_terminal=False)
    with console.capture() as captured:
        print_table(console, table_of([DECODER, DECODER]))
    header, *rows = captured.get().splitlines()
    assert [len(row.split()) for row in rows] == [len(DECODER)] * 2
    assert header.split() == " ".join(DECODER).replace("_", " ").split()


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
