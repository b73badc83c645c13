"""Tables of docs/benchmarks.md from the soak run as it was run."""

from typing import Any

from results_as_tables import content, result, table

LAYERS = {
    "lost_scans": "scans lost by the microscope",
    "lost_messages": "messages the log lacks",
    "scans_not_decoded": "scans not decoded",
    "frames_not_decoded": "frames not decoded",
    "frames_late": "frames late",
}
_NONE = "–"


def process_table() -> str:
    """Memory, its slope, handles and load of each process."""
    rows = [
        [
            name,
            f"{one['lifetimes']}",
            f"{one['highest_rss_mb']:.0f}",
            _slope(one),
            _settled(one),
            _NONE if one["outside_faults_mb_h"] is None else f"{one['outside_faults_mb_h']:.2f}",
            f"{one['most_handles']} ({one['handles_gained']:+d})",
            f"{one['most_threads']} ({one['threads_gained']:+d})",
            f"{one['percent_of_core']:.1f}",
        ]
        for name, one in result("soak")["processes"].items()
    ]
    head = [
        "process",
        "lifetimes",
        "highest RSS, MB",
        "slope after 5 min, MB an hour",
        "after 25 min",
        "outside faults",
        "handles",
        "threads",
    ]
    return table([*head, "% of one core"], rows)


def _slope(process: dict[str, Any]) -> str:
    """Mean slope, and the widest range of the intervals of its lifetimes."""
    slopes = process["slopes"]
    if not slopes:
        return _NONE
    low, high = min(one["low"] for one in slopes), max(one["high"] for one in slopes)
    return f"{process['slope_mb_h']:.2f} ({low:.2f} to {high:.2f})"


def _settled(process: dict[str, Any]) -> str:
    """Mean slope after the first 25 minutes of its lifetimes, and the hours that it is of."""
    if process["settled_mb_h"] is None:
        return _NONE
    return f"{process['settled_mb_h']:.2f} ({process['settled_hours']:.1f} h)"


def run_table() -> str:
    """Figures of the whole run, one a line."""
    soak, commit = result("soak"), content("soak")["environment"]["git_revision"]
    latency = soak["latency"]
    tenths = latency["medians_of_tenths_ms"]["output"]
    known = [one for one in tenths if one is not None]
    rows = [
        ["length", f"{soak['minutes']:.0f} min, commit {commit}"],
        ["faults made", f"{sum(soak['faults_made'].values())} ({_kinds(soak)})"],
        ["messages in the log", f"{soak['messages']:,} in {len(soak['log_mb'])} files"],
        *([words, f"{soak['losses'][name]:,}"] for name, words in LAYERS.items()),
        ["losses and events that no fault explains", f"{len(soak['unexplained'])}"],
        ["frames late outside the effects of faults", _late(soak["late"])],
        ["screen to output, median of the first tenth", f"{known[0]:.0f} ms"],
        ["of the last tenth", f"{known[-1]:.0f} ms ({latency['last_over_first']['output']:.2f} ×)"],
        ["99th percentile, of all frames", f"{latency['p99_ms']:.0f} ms"],
        ["99th percentile, without what faults delay", f"{latency['quiet_p99_ms']:.0f} ms"],
        ["end of the run, with its report", f"{soak['end_lasted_s']:.0f} s"],
        ["all processes, % of one core", f"{soak['percent_of_core']:.0f}"],
    ]
    return table(["figure", "value"], rows)


def _kinds(soak: dict[str, Any]) -> str:
    return f"{len(soak['faults_made'])} kinds"


def _late(late: dict[str, Any]) -> str:
    return f"{late['outside_faults']:,} ({late['percent_outside']:.3f} %)"


def unexplained_list() -> str:
    """What no fault explains, one a line."""
    return "\n".join(f"- {one}" for one in result("soak")["unexplained"]) or "Nothing."


TABLES = {
    "soak_processes": process_table,
    "soak_run": run_table,
    "soak_unexplained": unexplained_list,
}
