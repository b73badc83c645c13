"""Figure of `rtdecode bench loop`: video_r against content age, for each scan rate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

Row = dict[str, Any]

_COLOURS = {0: "#0072b2", 1: "#d55e00"}
"""By deconvolution lag."""
_LINES = {1: (0, (1, 1.5)), 3: (0, (4, 1.5)), 5: "solid"}
"""By solver steps."""
_PANEL_IN = (3.9, 3.6)


def draw_frontier(rows: Sequence[Row], path: Path) -> None:
    """Write a panel for each scan rate; a point is one frame lag, a cross a forecast."""
    rates = sorted({row["scan_rate_hz"] for row in rows})
    width, height = _PANEL_IN
    figure = Figure(figsize=(len(rates) * width, height), layout="constrained")
    axes = figure.subplots(1, len(rates), sharex=True, sharey=True, squeeze=False)[0]
    for panel, rate in zip(axes, rates, strict=True):
        frontier_panel(panel, [row for row in rows if row["scan_rate_hz"] == rate])
        panel.set_title(f"scans at {rate:g} Hz", loc="left", fontsize=10)
        panel.set_xlabel("content age, ms")
    axes[0].set_ylabel("video correlation")
    axes[-1].legend(frameon=False, fontsize=8, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def frontier_panel(axes: Axes, rows: Sequence[Row]) -> None:
    """One curve for each deconvolution lag and number of steps, along the frame lag."""
    kinds = sorted({(row["deconvolution_lag_scans"], row["steps"]) for row in rows})
    for deconvolution, steps in kinds:
        curve = sorted(
            (
                row
                for row in rows
                if (row["deconvolution_lag_scans"], row["steps"]) == (deconvolution, steps)
            ),
            key=lambda row: float(row["content_age_ms"]),
        )
        colour, line = _COLOURS.get(deconvolution, "#333333"), _LINES.get(steps, "dashdot")
        known = [row for row in curve if row["lag_frames"] >= 0]
        ahead = [row for row in curve if row["lag_frames"] <= 0]
        label = f"deconvolution lag {deconvolution}, {steps} step{'s' if steps > 1 else ''}"
        axes.plot(*_points(known), marker="o", ms=3.5, lw=1.4, ls=line, color=colour, label=label)
        if len(ahead) > 1:
            axes.plot(*_points(ahead), marker="x", ms=5, lw=0.9, ls=":", color=colour)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", lw=0.5)
    axes.set_axisbelow(True)


def _points(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    return [row["content_age_ms"] for row in rows], [row["video_r"]["mean"] for row in rows]
