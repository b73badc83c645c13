"""Report of a session without decoder: mean image, ROIs, traces and movement of each plane."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.register import mean_of_aligned
from rtdecode.calcium.rois import Rois
from rtdecode.report import html
from rtdecode.report.calcium_figure import draw_calcium
from rtdecode.report.session_report import events_table
from rtdecode.report.summary import SessionSummary
from rtdecode.schema.config.calcium import CALIBRATION_FILE, MASKS_FILE, CalciumConfig, plane_folder
from rtdecode.schema.messages import Body, Fluorescence, Scan
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader

PICTURE, PAGE = "calcium.png", "index.html"
_MOST_SCANS = 4000


@dataclass(slots=True)
class _Traces:
    """Fluorescence evenly over the session, however long it is."""

    most: int = _MOST_SCANS
    every: int = 1
    kept: dict[int, Fluorescence] = field(default_factory=dict)
    seen: int = 0

    def add(self, scan: Fluorescence) -> None:
        if self.seen % self.every == 0:
            self.kept[self.seen] = scan
        self.seen += 1
        if len(self.kept) > self.most:
            self.every *= 2
            self.kept = {n: one for n, one in self.kept.items() if n % self.every == 0}


@dataclass(frozen=True, slots=True, eq=False)
class _Plane:
    """ROIs, mean image and fluorescence of one imaging plane."""

    number: int
    rois: Rois
    traces: _Traces
    mean_counts: NDArray[np.float32]

    @property
    def scans(self) -> list[Fluorescence]:
        """Fluorescence of these ROIs; earlier decoders gave that of others after a restart."""
        known = ("", self.rois.hash)
        return [
            scan
            for scan in self.traces.kept.values()
            if scan.rois_hash in known and len(scan.f_raw) == self.rois.count
        ]

    @property
    def moved_px(self) -> NDArray[np.float64]:
        """(scan,) distance in px from the median position."""
        shifts_px = self.shifts_px()
        moved: NDArray[np.float64] = np.hypot(*(shifts_px - np.median(shifts_px, axis=0)).T)
        return moved

    def shifts_px(self) -> NDArray[np.float32]:
        """(scan, 2) shift of each scan by registration, (row, col) in px."""
        return np.stack([scan.shift_px for scan in self.scans])


def report_calcium(session: SessionLayout, summary: SessionSummary, config: CalciumConfig) -> bool:
    """Write a picture of each plane and one page; False if there is nothing to draw.

    A session that ended before its ROIs were found has no ROIs or no fluorescence.
    """
    planes = [plane for plane in _planes(session, config) if plane.scans]
    if not planes:
        return False
    pictures = []
    for plane in planes:
        name, which = PICTURE, ""
        if config.several_planes:
            name, which = f"calcium_{plane_folder(plane.number)}.png", f", plane {plane.number}"
        pictures.append(session.report / name)
        _draw(plane, pictures[-1], title=f"{session.folder.name}{which}")
    page = _page(summary, pictures, planes)
    (session.report / PAGE).write_text(page, encoding="utf-8")
    return True


def _planes(session: SessionLayout, config: CalciumConfig) -> Iterator[_Plane]:
    """Those decoded planes that have ROIs and fluorescence."""
    traces = _traces(session.log)
    for number in config.decoded_planes:
        folder = session.folder
        if config.several_planes:
            folder /= plane_folder(number)
        if number in traces and (folder / MASKS_FILE).is_file():
            mean_counts = _mean_image(session, folder, config, plane=number)
            yield _Plane(number, Rois.load(folder / MASKS_FILE), traces[number], mean_counts)


def _traces(log: Path) -> dict[int, _Traces]:
    """Fluorescence of each plane, by its number."""
    traces: dict[int, _Traces] = {}
    for body in _bodies(log, Fluorescence):
        if isinstance(body, Fluorescence):
            traces.setdefault(body.plane, _Traces()).add(body)
    return traces


def _mean_image(
    session: SessionLayout, folder: Path, config: CalciumConfig, *, plane: int
) -> NDArray[np.float32]:
    """Reference image of the calibration; recomputed from the first scans where it is missing."""
    if (folder / CALIBRATION_FILE).is_file():
        return Calibration.load(folder / CALIBRATION_FILE).reference_counts
    scans = (
        body.pixels_counts
        for body in _bodies(session.log, Scan)
        if isinstance(body, Scan) and body.plane == plane
    )
    first = list(islice(scans, config.reference_scans))
    return mean_of_aligned(first, max_shift_px=config.max_shift_px)


def _bodies(log: Path, kind: type[Body]) -> Iterator[Body]:
    for item in LogReader(log).messages(lambda stream: stream.endswith(f"/{kind.kind}")):
        yield item.message.body


def _draw(plane: _Plane, picture: Path, *, title: str) -> None:
    scans = plane.scans
    t_ns = np.array([scan.t_scan_ns for scan in scans])
    draw_calcium(
        picture,
        mean_counts=plane.mean_counts,
        rois=plane.rois,
        times_s=(t_ns - t_ns[0]) / 1e9,
        f_counts=np.stack([scan.f_raw for scan in scans]),
        shifts_px=plane.shifts_px(),
        title=f"{title}: {plane.rois.count} neurons, {plane.traces.seen} scans",
    )


def _page(summary: SessionSummary, pictures: Sequence[Path], planes: Sequence[_Plane]) -> str:
    moved_px = np.concatenate([plane.moved_px for plane in planes])
    rows = [
        ["scans read", str(sum(plane.traces.seen for plane in planes))],
        ["neurons", str(sum(plane.rois.count for plane in planes))],
        ["messages that the log lacks", str(summary.lost_messages)],
        ["scans not decoded", str(summary.scans_not_decoded)],
        ["movement, median px", f"{np.median(moved_px):.2f}"],
        ["movement, maximum px", f"{moved_px.max():.2f}"],
    ]
    alt = "Mean image, ROIs, traces and movement"
    parts = [html.picture(picture.read_bytes(), alt=alt) for picture in pictures]
    parts.append(events_table(summary))
    parts.append(html.table("Figures", head=["", "value"], rows=rows))
    return html.page(f"Session {summary.session}", sentences=summary.sentences(), parts=parts)
