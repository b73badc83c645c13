"""A batch runs each command once, keeps what it said, and repeats only what failed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rtdecode.runtime.batch import RESULTS, Line, read_lines, run_batch
from rtdecode.runtime.cluster import in_this_process
from rtdecode.schema.errors import BatchFileError

JOBS = Path("jobs.txt")


def lines_of(text: str) -> list[Line]:
    return read_lines(text, path=JOBS, verbs=("fit", "export", "--help"))


def test_quotes_comments_and_empty_lines_are_read_as_a_shell_reads_them() -> None:
    text = "# all seeds\n\nrtdecode fit twin --out 'a b'  # first\n"
    assert lines_of(text) == [Line(3, ("fit", "twin", "--out", "a b"))]
    assert lines_of(text)[0].text == "rtdecode fit twin --out 'a b'"


@pytest.mark.parametrize("bad", ["rm -r x", "rtdecode", "rtdecode run c.yaml", "rtdecode fit 'x"])
def test_other_commands_are_refused_before_anything_runs(bad: str) -> None:
    with pytest.raises(BatchFileError, match="line 2"):
        lines_of(f"rtdecode fit twin\n{bad}\n")


def test_outcomes_and_output_are_kept_and_only_failures_are_repeated(tmp_path: Path) -> None:
    jobs = lines_of("rtdecode --help\nrtdecode export\n")
    ran: list[int] = []

    def counting(function: Any, shared: Any, items: Any) -> Iterator[Any]:
        for item, result in zip(items, in_this_process(function, shared, items), strict=True):
            ran.append(item.number)
            yield result

    first = list(run_batch(jobs, tmp_path, workers=counting))
    assert [one.exit_code for one in first] == [0, 2]
    assert "Live reconstruction" in (tmp_path / first[0].log).read_text()
    assert "Usage" in (tmp_path / first[1].log).read_text()
    kept = json.loads((tmp_path / RESULTS).read_text())
    assert [row["command"] for row in kept] == ["rtdecode --help", "rtdecode export"]
    again = list(run_batch(jobs, tmp_path, workers=counting))
    assert ran == [1, 2, 2]
    assert [one.line for one in again] == [1, 2]


def test_a_damaged_file_of_outcomes_lets_all_run_again(tmp_path: Path) -> None:
    (tmp_path / RESULTS).write_text("{")
    [outcome] = run_batch(lines_of("rtdecode --help"), tmp_path, workers=in_this_process)
    assert outcome.exit_code == 0
