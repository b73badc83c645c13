"""Tables of the README and of docs/decoder.md."""

from collections.abc import Iterator
from typing import Any

from results_as_tables import result, table

_LAG_FRAMES, _STEPS = 8, 3


def _shown(row: dict[str, Any], name: str) -> list[str]:
    lag = "whole clip" if row["lag_frames"] is None else str(row["lag_frames"])
    scores = []
    for metric in ("video_r", "frame_r"):
        low, high = row[metric]["ci95"]
        scores.append(f"{row[metric]['mean']:.3f} ({low:.2f} to {high:.2f})")
    return [name, lag, str(row["steps"]), f"{row['twin_passes_per_frame']:.3g}", *scores]


def _headed(rows: Iterator[list[str]]) -> str:
    return table(
        ["", "lag, frames", "steps", "twin passes a frame", "video_r (95 %)", "frame_r (95 %)"],
        rows,
    )


def ladder_table() -> str:
    """Every method and every way to leave a part out."""
    rungs = result("quality")
    return _headed(_shown(row, row["method"]) for row in rungs)


def short_table() -> str:
    """The rungs that a reader of the README asks for first."""
    rungs = result("quality")
    of_reference = [row for row in rungs if row["method"] == "reference"]
    best = max(of_reference, key=lambda row: row["video_r"]["mean"])
    chosen = {"ridge": "ridge, causal lags", "online": "**online inversion**"}
    rows = [
        _shown(row, chosen[row["method"]])
        for row in rungs
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
