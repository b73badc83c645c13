"""Tables of the overload and flood benchmarks in docs/benchmarks.md."""

from typing import Any

from results_as_tables import content, result, table


def runs_table() -> str:
    """Age, rate and steps of the output while other programs compute, and the recovery."""
    head = ["hogs", "decoder", "frames/s", "age p50, ms", "p99", "longest", "late, %", "steps"]
    rows = [_run(row) for row in result("overload")["runs"]]
    return table([*head, "frames shed", "recovered after, s"], rows)


def _run(row: dict[str, Any]) -> list[str]:
    during = row["during"]
    figures = ("frames_a_second", "age_ms_p50", "age_ms_p99", "age_ms_max", "late_percent", "steps")
    decoder = "sheds work" if row["checkout"] == "here" else "before this change"
    forms = (".1f", ",.0f", ",.0f", ",.0f", ".1f", ".1f")
    shown = [f"{during[name]:{form}}" for name, form in zip(figures, forms, strict=True)]
    after_s = row["recovered_after_s"]
    recovered = "–" if after_s is None else f"{after_s:.0f}"
    return [str(row["hogs"]), decoder, *shown, f"{during['frames_shed']:.0f}", recovered]


def levels_table() -> str:
    """Quality at fixed levels of work."""
    rows = [
        [row["level"], f"{row['video_r']:.3f}", f"{row['video_r_held']:.3f}"]
        for row in result("overload")["levels"]
    ]
    if not rows:
        return "The levels were not measured."
    return table(["level", "video_r of the frames given out", "with the last frame held"], rows)


def flood_table() -> str:
    """Late frames under floods of all ports, and of each port at which one was late."""
    shown = [
        [
            "with keys" if measured["config"]["encrypted"] else "loopback",
            row["load"],
            row["port"],
            f"{row['frames']} and {row['frames_unrelated']}",
            f"{row['late_percent']:.2f}",
            f"{row['late_percent_unrelated']:.2f}",
            f"{row['difference']:+.2f}",
        ]
        for measured in map(content, ("flood", "flood_keys"))
        for row in measured["results"]["rows"]
        if row["port"] == "all" or row["late_percent"] or row["late_percent_unrelated"]
    ]
    columns = ["frames", "late, %", "unrelated port, %", "difference, points"]
    return table(["endpoints", "load", "port", *columns], shown)


TABLES = {"overload": runs_table, "overload_levels": levels_table, "flood": flood_table}
