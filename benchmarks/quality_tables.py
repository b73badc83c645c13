"""Tables of the README and of docs/decoder.md."""

from collections.abc import Iterator
from typing import Any

from results_as_tables import result, table

_LAG_FRAMES, _STEPS = 8, 3


def _shown(row: dict[str, Any], name: str) -> list[str]:
    lag = "whole clip" if row["lag_frames"] is None else str(row["lag_frames"])
    scores = [_interval(row[metric]) for metric in ("video_r", "frame_r")]
    return [name, lag, str(row["steps"]), f"{row['twin_passes_per_frame']:.3g}", *scores]


def _headed(rows: Iterator[list[str]]) -> str:
    return table(
        ["", "lag, frames", "steps", "twin passes a frame", "video_r (95 %)", "frame_r (95 %)"],
        rows,
    )


def quality_table() -> str:
    """Every method and every way to leave a part out."""
    settings_of_rows = result("quality")
    return _headed(_shown(row, row["method"]) for row in settings_of_rows)


def short_table() -> str:
    """The settings_of_rows that a reader of the README asks for first."""
    settings_of_rows = result("quality")
    of_reference = [row for row in settings_of_rows if row["method"] == "reference"]
    best = max(of_reference, key=lambda row: row["video_r"]["mean"])
    chosen = {"ridge": "ridge, causal lags", "online": "**online inversion**"}
    rows = [
        _shown(row, chosen[row["method"]])
        for row in settings_of_rows
        if row["method"] in chosen
        and row["lag_frames"] == _LAG_FRAMES
        and row["steps"] in (0, _STEPS)
    ]
    rows.append(_shown(best, "published procedure, at its best iteration"))
    rows.append(_shown(of_reference[-1], "published procedure, at its last iteration"))
    return _headed(iter(rows))


def stills_table() -> str:
    """A real mouse and still images: each way, inside the mask and on the whole screen."""
    rows = []
    for way, scores in result("stills").items():
        row = [way]
        for part in scores.values():
            low, high = part["video_r"]["ci95"]
            row.append(f"{part['video_r']['mean']:.3f} ({low:.3f} to {high:.3f})")
        rows.append([*row, f"{scores['mask']['frame_r']['mean']:.3f}"])
    return table(
        ["", "pooled r in the mask (95 %)", "on the whole screen", "mean r of an image"], rows
    )


def mice_table() -> str:
    """Each mouse: its twin, and the methods that say whether the decoder carries over."""
    methods = ("ridge", "online", "online, noise-free", "online, causal input", "offline")
    rows = []
    for mouse in sorted(result("mice").values(), key=lambda one: one["neurons"]):
        scores = [_interval(mouse["methods"][method]["video_r"]) for method in methods]
        known = f"{mouse['neurons']:,}", f"{mouse['noise']:g}", f"{mouse['twin_r']:.2f}"
        rows.append([*known, str(mouse["trials"]), *scores])
    head = ["neurons", "noise", "twin's r", "clips", *methods]
    return table(head, rows)


def ensemble_table() -> str:
    """The published procedure at its best iteration by number of twins, beside the live decoder."""
    settings_of_rows = result("reference_ensemble")
    rows = []
    for twins in sorted({rung["twins"] for rung in settings_of_rows}):
        of_twins = [rung for rung in settings_of_rows if rung["twins"] == twins]
        reference = [rung for rung in of_twins if rung["method"] == "reference"]
        best = max(reference, key=lambda rung: rung["video_r"]["mean"])
        online = next((rung for rung in of_twins if rung["method"] == "online"), None)
        rows.append(
            [
                str(twins),
                f"{best['video_r']['mean']:.3f} ({best['steps']})",
                "" if online is None else f"{online['video_r']['mean']:.3f}",
            ]
        )
    return table(["twins", "reference at its best (iteration)", "online, lag 8"], rows)


def _interval(metric: dict[str, Any]) -> str:
    low, high = metric["ci95"]
    return f"{metric['mean']:.3f} ({low:.2f} to {high:.2f})"
