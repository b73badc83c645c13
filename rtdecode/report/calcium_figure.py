"""Figure of a field of view that was refused, beside the one that was expected."""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

_OUTLINE = "#e8590c"
_DPI = 130


def draw_mismatch(
    path: Path,
    *,
    reference_counts: NDArray[np.float32],
    seen_counts: NDArray[np.float32],
    footprint: NDArray[np.float32],
    why: str,
) -> None:
    """Write the expected field of view beside the imaged one, with the ROIs on both.

    All images are (row, col) of one shape; `footprint` is the sum of the ROIs.
    """
    figure = Figure(figsize=(11, 6), layout="constrained")
    names = ("expected: the reference image", "imaged: the mean of the first scans")
    panels = zip(figure.subplots(1, 2), (reference_counts, seen_counts), names, strict=True)
    for axes, image, name in panels:
        _show(axes, image)
        axes.contour(footprint > 0, [0.5], colors=_OUTLINE, linewidths=0.5)
        axes.set_title(name)
    figure.suptitle("\n".join(textwrap.wrap(f"Refused: {why}", 100)))
    figure.savefig(path, dpi=_DPI)


def _show(axes: Axes, counts: NDArray[np.float32]) -> None:
    low, high = np.percentile(counts, [1, 99.5])
    axes.imshow(counts, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))
    axes.set_axis_off()
