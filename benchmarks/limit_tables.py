"""Tables of docs/study.md: resolution, limits and errors beyond noise."""

from typing import Any

from results_as_tables import result, table

_MISSING = "Not measured yet."
_RESOLVED = 0.5
"""The video_r from which a scale is counted as resolved."""


def limit_table(name: str = "limits") -> str:
    """Each limit with its score and its paired difference to the row without it."""
    rows = _rows(name)
    if not rows:
        return _MISSING
    head = ["limit", "", "activity", "video_r (95 %)", "compared with", "difference (95 %)"]
    lines = []
    for row in rows:
        other = row.get("compared_with")
        compared = [other["name"], _interval(row["difference"])] if other else ["", ""]
        lines.append(
            [row["group"], row["name"], row["activity"], _interval(row["video_r"]), *compared]
        )
    return table(head, lines)


def resolution_table() -> str:
    """Mean of video_r over all scales and how many are resolved, by stimulus and method."""
    rows = _rows("resolution")
    if not rows:
        return _MISSING
    lines = []
    for kind in dict.fromkeys(row["kind"] for row in rows):
        for activity in dict.fromkeys(row["activity"] for row in rows):
            for method in ("online", "offline"):
                chosen = [
                    row
                    for row in rows
                    if (row["kind"], row["activity"], row["method"]) == (kind, activity, method)
                ]
                found = [row["video_r"]["mean"] for row in chosen]
                resolved = sum(value >= _RESOLVED for value in found)
                mean = f"{sum(found) / len(found):.2f}"
                lines.append([kind, activity, method, mean, f"{resolved} of {len(found)}"])
    head = ["stimulus", "activity", "method", "mean video_r", f"scales with at least {_RESOLVED}"]
    return table(head, lines)


def error_table() -> str:
    """Share of errors beyond noise in each clip, for recorded and for simulated activity."""
    rows = _rows("errors")
    if not rows:
        return _MISSING
    return table(
        ["clip", "video_r", "beyond noise, recorded activity", "simulated activity (control)"],
        [
            [
                str(row["trial"]),
                f"{row['video_r']:.3f}",
                f"{row['recorded']['beyond']:.1%}",
                f"{row['simulated']['beyond']:.1%}",
            ]
            for row in rows
        ],
    )


def _rows(name: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = result(name)
    except FileNotFoundError:
        return []
    return found


def _interval(metric: dict[str, Any]) -> str:
    low, high = metric["ci95"]
    return f"{metric['mean']:.3f} ({low:.3f} to {high:.3f})"


TABLES = {
    "limits": limit_table,
    "resolution": resolution_table,
    "errors": error_table,
}
