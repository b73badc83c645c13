"""Figure of docs/performance.md: growth of the time with each size.

.venv/bin/python benchmarks/growth_figure.py
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from performance_tables import CURVES
from results_as_tables import ROOT, result

FILE = ROOT / "docs" / "images" / "growth.png"
_COLUMNS, _PANEL_IN = 3, (3.4, 2.8)


def draw(curves: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Write a panel for each curve: points, and their straight line."""
    rows = -(-len(curves) // _COLUMNS)
    size = (_COLUMNS * _PANEL_IN[0], rows * _PANEL_IN[1])
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes, (name, curve) in zip(panels, curves.items(), strict=False):
        panel(axes, name, curve)
    for axes in panels[len(curves) :]:
        axes.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def panel(axes: Axes, name: str, curve: Mapping[str, Any]) -> None:
    """Points of one curve, its line, and its exponent."""
    quantity, unit, _ = CURVES[name]
    ends = [min(curve["sizes"]), max(curve["sizes"])]
    line = [curve["offset"] + curve["slope"] * size for size in ends]
    axes.plot(ends, line, color="#d55e00", lw=1, ls="--")
    axes.plot(curve["sizes"], curve["cpu_ms"], "o", ms=4, color="#0072b2")
    axes.set_title(f"exponent {curve['exponent']:.2f}", loc="left", fontsize=9)
    axes.set_xlabel(quantity)
    axes.set_ylabel(f"processor time, {unit}")
    axes.set_ylim(0, None)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", lw=0.5)
    axes.set_axisbelow(True)


if __name__ == "__main__":
    draw(result("growth"), FILE)
