"""Figure of the imaged cells: mean image with ROIs, traces, noise and movement."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from rtdecode.report.figure_files import new_figure
from rtdecode.report.figures import BLUE, INK, ORANGE, SOFT, empty, quiet, with_breaks
from rtdecode.session.recorded_facts import RecordedRois

_OUTLINE = (0.9, 0.35, 0.05, 0.85)
_RIM = (withStroke(linewidth=1.6, foreground="black"),)
"""Keeps white numbers legible on bright cells."""
_HEIGHT, _ROUNDED_FROM = 4.6, 100


@dataclass(frozen=True, slots=True, eq=False)
class CellsFigure:
    """What the figure of one plane shows; empty or None where it is not known."""

    image: NDArray[np.float32] | None
    """(row, col) mean image in counts."""
    rois: RecordedRois | None
    t_s: NDArray[np.float64]
    """(scan,) time of each scan in s since the first message."""
    f_counts: NDArray[np.float32]
    """(scan, neuron)"""
    drawn: NDArray[np.int64]
    """Neurons whose traces are drawn."""
    noise: NDArray[np.float64]
    """(neuron,) in %/√Hz."""
    shift_t_s: NDArray[np.float64]
    shifts_px: NDArray[np.float64]
    """(sample, 2) (row, col) by which registration moved scans, over the whole session."""
    length_s: float


def cells_figure(shown: CellsFigure) -> Figure:
    """Draw the cells of one plane."""
    figure = new_figure(height=_HEIGHT)
    above, below = figure.subfigures(2, 1, height_ratios=(2.7, 1), squeeze=False).ravel()
    field, traces = above.subplots(1, 2, width_ratios=(1, 1.25))
    noise, moved = below.subplots(1, 2, width_ratios=(1, 1.9))
    _draw_field(field, shown)
    _draw_traces(traces, shown)
    _draw_noise(noise, shown.noise)
    _draw_shifts(moved, shown)
    return figure


def _draw_field(axes: Axes, shown: CellsFigure) -> None:
    image, rois = shown.image, shown.rois
    if rois is None or (image is not None and image.shape != rois.shape):
        empty(axes, "The places of the cells\nare not known.")
        return
    if image is not None:
        low, high = np.percentile(image, [1, 99.5])
        axes.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))
    overlay = np.zeros((*rois.shape, 4))
    overlay[outlines(rois)] = _OUTLINE
    axes.imshow(overlay, interpolation="nearest")
    known = [int(neuron) for neuron in shown.drawn if neuron < len(rois)]
    for place, (row, col) in enumerate(centres(rois, known)):
        number = axes.text(col, row, str(place + 1), color="white", fontsize=7)
        number.set(ha="center", va="center", path_effects=_RIM)
    axes.set_axis_off()
    axes.set_title(f"{len(rois):,} ROIs, {rois.shape[0]} × {rois.shape[1]} px", color=INK)


def _draw_traces(axes: Axes, shown: CellsFigure) -> None:
    if not len(shown.drawn):
        empty(axes, "There is no cell.")
        return
    t_s, traces, _ = with_breaks(shown.t_s, shown.f_counts[:, shown.drawn])
    for place, neuron in enumerate(shown.drawn):
        trace = shown.f_counts[:, neuron]
        resting, extent = np.percentile(trace, 10), max(float(np.ptp(trace)), 1e-6)
        axes.plot(t_s, (traces[:, place] - resting) / (1.2 * extent) - place, color=BLUE, lw=0.6)
        axes.annotate(
            _extent(extent), (1.01, -place), xycoords=("axes fraction", "data"), va="center",
            fontsize=7, color=SOFT, annotation_clip=False,
        )  # fmt: skip
    numbers = [str(place + 1) for place in range(len(shown.drawn))]
    axes.set_yticks(-np.arange(len(numbers)), numbers)
    axes.set_ylabel("cell")
    axes.set_xlabel("time in the session (s)")
    axes.set_title("fluorescence; right: range (counts)", color=INK)
    quiet(axes)
    axes.grid(visible=False, axis="y")
    axes.set_xlim(t_s[0], max(t_s[-1], t_s[0] + 1e-3))


def _extent(counts: float) -> str:
    return f"{counts:,.0f}" if counts >= _ROUNDED_FROM else f"{counts:.3g}"


def _draw_noise(axes: Axes, noise: NDArray[np.float64]) -> None:
    found = noise[np.isfinite(noise)]
    if not found.size:
        empty(axes, "The noise was not computed.")
        return
    top = float(np.percentile(found, 99)) or 1.0
    axes.hist(found, bins=30, range=(float(found.min()), top), color=BLUE)
    axes.axvline(float(np.median(found)), color=ORANGE)
    axes.set_xlabel("noise level (%/√Hz); orange: median")
    axes.set_ylabel("neurons")
    quiet(axes)


def _draw_shifts(axes: Axes, shown: CellsFigure) -> None:
    if not len(shown.shifts_px) or not shown.shifts_px.any():
        empty(axes, "No movement was measured: the scans were not registered.")
        return
    t_s, shifts, _ = with_breaks(shown.shift_t_s, shown.shifts_px)
    for column, (name, colour) in enumerate((("rows", BLUE), ("columns", ORANGE))):
        axes.plot(t_s, shifts[:, column], linewidth=0.6, color=colour, label=name)
    axes.legend(loc="upper right", frameon=False, ncols=2, borderpad=0)
    axes.set_xlim(0, max(shown.length_s, 1e-3))
    axes.set_xlabel("time in the session (s)")
    axes.set_ylabel("shift (px)")
    quiet(axes)


def outlines(rois: RecordedRois) -> NDArray[np.bool_]:
    """(row, col) pixels of ROIs that border on a pixel of another ROI or of none."""
    label = np.zeros(rois.shape, np.int64)
    for neuron in range(len(rois)):
        rows, cols = rois.pixels_of(neuron)
        label[rows, cols] = neuron + 1
    edge = np.zeros(rois.shape, bool)
    for axis in (0, 1):
        differs = np.diff(label, axis=axis) != 0
        pad = [(0, 0), (0, 0)]
        pad[axis] = (0, 1)
        edge |= np.pad(differs, pad)
        pad[axis] = (1, 0)
        edge |= np.pad(differs, pad)
    return edge & (label > 0)


def centres(rois: RecordedRois, neurons: Sequence[int]) -> Iterator[tuple[float, float]]:
    """(row, col) of the weighted centre of each of `neurons`."""
    for neuron in neurons:
        rows, cols = rois.pixels_of(neuron)
        weights = rois.weights_of(neuron)
        yield float(np.average(rows, weights=weights)), float(np.average(cols, weights=weights))
