"""Interleaved comparison of two revisions: duration of decoder, calcium chain, start, demo, wire.

    python benchmarks/compare.py A B [--only decoder] [--turns 8]
    python benchmarks/compare.py A A --same

A and B are commits, branches or tags. Each is checked out in a worktree of its own, in a temporary
folder that is removed at the end. In each turn both run every workload in a fresh process of one
thread, in the order A B B A … or at random (`--order random`). Prints and writes medians of A and
B, and the median ratio B / A of a turn, all with bootstrap 95 % intervals over turns, and how far
the outputs differ. Before the first turn each runs each workload once, untimed: its modules and
loops are compiled then.

Equal revisions show the noise floor of the machine, and nothing about a change: `--same` states
that this is meant. Writes `benchmarks/results/compare.json`, or `compare_same.json`; with
`--only`, and with `--smoke`, whose figures mean nothing, only the file that `--json` names.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import compare_workloads
import numpy as np
from compare_workloads import INPUTS, WORKLOADS, largest_differences
from interleaved import (
    Revision,
    abba,
    comparison,
    drawn_order,
    in_turns,
    revision,
    run,
    verdict,
    worktrees,
)

from rtdecode.bench.result_file import write_benchmark

HERE = Path(__file__).resolve().parents[1]
RESULTS = HERE / "benchmarks" / "results"
_INTERRUPTED, _ENDED = 130, 143


@dataclass(slots=True)
class Comparison:
    """Runs of workloads in the worktrees `roots` of `revisions`, which are A and B."""

    revisions: Sequence[Revision]
    roots: Sequence[Path]
    folder: Path
    small: bool
    loads: list[float] = field(default_factory=list)
    """Load of the machine in the last minute, before each run."""

    def rows(self, name: str, order: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
        """One row for each figure of the workload `name`, and one with differences of outputs."""
        if name in INPUTS:
            INPUTS[name](self._inputs, small=self.small)
        if not self.small:
            for place in (0, 1):
                self._measured(name, place, small=True)
        turns = in_turns(order, lambda place: self._measured(name, place, small=self.small))
        outputs = [np.load(self._result(place).with_suffix(".npz")) for place in (0, 1)]
        differences = largest_differences(*outputs)
        rows = [{"workload": name, **row} for row in comparison(turns)]
        return [*rows, {"workload": name, "largest_difference": differences}]

    def _measured(self, name: str, place: int, *, small: bool) -> Mapping[str, float]:
        result = self._result(place)
        command = [sys.executable, str(Path(compare_workloads.__file__).resolve()), name]
        command += ["--inputs", str(self._inputs), "--result", str(result)]
        command += ["--small"] if small else []
        status = run(command, root=self.roots[place], temporary=self.folder)
        if status:
            one = self.revisions[place]
            raise ValueError(
                f"workload '{name}' ended with {status} in revision {one.name}, {one.commit[:12]} "
                "(its messages are above): where that revision lacks what the workload calls, "
                "name the other workloads with --only"
            )
        found = json.loads(result.read_text(encoding="utf-8"))
        self.loads.append(found["load_before"])
        figures: dict[str, float] = found["figures"]
        return figures

    @property
    def _inputs(self) -> Path:
        return self.folder / "inputs"

    def _result(self, place: int) -> Path:
        return self.folder / f"result_{'ab'[place]}.json"


def compared(names: Sequence[str], revisions: Sequence[Revision], given: Any) -> dict[str, Any]:
    """The rows of all workloads `names`, printed as they are made."""
    turns = given.turns
    order = drawn_order(turns, seed=given.seed) if given.order == "random" else abba(turns)
    rows: list[dict[str, Any]] = []
    with worktrees(HERE, revisions) as roots, tempfile.TemporaryDirectory() as folder:
        runs = Comparison(revisions, roots, Path(folder), given.smoke)
        for name in names:
            rows += runs.rows(name, order)
            for row in rows:
                if row["workload"] == name:
                    print(line_of(row, same=given.same), flush=True)
        least, middle, most = np.percentile(runs.loads, [0, 50, 100]).tolist()
        return {"rows": rows, "load": {"least": least, "median": middle, "most": most}}


def line_of(row: Mapping[str, Any], *, same: bool) -> str:
    """One row as text."""
    if "figure" not in row:
        found = row["largest_difference"].items()
        shown = ", ".join(f"{name} {value:.1e}" for name, value in found)
        return (
            f"{row['workload']:8} largest relative difference of outputs: {shown or 'no outputs'}"
        )
    medians = " ".join(f"{row[side]['median']:10.3f}" for side in "ab")
    ratio = row["ratio"]
    shown = (
        "–"
        if ratio is None
        else "{:.3f} ({:.3f} to {:.3f})".format(ratio["median"], *ratio["ci95"])
    )
    return f"{row['workload']:8} {row['figure']:34} {medians}  {shown:26} {verdict(row, same=same)}"


def asked(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, with both revisions resolved in `revisions`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("a", help="commit, branch or tag")
    parser.add_argument("b", help="the revision that is compared with it")
    parser.add_argument(
        "--same", action="store_true", help="measure the noise floor: A and B equal"
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=WORKLOADS,
        help="may be given repeatedly; is written only with --json",
    )
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--order", choices=("abba", "random"), default="abba")
    parser.add_argument("--seed", type=int, default=0, help="of --order random")
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="tiny counts: no figure means anything, and none is written without --json",
    )
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(words)
    try:
        given.revisions = [revision(name, HERE) for name in (given.a, given.b)]
    except ValueError as error:
        parser.error(str(error))
    first, second = given.revisions
    if first.tree == second.tree and not given.same:
        parser.error(
            f"{given.a} and {given.b} have the same files (commit {first.commit[:12]}), so that "
            "their ratio is the noise floor: give two revisions that differ, or --same"
        )
    if first.tree != second.tree and given.same:
        parser.error(
            f"--same needs one revision twice, but {given.a} ({first.commit[:12]}) and {given.b} "
            f"({second.commit[:12]}) differ: name one of them twice, or leave --same out"
        )
    if given.turns < 1:
        parser.error(f"--turns {given.turns} must be at least 1")
    return given


def main() -> int:
    """Measure, print and write; the exit code."""
    given = asked()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_ENDED))
    names = list(dict.fromkeys(given.only or WORKLOADS))
    try:
        results = compared(names, given.revisions, given)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: both worktrees are removed, nothing is written", file=sys.stderr)
        return _INTERRUPTED
    commits = {side: one.commit[:12] for side, one in zip("ab", given.revisions, strict=True)}
    kept = {name: getattr(given, name) for name in ("same", "turns", "order", "seed", "smoke")}
    if (path := result_path(given)) is not None:
        write_benchmark(path, name="compare", config=commits | kept, results=results)
    return 0


def result_path(given: argparse.Namespace) -> Path | None:
    """The file that is written; a part or a smoke test replaces no result, and may have none."""
    if given.json is not None or given.smoke or given.only:
        named: Path | None = given.json
        return named
    return RESULTS / ("compare_same.json" if given.same else "compare.json")


if __name__ == "__main__":
    sys.exit(main())
