"""The section of a report that compares the live estimate with the offline one."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from rtdecode.evaluate.metrics import Mask
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.report import html
from rtdecode.report.figure_files import ReportFigure, new_figure, styled, written
from rtdecode.report.figures import BLUE, INK, ORANGE, quiet
from rtdecode.report.online_offline import ComparedClip, compared_clips
from rtdecode.schema.disk import write_errors_named
from rtdecode.session.layout import SessionLayout
from rtdecode.session.recorded import RecordedSession

_SHOWN = 6
_ROWS = ("displayed", "online", "offline")
_HEAD = ("clip", "from, s", "frames", "video r online", "video r offline", "online with offline")


def offline_section(
    session: SessionLayout, folder: Path, advance: Callable[[int, int], None]
) -> list[str]:
    """Compute the offline estimate of some clips, write its figure into `folder`; the HTML.

    Raises as `compared_clips`, and FileWriteError.
    """
    recorded = RecordedSession(session.folder)
    clips = compared_clips(recorded, advance)
    mask = scoring_mask(recorded.config)
    rows = [_row(one, mask) for one in clips]
    caption = (
        "Online and offline estimate of the same responses. Above: frames of one clip. Below: root "
        "mean square difference of each from the displayed frames, in grey levels."
    )
    alt = "Displayed frames, online and offline estimates, and their errors over time"
    with styled(), write_errors_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        drawn = ReportFigure("online_offline", comparison_figure(clips, mask), alt, caption)
        figure = written(drawn, folder)
    title = "Online and offline, over the frames that were decoded live"
    stated = html.marked(_sentence(clips, mask), "lead")
    return [stated, figure, html.table(title, head=_HEAD, rows=rows)]


def _row(one: ComparedClip, mask: Mask) -> list[str]:
    numbers = [f"{value:.2f}" if np.isfinite(value) else "–" for value in one.scores(mask)]
    return [one.clip, f"{one.t_start_s:.1f}", f"{one.compared:,} of {len(one.online):,}", *numbers]


def _sentence(clips: Sequence[ComparedClip], mask: Mask) -> str:
    scores = np.array([one.scores(mask) for one in clips])
    online, offline, both = (
        float(np.mean(column[np.isfinite(column)])) if np.isfinite(column).any() else float("nan")
        for column in scores.T
    )
    lost = sum(len(one.online) - one.compared for one in clips)
    total = sum(len(one.online) for one in clips)
    return (
        f"On {len(clips)} clips the live estimate has video r {online:.2f}, and the offline "
        f"inversion of the same responses {offline:.2f}; the two correlate with {both:.2f}. Live, "
        f"{lost:,} of {total:,} frames were not decoded, which the offline estimate has."
    )


def comparison_figure(clips: Sequence[ComparedClip], mask: Mask) -> Figure:
    """Frames of the clip with most frames, and the error of each estimate over time."""
    shown = max(clips, key=lambda one: one.compared)
    figure = new_figure(height=3.6)
    above, below = figure.subfigures(2, 1, height_ratios=(1.5, 1), squeeze=False).ravel()
    usable = np.flatnonzero(np.isfinite(shown.online).all((1, 2)))
    if usable.size > _SHOWN:
        usable = usable[((np.arange(_SHOWN) + 0.5) * usable.size / _SHOWN).astype(int)]
    grid = above.subplots(len(_ROWS), max(1, len(usable)), squeeze=False)
    for row, name in zip(grid, _ROWS, strict=True):
        row[0].set_ylabel(name, color=INK)
        for axes, k in zip(row, usable, strict=False):
            video = getattr(shown, name)
            axes.imshow(video[k], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    for axes, k in zip(grid[0], usable, strict=False):
        axes.set_title(f"{shown.t_s[k]:.1f} s", fontsize=7.5, color=INK)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    axes = below.subplots()
    for one in clips:
        for name, colour in (("online", BLUE), ("offline", ORANGE)):
            label = name if one is clips[0] else None
            # frames that were decoded alone, in overload, have no line
            mark = {"marker": "." if name == "online" else "", "markersize": 2.5}
            axes.plot(one.t_s, _rms(one, name, mask), color=colour, lw=0.9, label=label, **mark)
    axes.set_xlabel("time in the session (s)")
    axes.set_ylabel("RMS error (grey levels)")
    axes.set_ylim(0, None)
    axes.legend(frameon=False, ncols=2, loc="upper right", borderpad=0)
    quiet(axes)
    return figure


def _rms(one: ComparedClip, name: str, mask: Mask) -> np.ndarray:
    difference = (getattr(one, name) - one.displayed)[:, mask]
    return np.asarray(np.sqrt((difference.astype(np.float64) ** 2).mean(1)))
