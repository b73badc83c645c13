"""Figure of displayed and decoded frames, their error and its uncertainty, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from rtdecode.evaluate.metrics import Mask
from rtdecode.report.figure_files import new_figure
from rtdecode.report.figures import HOLE, INK, SOFT, Times, Video, breaks_s
from rtdecode.schema.errors import ShapeError

COLUMNS = 8
_BREAK_WIDTH = 0.25
"""Width of a column for a time in which nothing was decoded, as part of one for a frame."""
_DRAWN_BREAK_S = 0.5
_FULL_ERROR = 96.0
_ERROR_COLOURS = LinearSegmentedColormap.from_list("error", ["#0054a6", "#faf9f6", "#be5400"])
"""Blue is darker than displayed, orange brighter; distinct in all common colour blindness."""
_OUTLINE = "#e69f00"
_ROW_INCHES, _HEAD_INCHES, _LOWEST_ROW_INCHES = 0.66, 0.25, 0.64
"""Height of a row of eight columns, of the times above, and of the word beside the lowest row."""


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Frames that are drawn, of the same grid frames throughout."""

    displayed: Video
    """(frame, row, col) grey levels, as all of these."""
    decoded: Video
    uncertainty: NDArray[np.floating]
    """Posterior standard deviation; zeros where none was computed."""
    t_s: Times
    """(frame,) time of each frame in s since the first message."""

    def __post_init__(self) -> None:
        for name in ("decoded", "uncertainty"):
            if (got := getattr(self, name)).shape != self.displayed.shape:
                expected = f"the shape of the displayed frames {self.displayed.shape}"
                raise ShapeError(name, expected=expected, got=got)

    def chosen(self) -> list[int]:
        """Indices of frames taken evenly among those that have both displayed and decoded."""
        both = np.isfinite(self.displayed).all((1, 2)) & np.isfinite(self.decoded).all((1, 2))
        usable: NDArray[np.intp] = np.flatnonzero(both)
        if usable.size > COLUMNS:
            places = (np.arange(COLUMNS) + 0.5) * usable.size / COLUMNS
            usable = usable[places.astype(int)]
        return [int(k) for k in usable]


def columns_of(
    frames: Frames, *, decoded_s: Sequence[tuple[float, float]], length_s: float
) -> list[int | None]:
    """Frames to draw, and None for a time of half a second or more in which nothing was decoded."""
    chosen = frames.chosen()
    if not chosen:
        return []
    breaks = breaks_s(decoded_s, length_s=length_s)
    columns: list[int | None] = [chosen[0]]
    for before, k in pairwise(chosen):
        first, last = frames.t_s[before], frames.t_s[k]
        between = (end - begin for begin, end in breaks if first <= begin and end <= last)
        if max(between, default=0.0) >= _DRAWN_BREAK_S:
            columns.append(None)
        columns.append(k)
    return columns


def frame_strip(frames: Frames, columns: Sequence[int | None], *, mask: Mask) -> Figure:
    """Draw displayed frame, decoded frame, error and uncertainty, one column a frame.

    Parameters
    ----------
    columns
        Indices of frames; None for a time between two of them in which nothing was decoded.
    mask
        (row, col) bool, the scored pixels, whose outline is drawn; none where all are.
    """
    names = ["displayed", "decoded", "error"]
    names += ["uncertainty"] if frames.uncertainty.any() else []
    widths = [_BREAK_WIDTH if k is None else 1.0 for k in columns]
    aspect = frames.displayed.shape[1] / frames.displayed.shape[2]
    row_inches = max(_ROW_INCHES * aspect / 0.5625, 0.5)
    row_inches = max(row_inches * COLUMNS / (sum(widths) + 1.0), _LOWEST_ROW_INCHES)
    figure = new_figure(height=_HEAD_INCHES + row_inches * len(names))
    grid = figure.subplots(
        len(names), len(columns) + 1, width_ratios=[*widths, 0.09], squeeze=False
    )
    for row, name in zip(grid, names, strict=True):
        row[0].set_ylabel(name, color=INK, fontsize=7.5)
    drawn: list[AxesImage] = []
    for column, k in enumerate(columns):
        axes = [row[column] for row in grid]
        if k is None:
            _draw_break(axes)
        else:
            drawn = _draw_column(axes, frames, k, mask)
    for panel in grid[:, :-1].flat:
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
    _draw_scales(figure, [row[-1] for row in grid], drawn)
    return figure


def _draw_column(axes: Sequence[Axes], frames: Frames, k: int, mask: Mask) -> list[AxesImage]:
    displayed, decoded = (video[k].astype(float) for video in (frames.displayed, frames.decoded))
    grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255}
    error = {"cmap": _ERROR_COLOURS, "vmin": -_FULL_ERROR, "vmax": _FULL_ERROR}
    most = float(np.nanmax(frames.uncertainty)) or 1.0
    pictures = [
        (displayed, grey),
        (decoded, grey),
        (decoded - displayed, error),
        (frames.uncertainty[k], {"cmap": "viridis", "vmin": 0, "vmax": most}),
    ]
    axes[0].set_title(f"{frames.t_s[k]:.1f} s", fontsize=7.5, color=INK)
    drawn = []
    for panel, (picture, how) in zip(axes, pictures, strict=False):
        drawn.append(panel.imshow(picture, interpolation="nearest", **how))
        if mask.any() and not mask.all():
            panel.contour(mask, [0.5], colors=_OUTLINE, linewidths=0.7)
    return drawn


def _draw_break(column: Sequence[Axes]) -> None:
    for axes in column:
        axes.set_facecolor(HOLE)
    column[1].text(
        0.5, 0.5, "not decoded", rotation=90, transform=column[1].transAxes, ha="center",
        va="center", fontsize=7, color=SOFT,
    )  # fmt: skip


def _draw_scales(figure: Figure, places: Sequence[Axes], drawn: Sequence[AxesImage]) -> None:
    labels = ("grey level", "", "error", "SD")
    for panel, image, label in zip(places, drawn, labels, strict=False):
        if not label:
            panel.set_axis_off()
            continue
        low, high = image.get_clim()
        ticks = [low, 0, high] if low < 0 else [low, high]
        scale = figure.colorbar(image, cax=panel, ticks=ticks, format="%.0f")
        scale.set_label(label, fontsize=7)
        scale.outline.set_visible(False)
        panel.tick_params(length=0, labelsize=7)
