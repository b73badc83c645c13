"""Tables of reconstruction quality in the README and in docs/decoder.md."""

from collections.abc import Iterable, Iterator
from typing import Any

from results_as_tables import ROOT, content, result, table

_LAG_FRAMES, _STEPS = 8, 3
_MICE_METHODS = (
    "ridge",
    "ridge, square root of activity",
    "direct",
    "online",
    "online, noise-free",
    "direct, causal input",
    "online, causal input",
    "offline",
)
_MOUSE = ("mouse", "neurons", "noise", "scans/s")
_HEAD = ["", "lag, frames", "steps", "twin passes a frame", "video_r (95 %)", "frame_r (95 %)"]


def _cells(row: dict[str, Any], name: str) -> list[str]:
    lag = "whole clip" if row["lag_frames"] is None else str(row["lag_frames"])
    scores = [_interval(row[metric]) for metric in ("video_r", "frame_r")]
    return [name, lag, str(row["steps"]), f"{row['twin_passes_per_frame']:.3g}", *scores]


def quality_table() -> str:
    """Every method, and every variant of the online decoder without one of its parts."""
    return table(_HEAD, [_cells(row, row["method"]) for row in result("quality")])


def short_table() -> str:
    """The rows of the README: ridge, online decoder, published procedure."""
    measured = result("quality")
    reference = _named(measured, "reference")
    best = max(reference, key=lambda row: row["video_r"]["mean"])
    chosen = {"ridge": "ridge, causal lags", "online": "**online inversion**"}
    rows = [
        _cells(row, chosen[row["method"]])
        for row in measured
        if row["method"] in chosen
        and row["lag_frames"] == _LAG_FRAMES
        and row["steps"] in (0, _STEPS)
    ]
    rows.append(_cells(best, "published procedure, at its best iteration"))
    rows.append(_cells(reference[-1], "published procedure, at its last iteration"))
    return table(_HEAD, rows)


def stills_table() -> str:
    """Still images of a recorded mouse: each method, in the mask and on the whole screen."""
    rows = []
    for method, scores in result("stills").items():
        row = [method]
        for part in scores.values():
            low, high = part["video_r"]["ci95"]
            row.append(f"{part['video_r']['mean']:.3f} ({low:.3f} to {high:.3f})")
        rows.append([*row, f"{scores['mask']['frame_r']['mean']:.3f}"])
    return table(
        ["", "pooled r in the mask (95 %)", "on the whole screen", "mean r of an image"], rows
    )


def mice_table() -> str:
    """Each simulated mouse: its twin, and the scores of each method that was measured on it."""
    mice = _mice()
    methods = [name for name in _MICE_METHODS if any(name in one["methods"] for one in mice)]
    rows = []
    for mouse in mice:
        scores = mouse["methods"]
        known = *_known(mouse), f"{mouse['twin_r']:.2f}", str(mouse["scored_pixels"])
        rows.append(
            [*known, *(_interval(scores[m]["video_r"]) if m in scores else "" for m in methods)]
        )
    return table([*_MOUSE, "twin's r", "scored px", *methods], rows)


def mice_differences_table() -> str:
    """Paired differences and ratios of video_r of two methods, by mouse and over mice."""
    over = result("mice")["over_mice"]["paired"]
    rows = [
        [*_known(mouse), *(_difference(mouse["paired"].get(title)) for title in over)]
        for mouse in _mice()
    ]
    rows.append(["all new ones", "", "", "", *map(_difference, over.values())])
    return table([*_MOUSE, *over], rows)


def _mice() -> list[dict[str, Any]]:
    mice = result("mice")["mice"].values()
    return sorted(mice, key=lambda one: (one["took_part"], one["neurons"], one["noise"]))


def _known(mouse: dict[str, Any]) -> list[str]:
    shown = [f"{mouse['neurons']:,}", f"{mouse['noise']:g}", f"{mouse['scan_rate_hz']:g}"]
    return ["earlier" if mouse["took_part"] else "new", *shown]


def _difference(found: dict[str, Any] | None) -> str:
    if found is None:
        return ""
    low, high = found["ci95"]
    return f"{found['mean']:.3f} ({low:.3f} to {high:.3f})"


def screen_masks_table() -> str:
    """Reduction of the variance close to receptive fields and far from them, and the pixels."""
    rows = []
    for name, mouse in result("screen_masks").items():
        for kept, one in mouse["subsets"].items():
            far = one["reduction_far"], one["far_pixels_inside"]
            rows.append([
                name, kept, f"{one['neurons']:,}", f"{one['reduction_near']:.2f}",
                "" if far[0] is None else f"{far[0]:.2f}", f"{one['pixels']:,}",
                f"{one['near_pixels_inside']:.1%}",
                "" if far[1] is None else f"{far[1]:.0%}",
            ])  # fmt: skip
    head = ["mouse", "neurons", "number", "reduction near fields", "reduction far from them"]
    return table([*head, "pixels", "of the near ones", "of the far ones"], rows)


def population_table() -> str:
    """Single-trial r of a mouse with few trials by way of training, a row for each seed."""
    ways = ("alone", "on the filters of A", "population")
    rows = [
        [str(row["trials"]), str(row["seed"]), *(f"{row[way]:.3f}" for way in ways)]
        for row in sorted(result("population_twin"), key=lambda row: (row["trials"], row["seed"]))
    ]
    return table(["trials of B", "seed", *ways], rows)


def ensemble_table() -> str:
    """The published procedure and the live decoder by mouse and number of twins."""
    files = sorted((ROOT / "benchmarks" / "results").glob("reference_*.json"))
    head = ["mouse", "clips", "twins", "reference at its best (iteration)", "at its last"]
    head += ["online, lag 8", "mean of likelihoods", "mean of videos"]
    return table(head, [row for file in files for row in _ensemble_rows(file.stem)])


def _ensemble_rows(name: str) -> Iterator[list[str]]:
    found = content(name)
    for twins in sorted({row["twins"] for row in found["results"]}):
        of_twins = [row for row in found["results"] if row["twins"] == twins]
        reference = ["", ""]
        if of_reference := _named(of_twins, "reference"):
            best = max(of_reference, key=lambda row: row["video_r"]["mean"])
            last = max(of_reference, key=lambda row: row["steps"])
            reference = [f"{_mean(row)} ({row['steps']})" for row in (best, last)]
        # the first mouse was measured when the videos of several decoders were averaged alone
        single, several = (["online"], []) if twins == 1 else ([], ["online"])
        videos = ["online, mean of videos", *several]
        methods = single, ["online, mean of likelihoods"], videos
        online = [
            ", ".join(_mean(row) for method in names for row in _named(of_twins, method))
            for names in methods
        ]
        mouse = name.removeprefix("reference_")
        yield [mouse, str(found["config"]["trials"]), str(twins), *reference, *online]


def _mean(row: dict[str, Any]) -> str:
    return f"{row['video_r']['mean']:.3f}"


def _named(rows: Iterable[dict[str, Any]], method: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["method"] == method]


def _interval(metric: dict[str, Any]) -> str:
    low, high = metric["ci95"]
    return f"{metric['mean']:.3f} ({low:.2f} to {high:.2f})"
