"""The imaged cells in a report: field of view with ROIs, traces of some, noise and movement.

Of the fluorescence a excerpt in the middle of the session is read, so that memory is bounded.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.register import mean_of_aligned
from rtdecode.report import html
from rtdecode.report.cells_figure import CellsFigure, cells_figure
from rtdecode.report.collected import Collected
from rtdecode.report.figure_files import ReportFigure
from rtdecode.schema.config.calcium import CALIBRATION_FILE, CalciumConfig, plane_folder
from rtdecode.schema.errors import RtdecodeError
from rtdecode.session.recorded import RecordedSession

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
_MOST_SCANS = 1_800
_SHOWN = 8
_FEWEST_SCANS = 3
_PERCENT = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class _Excerpt:
    """Fluorescence of one plane over some consecutive scans."""

    t_s: F64
    f_counts: F32
    """(scan, neuron)"""
    rate_hz: float

    def most_active(self) -> NDArray[np.int64]:
        """Neurons of the largest range (99th percentile minus median) over noise."""
        if len(self.f_counts) < _FEWEST_SCANS:
            return np.arange(min(_SHOWN, self.f_counts.shape[1]))
        noise = np.abs(np.diff(self.f_counts, axis=0)).mean(0) + 1e-6
        high, middle = np.percentile(self.f_counts, [99, 50], axis=0)
        return np.argsort(-(high - middle) / noise, kind="stable")[:_SHOWN]

    def noise(self) -> F64:
        """(neuron,) standardised noise level in %/√Hz; NaN where it cannot be computed.

        Median of |ΔF/F[t+1] − ΔF/F[t]| / √f (Rupprecht et al. 2021, Nat. Neurosci. 24:1324), with
        the median of the excerpt as F.
        """
        resting = np.median(self.f_counts, axis=0).astype(np.float64)
        if len(self.f_counts) < _FEWEST_SCANS or not self.rate_hz > 0:
            return np.full(len(resting), np.nan)
        steps = np.median(np.abs(np.diff(self.f_counts, axis=0)), axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = _PERCENT * steps / resting / np.sqrt(self.rate_hz)
        return np.where(resting > 0, found, np.nan)


def cells_section(
    recorded: RecordedSession, collected: Collected, config: CalciumConfig
) -> tuple[list[ReportFigure], list[str], str]:
    """Figures of each plane, parts of the page, and what is missing (empty where nothing is)."""
    if "fluorescence" not in recorded.streams:
        return [], [], "No fluorescence was recorded: no scan was read before the session ended."
    figures, rows, reasons = [], list[list[str]](), []
    for plane in config.decoded_planes:
        try:
            found = _plane(recorded, collected, config, plane)
        except RtdecodeError as error:
            reasons.append(f"Cells of plane {plane} are not shown: {error}.")
            continue
        figures.append(found[0])
        rows.append(found[1])
    head = ["plane", "neurons", "scans", "scan rate (Hz)", "noise, median (%/√Hz)"]
    head += ["movement, median (px)", "movement, maximum (px)"]
    return figures, [html.table("Cells", head=head, rows=rows)], " ".join(reasons)


def _plane(
    recorded: RecordedSession, collected: Collected, config: CalciumConfig, plane: int
) -> tuple[ReportFigure, list[str]]:
    excerpt = _excerpt(recorded, config, plane)
    rois, shifts = recorded.rois.get(plane), collected.shifts(plane)
    noise = excerpt.noise()
    figure = cells_figure(
        CellsFigure(
            image=_mean_image(recorded, config, plane),
            rois=rois,
            t_s=excerpt.t_s,
            f_counts=excerpt.f_counts,
            drawn=excerpt.most_active(),
            noise=noise,
            shift_t_s=shifts.t_s(recorded.zero_ns),
            shifts_px=shifts.px,
            length_s=recorded.seconds,
        )
    )
    of_plane = f" of plane {plane}" if config.several_planes else ""
    name = f"cells_plane{plane}" if config.several_planes else "cells"
    stated = "ROIs on the mean image, " if rois is not None else ""
    caption = (
        f"Cells{of_plane}. {stated}fluorescence of the {len(excerpt.most_active())} most active "
        f"over {excerpt.t_s[-1] - excerpt.t_s[0]:.0f} s in the middle of the session (scale bar of "
        f"each: its range in counts), noise of all neurons, and movement by registration."
    )
    row = [
        str(plane),
        f"{excerpt.f_counts.shape[1]:,}",
        f"{shifts.seen:,}",
        f"{excerpt.rate_hz:.2f}",
        _number(np.nanmedian(noise) if np.isfinite(noise).any() else np.nan),
        *_moved(shifts.px),
    ]
    alt = f"Field of view with ROIs, traces, noise and movement{of_plane}"
    return ReportFigure(name, figure, alt, caption), row


def _moved(shifts_px: F64) -> tuple[str, str]:
    """Median and maximum distance in px from the median position, as text."""
    if not len(shifts_px):
        return "–", "–"
    moved_px = np.hypot(*(shifts_px - np.median(shifts_px, axis=0)).T)
    return f"{np.median(moved_px):.2f}", f"{moved_px.max():.2f}"


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


def _excerpt(recorded: RecordedSession, config: CalciumConfig, plane: int) -> _Excerpt:
    """Consecutive scans in the middle; BadInputError where the plane has none of one size."""
    stream = recorded.fluorescence
    if config.several_planes:
        stream = stream.of_plane(plane)
    first = max(0, (len(stream) - _MOST_SCANS) // 2)
    read = stream[first : first + _MOST_SCANS].load()
    return _Excerpt(read.t_s, read.values, read.rate_hz)


def _mean_image(recorded: RecordedSession, config: CalciumConfig, plane: int) -> F32 | None:
    """Reference image of the calibration; of the first scans where it is missing; else None."""
    folder = recorded.folder
    if config.several_planes:
        folder /= plane_folder(plane)
    if (folder / CALIBRATION_FILE).is_file():
        return Calibration.load(folder / CALIBRATION_FILE).reference_counts
    if "scans" not in recorded.streams:
        return None
    scans = recorded.scans.of_plane(plane) if config.several_planes else recorded.scans
    first = scans[: config.reference_scans].load().values
    return mean_of_aligned(list(first), max_shift_px=config.max_shift_px) if len(first) else None
