"""Figure of `rtdecode bench limits`: the cost of each limit, and neurons missing or silent."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rtdecode.bench.limits import DEFAULT
from rtdecode.bench.result_file import Row

_INK, _COLOURS = "#333333", {"recorded": "#0072b2", "simulated": "#d55e00"}
_LINE_IN, _WIDTH_IN = 0.24, 10.5
_NEURONS = {"neurons missing": "#0072b2", "neurons silent": "#d55e00"}


def draw_limits(rows: Sequence[Row], folder: Path) -> None:
    """Write `limits.png` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    compared = [row for row in rows if "difference" in row]
    figure = Figure(figsize=(_WIDTH_IN, 1.2 + _LINE_IN * len(compared)), layout="constrained")
    cost, neurons = figure.subplots(1, 2, width_ratios=(1.9, 1))
    cost_panel(cost, compared)
    neuron_panel(neurons, rows)
    figure.savefig(folder / "limits.png", dpi=150)


def cost_panel(axes: Axes, rows: Sequence[Row]) -> None:
    """Paired difference of each row with its interval, in the order of the rows."""
    for place, row in enumerate(rows):
        low, high = row["difference"]["ci95"]
        colour = _COLOURS[row["activity"]]
        axes.plot([low, high], [place, place], color=colour, lw=1.5)
        axes.plot([row["difference"]["mean"]], [place], "o", ms=5, color=colour)
    labels = [f"{row['group']}: {row['name']} − {row['compared_with']['name']}" for row in rows]
    axes.set_yticks(range(len(rows)), labels, fontsize=7)
    axes.invert_yaxis()
    axes.axvline(0, color=_INK, lw=0.8)
    for activity, colour in _COLOURS.items():
        axes.plot([], [], "o-", color=colour, label=f"activity {activity}")
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    axes.set_xlabel("difference of video correlation, 95 % over clips")
    axes.grid(axis="x", color="#dddddd", lw=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def neuron_panel(axes: Axes, rows: Sequence[Row]) -> None:
    """video_r against the share of neurons that are recorded, for both treatments of the others."""
    whole = next(row for row in rows if (row["group"], row["name"]) == DEFAULT)
    for group, colour in _NEURONS.items():
        curve = sorted(
            [(row["value"], row["video_r"]) for row in rows if row["group"] == group]
            + [(1.0, whole["video_r"])],
            key=lambda point: float(point[0]),
        )
        share = [point[0] for point in curve]
        mean = [score["mean"] for _, score in curve]
        low = [score["mean"] - score["ci95"][0] for _, score in curve]
        high = [score["ci95"][1] - score["mean"] for _, score in curve]
        label = f"others {group.split()[1]}"
        axes.errorbar(share, mean, yerr=[low, high], color=colour, marker="o", ms=4, label=label)
    axes.set_xscale("log", base=2)
    axes.set_xlabel("share of neurons recorded")
    axes.set_ylabel("video correlation")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
