"""The table of docs/clocks.md, from the sessions over emulated hosts as they were run."""

from typing import Any

from results_as_tables import content, table

_DRIFTS = "clocks of main host, microscope and screen: s, ppm"
_HEAD = ("run", _DRIFTS, "times", "outside ±", "largest error, ms", "± median, ms", "lost", "back")


def hosts_table() -> str:
    """One line for each run."""
    found = content("hosts")
    rows = {row["name"]: row for row in found["config"]["rows"]}
    return table(_HEAD, (_line(rows[one["row"]], one) for one in found["results"]))


def _line(row: dict[str, Any], found: dict[str, Any]) -> list[str]:
    clocks = zip(row["offsets_s"], row["drifts_ppm"], strict=True)
    times = found["times"].values()
    seconds = found["seconds_to_data"]
    score = "" if found["video_r"] is None else f" (video r {found['video_r']:.2f})"
    return [
        row["name"] + score,
        "; ".join(f"{offset_s:+g}, {ppm:+g}" for offset_s, ppm in clocks),
        f"{sum(one['n'] for one in times):,}",
        str(sum(one["outside"] for one in times)),
        f"{max(one['largest_error_ms'] for one in times):.1f}",
        " / ".join(f"{one['median_uncertainty_ms']:.1f}" for one in times),
        _lost(found["missing"]),
        "" if seconds is None else f"{seconds:.0f} s",
    ]


def _lost(missing: dict[str, int]) -> str:
    return ", ".join(f"{n} of {stream}" for stream, n in missing.items()) or "0"


TABLES = {"hosts": hosts_table}
