"""What the calcium chain of a recorded session saw, out of its log into a picture and a page."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.masks import Masks
from rtdecode.calcium.reference import mean_of_aligned
from rtdecode.pipeline.calcium_stage import CALIBRATION_FILE, MASKS_FILE
from rtdecode.pipeline.summary import Summary
from rtdecode.report import html
from rtdecode.report.calcium_figure import draw_calcium
from rtdecode.schema.config.calcium import CalciumConfig
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


def report_calcium(session: SessionLayout, summary: Summary, config: CalciumConfig) -> bool:
    """Write picture and page of what the chain saw; False where it saw nothing yet.

    A session whose cells were never found, or that ended before, has no masks or no fluorescence.
    """
    traces = _traces(session.log)
    if not traces.kept or not (session.folder / MASKS_FILE).is_file():
        return False
    masks, scans = Masks.load(session.folder / MASKS_FILE), list(traces.kept.values())
    t_ns = np.array([scan.t_scan_ns for scan in scans])
    shifts_px = np.stack([scan.shift_px for scan in scans])
    picture = session.report / PICTURE
    draw_calcium(
        picture,
        mean_counts=_mean_image(session, config),
        masks=masks,
        times_s=(t_ns - t_ns[0]) / 1e9,
        f_counts=np.stack([scan.f_counts for scan in scans]),
        shifts_px=shifts_px,
        title=f"{session.folder.name}: {masks.count} neurons, {traces.seen} scans",
    )
    page = _page(summary, picture, masks=masks, scans=traces.seen, shifts_px=shifts_px)
    (session.report / PAGE).write_text(page, encoding="utf-8")
    return True


def _traces(log: Path) -> _Traces:
    traces = _Traces()
    for body in _bodies(log, Fluorescence):
        if isinstance(body, Fluorescence):
            traces.add(body)
    return traces


def _mean_image(session: SessionLayout, config: CalciumConfig) -> NDArray[np.float32]:
    """The chain's reference image; made again as it made it where it left no calibration."""
    if (session.folder / CALIBRATION_FILE).is_file():
        return Calibration.load(session.folder / CALIBRATION_FILE).reference_counts
    scans = (
        body.pixels_counts
        for body in _bodies(session.log, Scan)
        if isinstance(body, Scan) and body.plane == config.plane
    )
    first = list(islice(scans, config.reference_scans))
    return mean_of_aligned(first, max_shift_px=config.max_shift_px)


def _bodies(log: Path, kind: type[Body]) -> Iterator[Body]:
    for item in LogReader(log).messages(lambda stream: stream.endswith(f"/{kind.kind}")):
        yield item.message.body


def _page(
    summary: Summary,
    picture: Path,
    *,
    masks: Masks,
    scans: int,
    shifts_px: NDArray[np.float32],
) -> str:
    moved_px = np.hypot(*(shifts_px - np.median(shifts_px, axis=0)).T)
    rows = [
        ["scans read", str(scans)],
        ["neurons", str(masks.count)],
        ["messages lost", str(summary.lost_messages)],
        ["movement, median px", f"{np.median(moved_px):.2f}"],
        ["movement, largest px", f"{moved_px.max():.2f}"],
    ]
    parts = [
        html.picture(picture.read_bytes(), says="Mean image, masks, traces and movement"),
        html.table("Figures", head=["", "value"], rows=rows),
    ]
    sentences = summary.in_words().splitlines()
    return html.page(f"Session {summary.session}", sentences=sentences, parts=parts)
