"""Figure of `rtdecode bench errors`: errors beyond noise in an example, in space, time, content."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rtdecode.bench.error_statistics import LEVEL
from rtdecode.bench.errors import CONTROL, RECORDED
from rtdecode.bench.result_file import Row
from rtdecode.offline.job import interval_of

_COLOURS = {RECORDED: "#0072b2", CONTROL: "#d55e00"}
_UNITS = {"contrast": "grey levels", "motion energy": "grey levels", "spatial frequency": "1/px"}
_Z_SHOWN = 4
_SIZE_IN = (10.5, 8.0)


def draw_errors(rows: Sequence[Row], folder: Path) -> None:
    """Write `errors.png` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=_SIZE_IN, layout="constrained")
    axes = figure.subplots(3, 3)
    example_panels(axes[0], max(rows, key=lambda row: float(row[RECORDED]["beyond"])))
    for panel, name in zip(axes[1][:2], (RECORDED, CONTROL), strict=True):
        map_panel(panel, rows, name)
    time_panel(axes[1][2], rows)
    for panel, quantity in zip(axes[2], rows[0]["edges"], strict=True):
        content_panel(panel, rows, quantity)
    axes[2][0].set_ylabel("share of errors beyond noise")
    figure.savefig(folder / "errors.png", dpi=150)


def example_panels(axes: Sequence[Axes], row: Row) -> None:
    """Display, reconstruction and z of one frame."""
    shown = row["example"]
    for panel, name in zip(axes, ("display", "reconstruction"), strict=False):
        panel.imshow(np.array(shown[name], float), vmin=0, vmax=255, cmap="gray")
        panel.set_title(f"{name}, clip {row['trial']}, frame {shown['frame']}", fontsize=9)
    z = np.array(shown["z"], float)
    image = axes[2].imshow(z, vmin=-_Z_SHOWN, vmax=_Z_SHOWN, cmap="RdBu_r")
    axes[2].set_title("error, SDs of noise", fontsize=9)
    axes[2].figure.colorbar(image, ax=axes[2], shrink=0.7)
    for panel in axes:
        panel.set_xticks([])
        panel.set_yticks([])


def map_panel(axes: Axes, rows: Sequence[Row], name: str) -> None:
    """Share of frames at each pixel with an error beyond noise, mean over clips."""
    mean = np.mean([np.array(row[name]["map"], float) for row in rows], axis=0)
    image = axes.imshow(mean, vmin=0, vmax=0.3, cmap="magma")
    axes.set_title(f"share beyond noise, {name} activity", fontsize=9)
    axes.figure.colorbar(image, ax=axes, shrink=0.7)
    axes.set_xticks([])
    axes.set_yticks([])


def time_panel(axes: Axes, rows: Sequence[Row]) -> None:
    """Share of pixels with an error beyond noise over time, clip after clip."""
    for name, colour in _COLOURS.items():
        value = np.concatenate([np.array(row[name]["by_frame"], float) for row in rows])
        axes.plot(np.arange(len(value)), value, color=colour, lw=0.7, label=f"{name} activity")
    axes.axhline(1 - LEVEL, color="#333333", lw=0.8, ls="--")
    axes.set_xlabel("frame, clips in succession")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def content_panel(axes: Axes, rows: Sequence[Row], quantity: str) -> None:
    """Share beyond noise in each bin of a quantity, with 95 % intervals over clips."""
    inner = rows[0]["edges"][quantity]
    labels = [f"< {inner[0]:.2g}", *(f"{low:.2g}" for low in inner)]
    places = range(len(labels))
    for name, colour in _COLOURS.items():
        bins = [bin_interval(rows, name, quantity, place) for place in places]
        mean = [one["mean"] for one in bins]
        low = [one["mean"] - one["ci95"][0] for one in bins]
        high = [one["ci95"][1] - one["mean"] for one in bins]
        axes.errorbar(places, mean, yerr=[low, high], color=colour, marker="o", ms=4, label=name)
    axes.axhline(1 - LEVEL, color="#333333", lw=0.8, ls="--")
    axes.set_xticks(places, labels)
    axes.set_xlabel(f"{quantity}, {_UNITS[quantity]} (lower edges of bins)")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)


def bin_interval(rows: Sequence[Row], name: str, quantity: str, place: int) -> dict[str, Any]:
    """Share beyond noise in one bin: mean over clips with its interval."""
    return interval_of([row[name]["bins"][quantity][place] for row in rows])
