"""Figure of docs/benchmarks.md: memory of each process over a soak run, with its faults.

.venv/bin/python benchmarks/soak_figure.py
"""

from pathlib import Path

import matplotlib as mpl
from results_as_tables import ROOT, result

mpl.use("Agg")
import matplotlib.pyplot as plt

FILE = ROOT / "docs" / "images" / "soak.png"


def draw(path: Path) -> None:
    """Draw resident memory of each process over time, and lines where faults were made."""
    soak = result("soak")
    figure, axis = plt.subplots(figsize=(9, 4), layout="constrained")
    for number, (name, process) in enumerate(soak["processes"].items()):
        for life in process["samples"]:
            minutes = [t_s / 60 for t_s in life["t_s"]]
            axis.plot(minutes, life["rss_mb"], color=f"C{number}", lw=1.2)
        axis.plot([], [], color=f"C{number}", label=name)
    for fault in soak["faults"]:
        axis.axvline(fault["begun_s"] / 60, color="0.85", lw=0.8, zorder=0)
    axis.set(xlabel="time, min", ylabel="resident memory, MB", ylim=(0, None))
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    draw(FILE)
