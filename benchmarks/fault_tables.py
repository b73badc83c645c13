"""Tables of docs/faults.md, from the fault matrix as it was run."""

import textwrap
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from results_as_tables import content, result, table

PROCESSES = ("recorder", "stimulus", "bridge", "decoder", "evaluate", "view")
RESTARTED = ": process_restarted"
KINDS = ("kill", "stop", "hang", "hang_at_start")
GROUPS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "processes": lambda row: row["fault"] in KINDS,
    "disk": lambda row: row["fault"] in ("disk_full", "slow_disk"),
    "messages": lambda row: row["fault"] == "forwarded",
    "rig": lambda row: row["fault"] == "rig",
    "load": lambda row: row["fault"] == "cpu_hog",
}
LAYERS = {
    "lost_scans": "scans lost by the microscope",
    "lost_messages": "messages the log lacks",
    "scans_not_decoded": "scans not decoded",
    "frames_not_decoded": "frames not decoded",
    "frames_late": "frames late",
}
HEAD = (
    "what was done",
    "what happens",
    "warnings, alarms and gaps, with their sums",
    *LAYERS.values(),
    "agrees",
)


def group_table(group: str) -> str:
    """One line for each cell: what was done, what the log holds of it, and whether all agree."""
    rows = [row for row in result("faults") if GROUPS[group](row)]
    return table(HEAD, map(_line, rows)) if rows else "No cell of this group was run."


def _line(row: dict[str, Any]) -> list[str]:
    if "counted" not in row:
        return [_done(row), *(["–"] * (len(HEAD) - 2)), f"no: see `{row['cell']}`"]
    counted = [f"{row['counted'][layer]:,}" for layer in LAYERS]
    agrees = "yes" if row["right"] else f"no: see `{row['cell']}`"
    return [_done(row), _outcome(row), _events(row["counted"]), *counted, agrees]


def _done(row: dict[str, Any]) -> str:
    named = row["process"] in PROCESSES and row["fault"] in KINDS
    return f"{row['process']}: {row['done']}" if named else row["done"]


def _outcome(row: dict[str, Any]) -> str:
    """What the fault means for the run."""
    code, events = row["exit_code"], row["counted"]["events"]
    if code is None:
        return "the run does not end within 4 min"
    if code != 0:
        return f"the run ends with exit code {code}"
    restarts = sum(sums.get("restarts", 0) for name, sums in events.items() if RESTARTED in name)
    if not restarts:
        return "the run goes on"
    times = "" if restarts == 1 else f" {restarts:g} times"
    return f"the run goes on; the process is started again{times}"


def _events(counted: dict[str, Any]) -> str:
    stated = []
    for name in counted["warnings"]:
        sums = counted["events"][name]
        process, _, code = name.partition(": ")
        counts = [f"{n:.4g} {what}" for what, n in sums.items() if what != "times"]
        counts = counts or ([f"{sums['times']:g} times"] if sums["times"] > 1 else [])
        stated.append(f"{process}: `{code}`" + (f" ({', '.join(counts)})" if counts else ""))
    for name, n in counted["gaps"].items():
        process, _, stream = name.partition(": ")
        stated.append(f"{process}: missed {n} of `{stream}`")
    return "; ".join(stated) or "–"


def wrong_table() -> str:
    """The cells in which injected, counted and reported do not agree, and how they differ."""
    rows = [row for row in result("faults") if not row["right"]]
    if not rows:
        return "In every cell, all agree."
    return table(["cell", "what differs"], _differences(rows))


def _differences(rows: Iterable[dict[str, Any]]) -> Iterable[list[str]]:
    return ([f"`{row['cell']}`", "; ".join(row["wrong"]).replace("|", "/")] for row in rows)


def summary_line() -> str:
    """How many cells were run, on what, and in how many all agree."""
    rows, environment = result("faults"), content("faults")["environment"]
    right, commits = sum(row["right"] for row in rows), sorted({row["commit"] for row in rows})
    return textwrap.fill(
        f"{right} of {len(rows)} cells agree (commit {', '.join(commits)}; "
        f"{environment['cores']} cores, Python {environment['python']}).",
        width=100,
    )


TABLES: dict[str, Callable[[], str]] = {
    "summary": summary_line,
    "wrong": wrong_table,
    **{group: partial(group_table, group) for group in GROUPS},
}
