"""Figures of the benchmark table: video_r against lag, compute and number of neurons."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

Row = dict[str, Any]

_INK, _OURS, _REFERENCE, _RIDGE = "#333333", "#0072b2", "#d55e00", "#009e73"
_FRAME_MS = 1000 / 30
_PANEL_IN = (4.5, 3.6)
_USUAL_LAG, _USUAL_STEPS = 8, 3


def draw_figures(rows: Sequence[Row], folder: Path) -> None:
    """Write `quality_lag_compute.png` and `quality_neurons.png` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    several_twins = any(row["twins"] > 1 for row in rows)
    for name, panels in (
        ("quality_lag_compute", (lag_panel, compute_panel)),
        ("quality_neurons", (neuron_panel, ensemble_panel) if several_twins else (neuron_panel,)),
    ):
        width, height = _PANEL_IN
        figure = Figure(figsize=(len(panels) * width, height), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for panel, draw in zip(axes, panels, strict=True):
            draw(panel, rows)
            panel.spines[["top", "right"]].set_visible(False)
        axes[0].set_ylabel("video correlation")
        figure.savefig(folder / f"{name}.png", dpi=150)


def lag_panel(axes: Axes, rows: Sequence[Row]) -> None:
    """The online method at each lag; methods without a lag as horizontal lines."""
    online = [row for row in rows if row["method"] == "online" and row["steps"] == _USUAL_STEPS]
    _curve(axes, online, at=lambda row: row["lag_frames"] * _FRAME_MS, color=_OURS, label="online")
    for name, color in (("ridge", _RIDGE), ("offline", _INK)):
        for row in _named(rows, name):
            axes.axhline(row["video_r"]["mean"], color=color, ls="--", lw=1, label=name)
    if best := _best(_named(rows, "reference")):
        axes.axhline(
            best["video_r"]["mean"], color=_REFERENCE, ls="--", lw=1, label="reference, best"
        )
    axes.set_xlabel("lag (ms)")
    _legend(axes)


def compute_panel(axes: Axes, rows: Sequence[Row]) -> None:
    """video_r against passes through a twin for each frame."""
    usual = [row for row in rows if row["method"] == "online" and row["lag_frames"] == _USUAL_LAG]
    single = [row for row in _named(rows, "reference") if row["twins"] == 1]
    for chosen, color, label in (
        (usual, _OURS, "online, lag 267 ms"),
        (single, _REFERENCE, "reference"),
        (_named(rows, "offline"), _INK, "offline with prior"),
    ):
        _curve(axes, chosen, at=lambda row: row["twin_passes_per_frame"], color=color, label=label)
    axes.set_xscale("log")
    axes.set_xlabel("twin passes for each frame")
    _legend(axes)


def neuron_panel(axes: Axes, rows: Sequence[Row]) -> None:
    """video_r against the number of neurons used; the others are treated as not measured."""
    usual = [
        row
        for row in rows
        if row["lag_frames"] == _USUAL_LAG
        and row["steps"] == _USUAL_STEPS
        and (row["method"] == "online" or row["method"].endswith("of the neurons"))
    ]
    _curve(axes, usual, at=lambda row: row["neurons"], color=_OURS, label="online")
    axes.set_xscale("log", base=2)
    counts = sorted({row["neurons"] for row in usual})
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.set_xlabel("neurons")


def ensemble_panel(axes: Axes, rows: Sequence[Row]) -> None:
    """video_r against the number of averaged twins."""
    usual = [
        row
        for row in rows
        if row["lag_frames"] == _USUAL_LAG
        and row["steps"] == _USUAL_STEPS
        and row["method"] in ("online", "online ensemble")
    ]
    _curve(axes, usual, at=lambda row: row["twins"], color=_OURS, label="online")
    sizes = sorted({row["twins"] for row in _named(rows, "reference")})
    best = [_best([r for r in _named(rows, "reference") if r["twins"] == n]) for n in sizes]
    chosen = [row for row in best if row is not None]
    _curve(axes, chosen, at=lambda row: row["twins"], color=_REFERENCE, label="reference, best")
    axes.set_xticks(sorted({row["twins"] for row in [*usual, *chosen]}))
    axes.set_xlabel("twins")
    _legend(axes)


def _legend(axes: Axes) -> None:
    """A legend above the axes, where it covers no data."""
    if names := axes.get_legend_handles_labels()[0]:
        axes.legend(
            frameon=False, fontsize=8, ncols=len(names), loc="lower center", bbox_to_anchor=(0.5, 1)
        )


def _named(rows: Sequence[Row], name: str) -> list[Row]:
    return [row for row in rows if row["method"] == name]


def _best(rows: Sequence[Row]) -> Row | None:
    return max(rows, key=lambda row: float(row["video_r"]["mean"]), default=None)


def _curve(
    axes: Axes, rows: Sequence[Row], *, at: Callable[[Row], float], color: str, label: str
) -> None:
    """Means with 95 % intervals over clips, sorted along the abscissa."""
    if not rows:
        return
    ordered = sorted(rows, key=at)
    position = [at(row) for row in ordered]
    mean = [row["video_r"]["mean"] for row in ordered]
    low = [m - row["video_r"]["ci95"][0] for m, row in zip(mean, ordered, strict=True)]
    high = [row["video_r"]["ci95"][1] - m for m, row in zip(mean, ordered, strict=True)]
    axes.errorbar(
        position, mean, yerr=[low, high], color=color, marker="o", ms=4, lw=1.5, label=label
    )
