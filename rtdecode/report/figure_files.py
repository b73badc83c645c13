"""Figures of a report at the size of a printed page, as PNG and as PDF with text that is text.

A figure is drawn 7.2 inches wide, two columns of a journal, so that its letters keep their size in
print: 8 points, and 7 for the smallest. Colours are those of Okabe & Ito, distinct in all common
kinds of colour blindness.
"""

import io
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from rtdecode.report import html
from rtdecode.schema.disk import write_errors_named

WIDTH_INCHES = 7.2
FOLDER = "figures"
_DPI = 220


@dataclass(frozen=True, slots=True, eq=False)
class ReportFigure:
    """A figure with what a reader needs to understand it."""

    name: str
    """Name of its files, without ending."""
    drawn: Figure
    alt: str
    """What is seen, for those who cannot see it."""
    caption: str


def new_figure(*, height: float, width: float = WIDTH_INCHES) -> Figure:
    """A white figure of the width of a page."""
    padding = ConstrainedLayoutEngine(w_pad=0.04, h_pad=0.04, rect=(0.004, 0.006, 0.992, 0.988))
    return Figure(figsize=(width, height), facecolor="white", layout=padding)


def styled() -> AbstractContextManager[None]:
    """A context in which figures are made and written in the style of a report.

    Sizes are in points. Type 42 fonts keep the text in a PDF editable; DejaVu Sans comes with
    matplotlib, so that a figure is the same on all computers.
    """
    sizes = dict.fromkeys(("font.size", "axes.labelsize"), 8)
    small = dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 7.5)
    lines = {"axes.linewidth": 0.6, "lines.linewidth": 1.1}
    fonts = {"font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "pdf.fonttype": 42}
    style: dict[Any, Any] = {**sizes, **small, **lines, **fonts, "axes.titlesize": 9}
    return mpl.rc_context(style)


def written(figure: ReportFigure, folder: Path) -> str:
    """Write `figure` into `folder`/figures as PNG and PDF; its HTML."""
    place = folder / FOLDER
    png = io.BytesIO()
    with write_errors_named(place):
        place.mkdir(parents=True, exist_ok=True)
        figure.drawn.savefig(png, format="png", dpi=_DPI)
        # the layout is computed once, and is the same in both files
        figure.drawn.set_layout_engine("none")
        (place / f"{figure.name}.png").write_bytes(png.getvalue())
        # without a date, so that the same session gives the same file
        figure.drawn.savefig(place / f"{figure.name}.pdf", metadata={"CreationDate": None})
    return html.figure(png.getvalue(), alt=figure.alt, caption=figure.caption)
