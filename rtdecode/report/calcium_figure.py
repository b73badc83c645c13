"""Figures of the calcium chain: mean image with ROIs and traces, or a field of view refused."""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from rtdecode.calcium.rois import Rois
from rtdecode.report.figures import shade_breaks, with_breaks
from rtdecode.schema.errors import ShapeError

_TRACES = 8
_OUTLINE = "#e8590c"
_BLACK_RIM = (withStroke(linewidth=1.5, foreground="black"),)
"""Keeps white numbers legible on bright cells."""
_BLUE, _TEAL = "#364fc7", "#0b7285"
_DPI = 130
_TIME = "time (s); shaded: no scan was decoded"


def draw_calcium(
    path: Path,
    *,
    mean_counts: NDArray[np.float32],
    rois: Rois,
    times_s: NDArray[np.float64],
    f_counts: NDArray[np.float32],
    shifts_px: NDArray[np.float32] | None = None,
    title: str = "",
) -> None:
    """Write the figure to `path`, in the format of its suffix.

    Parameters
    ----------
    mean_counts
        (row, col) mean or reference image.
    times_s, f_counts
        (scan,) and (scan, neuron) fluorescence; the eight neurons that vary most are drawn.
    shifts_px
        (scan, 2) shift of each scan by registration, (row, col) in px; left out where None.

    Raises
    ------
    ShapeError
        If image or traces do not have the shape of the ROIs.
    """
    if mean_counts.shape != rois.shape:
        raise ShapeError("mean_counts", expected=f"shape {rois.shape}", got=mean_counts)
    if f_counts.shape != (len(times_s), rois.count):
        expected = f"shape {(len(times_s), rois.count)}, (scan, neuron)"
        raise ShapeError("f_counts", expected=expected, got=f_counts)
    drawn = _most_active(f_counts)
    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.3), squeeze=False).ravel()
    _draw_field(left.subplots(), mean_counts, rois, drawn)
    if shifts_px is None:
        _draw_traces(right.subplots(), times_s, f_counts, drawn)
    else:
        traces, moves = right.subplots(2, 1, height_ratios=(4, 1), sharex=True)
        _draw_traces(traces, times_s, f_counts, drawn)
        traces.set_xlabel("")
        _draw_shifts(moves, times_s, shifts_px)
    figure.suptitle(title or f"{rois.count} neurons, {len(times_s)} scans")
    figure.savefig(path, dpi=_DPI)


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


def _most_active(f_counts: NDArray[np.float32]) -> NDArray[np.int64]:
    """Neurons of the largest range (99th percentile minus median) over noise, largest first."""
    if len(f_counts) < len("ab"):
        return np.arange(min(_TRACES, f_counts.shape[1]))
    noise = np.abs(np.diff(f_counts, axis=0)).mean(0) + 1e-6
    high, middle = np.percentile(f_counts, [99, 50], axis=0)
    return np.argsort(-(high - middle) / noise, kind="stable")[:_TRACES]


def _draw_field(
    axes: Axes, mean_counts: NDArray[np.float32], rois: Rois, drawn: NDArray[np.int64]
) -> None:
    _show(axes, mean_counts)
    for neuron in range(rois.count):
        inside = np.zeros(rois.shape)
        inside.reshape(-1)[rois.pixels[rois.indptr[neuron] : rois.indptr[neuron + 1]]] = 1
        _outline(axes, inside)
    for place, neuron in enumerate(drawn):
        row, col = rois.centers_px[neuron]
        number = axes.text(col, row, str(place + 1), color="white", fontsize=7)
        number.set(ha="center", va="center", path_effects=_BLACK_RIM)
    axes.set_title(f"mean of the scans, {rois.shape[0]} x {rois.shape[1]} px")


def _outline(axes: Axes, inside: NDArray[np.float64]) -> None:
    rows, cols = np.nonzero(inside)
    top, left = max(0, rows.min() - 1), max(0, cols.min() - 1)
    part = inside[top : rows.max() + 2, left : cols.max() + 2]
    if min(part.shape) > 1:
        across, down = np.arange(part.shape[1]) + left, np.arange(part.shape[0]) + top
        axes.contour(across, down, part, [0.5], colors=_OUTLINE, linewidths=0.7)


def _draw_traces(
    axes: Axes,
    times_s: NDArray[np.float64],
    f_counts: NDArray[np.float32],
    drawn: NDArray[np.int64],
) -> None:
    t_s, traces, parts = with_breaks(times_s, f_counts[:, drawn])
    for place in range(len(drawn)):
        trace = f_counts[:, drawn[place]]
        resting, extent = np.percentile(trace, 10), max(float(np.ptp(trace)), 1e-6)
        shown = (traces[:, place] - resting) / (1.2 * extent) - place
        axes.plot(t_s, shown, linewidth=0.7, color=_BLUE)
        axes.annotate(
            f"{extent:.3g}", (1.01, -place), xycoords=("axes fraction", "data"), va="center",
            fontsize=8, color=_BLUE, annotation_clip=False,
        )  # fmt: skip
    axes.set_yticks(-np.arange(len(drawn)), [str(place + 1) for place in range(len(drawn))])
    axes.set_ylabel("neuron")
    axes.spines[["top", "right"]].set_visible(False)
    shade_breaks(axes, parts, length_s=float(times_s[-1]))
    axes.set_xlabel(_TIME)
    axes.set_title(
        "fluorescence (counts) of the most active neurons; right: range of each", fontsize=11
    )


def _draw_shifts(axes: Axes, times_s: NDArray[np.float64], shifts_px: NDArray[np.float32]) -> None:
    t_s, shifts, parts = with_breaks(times_s, shifts_px)
    for column, (name, colour) in enumerate((("rows", _OUTLINE), ("columns", _TEAL))):
        axes.plot(t_s, shifts[:, column], linewidth=0.7, color=colour, label=name)
    shade_breaks(axes, parts, length_s=float(times_s[-1]))
    axes.legend(loc="upper right", fontsize=7, frameon=False, ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(_TIME)
    axes.set_ylabel("shift (px)")
