"""Figures of `rtdecode bench resolution`: video_r over spatial and temporal scale."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from rtdecode.bench.resolution import GRATING, NOISE, NOISE_FREE, NOISY, OFFLINE, ONLINE
from rtdecode.bench.result_file import Row

_PANEL_IN = (3.4, 2.7)
_LABELS = {
    NOISE: ("temporal SD, frames", "spatial SD, px"),
    GRATING: ("drift, Hz", "cycles a pixel"),
}
_LIGHT_ABOVE = 0.55


def draw_resolution(rows: Sequence[Row], folder: Path) -> None:
    """Write `resolution_noise.png` and `resolution_grating.png` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    width, height = _PANEL_IN
    for kind in (NOISE, GRATING):
        of_kind = [row for row in rows if row["kind"] == kind]
        if not of_kind:
            continue
        figure = Figure(figsize=(2 * width + 0.6, 2 * height), layout="constrained")
        axes = figure.subplots(2, 2, sharex=True, sharey=True)
        for line, activity in zip(axes, (NOISE_FREE, NOISY), strict=True):
            for panel, method in zip(line, (ONLINE, OFFLINE), strict=True):
                chosen = [r for r in of_kind if (r["activity"], r["method"]) == (activity, method)]
                image = scale_panel(panel, chosen)
                panel.set_title(f"{method}, {activity}", loc="left", fontsize=10)
        for panel in axes[-1]:
            panel.set_xlabel(_LABELS[kind][0])
        for panel in axes[:, 0]:
            panel.set_ylabel(_LABELS[kind][1])
        figure.colorbar(image, ax=axes, label="video correlation", shrink=0.8)
        figure.savefig(folder / f"resolution_{kind}.png", dpi=150)


def scale_panel(axes: Axes, rows: Sequence[Row]) -> AxesImage:
    """One cell with its video_r for each scale: space upward from coarse to fine, time across."""
    spaces = sorted({row["space"] for row in rows})
    times = sorted({row["time"] for row in rows})
    grid = np.full((len(spaces), len(times)), np.nan)
    for row in rows:
        grid[spaces.index(row["space"]), times.index(row["time"])] = row["video_r"]["mean"]
    image = axes.imshow(grid, vmin=0, vmax=1, cmap="viridis", origin="lower", aspect="auto")
    for (y, x), value in np.ndenumerate(grid):
        colour = "black" if value > _LIGHT_ABOVE else "white"
        axes.text(x, y, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(times)), [f"{time:g}" for time in times])
    axes.set_yticks(range(len(spaces)), [f"{space:.3g}" for space in spaces])
    return image
