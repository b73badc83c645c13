"""Draws one moment of a session: displayed, decoded, error and uncertainty side by side.

Duties: lay the four panels out for a size of the screen, enlarge pixels sharply, and write
captions, time, clip, running score, scales and lag. What does not change is drawn once. It must not
read a session or encode a video.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rtdecode.export.colours import (
    FULL_ERROR,
    FULL_UNCERTAINTY,
    error_colours,
    error_rgb,
    grey_rgb,
    uncertainty_colours,
    uncertainty_rgb,
)
from rtdecode.export.lettering import (
    drawn_line,
    enlarged,
    outline,
    painted,
    text_image,
    write,
)
from rtdecode.export.moments import Moment

U8 = NDArray[np.uint8]
GROUND, PANEL, LINE = (11, 14, 19), (18, 23, 31), (34, 42, 54)
INK, SOFT, ACCENT, FAINT = (230, 234, 240), (141, 153, 168), (143, 184, 222), (58, 70, 86)
"""Colours of the page, in its dark theme."""
CAPTIONS = ("Displayed", "Decoded", "Error", "Uncertainty")
_WORDS = ("not known", "not decoded", "needs both frames", "not computed")
"""What an empty panel states."""
_WIDTH, _HEIGHT = 1792, 560
"""Width that the four panels share at most, and height of each, in px."""
_MARGIN, _GAP = 28, 24
_TOP, _CAPTION, _BELOW, _FOOT = 92, 44, 92, 40
_BAR, _TRACE, _BELOW_PANEL = 12, 70, 14
_TICK, _LEAST_WIDTH = 44, 640
_TITLE, _TEXT, _SMALL = 32, 26, 19
"""Sizes of texts in px."""


@dataclass(frozen=True, slots=True)
class Sentences:
    """What a video states about its session."""

    lag: str
    """Of the decoder, such as `lag 8 frames (267 ms)`."""
    footer: str
    score_window: str
    """What the running score covers, such as `last 10 s`."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The running score over the time of the video."""

    t_s: NDArray[np.float64]
    video_r: NDArray[np.float64]
    start_s: float
    end_s: float

    @property
    def is_empty(self) -> bool:
        """Whether nothing was scored in this time."""
        return not ((self.t_s >= self.start_s) & (self.t_s < self.end_s)).any()


class Panels:
    """Pictures of the moments of one session, all of one size.

    Parameters
    ----------
    shape
        (row, col) of the frames.
    sentences
        What does not change.
    trace
        The running score, drawn below the first two panels.
    mask
        (row, col) scored pixels, whose outline is drawn; None draws none.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        *,
        sentences: Sentences,
        trace: Trace,
        mask: NDArray[np.bool_] | None = None,
    ) -> None:
        rows, cols = shape
        self.scale = max(1, min(_WIDTH // (len(CAPTIONS) * cols), _HEIGHT // rows))
        self._sentences, self._trace = sentences, trace
        self.panel_px = (rows * self.scale, cols * self.scale)
        self._outline = None if mask is None else outline(enlarged(mask, self.scale))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the pictures in px; both are even, as encoders need it."""
        height, width = self.panel_px
        whole = _TOP + _CAPTION + height + _BELOW + _FOOT
        wide = 2 * _MARGIN + len(CAPTIONS) * width + (len(CAPTIONS) - 1) * _GAP
        return whole + whole % 2, max(wide + wide % 2, _LEAST_WIDTH)

    def corner(self, panel: int) -> tuple[int, int]:
        """(row, col) of the first pixel of a panel."""
        return _TOP + _CAPTION, _MARGIN + panel * (self.panel_px[1] + _GAP)

    def picture(self, moment: Moment) -> U8:
        """(row, col, rgb) picture of one moment."""
        picture = self._still.copy()
        self._draw_trace(picture, moment)
        for panel, content in enumerate(self._contents(moment)):
            row, col = self.corner(panel)
            height, width = self.panel_px
            place = picture[row : row + height, col : col + width]
            if content is None:
                place[:] = _word(_WORDS[panel], height, width)
                continue
            place[:] = enlarged(content, self.scale)
            if self._outline is not None:
                place[self._outline] = INK
        self._draw_head(picture, moment)
        return picture

    def _contents(self, moment: Moment) -> tuple[U8 | None, ...]:
        displayed, decoded, sd = moment.displayed, moment.decoded, moment.uncertainty
        both = displayed is not None and decoded is not None and displayed.shape == decoded.shape
        return (
            None if displayed is None else grey_rgb(displayed),
            None if decoded is None else grey_rgb(decoded),
            error_rgb(displayed, decoded) if both else None,  # type: ignore[arg-type]
            None if sd is None else uncertainty_rgb(sd),
        )

    def _draw_head(self, picture: U8, moment: Moment) -> None:
        """Time and clip on the left, score on the right, state of the decoder at its caption."""
        _, width = self.size
        at = write(picture, (22, _MARGIN), f"{moment.t_s:.1f} s", _TITLE, INK, bold=True)
        write(picture, (28, max(at + _GAP, _MARGIN + 150)), moment.clip, _TEXT, SOFT)
        if not math.isnan(moment.video_r):
            window = self._sentences.score_window
            start = write(picture, (30, width - _MARGIN), window, _SMALL + 2, SOFT, right=True)
            text = f"video r {moment.video_r:.2f}"
            write(picture, (22, start - 14), text, _TITLE, INK, right=True, bold=True)
        row, col = self.corner(1)
        state = self._sentences.lag if moment.warm else "horizon not full yet"
        end = col + self.panel_px[1]
        write(picture, (row - _CAPTION + 12, end), state, _SMALL, SOFT, right=True)

    @cached_property
    def _still(self) -> U8:
        """What is the same in all pictures."""
        height, width = self.size
        still = np.full((height, width, 3), GROUND, np.uint8)
        for panel, caption in enumerate(CAPTIONS):
            row, col = self.corner(panel)
            write(still, (row - _CAPTION + 6, col), caption, _TEXT, INK, bold=True)
        for panel, unit in ((2, "decoded − displayed, grey levels"), (3, "SD, grey levels")):
            row, col = self.corner(panel)
            end = col + self.panel_px[1]
            write(still, (row - _CAPTION + 12, end), unit, _SMALL, SOFT, right=True)
        labels = (f"−{FULL_ERROR} darker", "0", f"brighter {FULL_ERROR}")
        self._draw_scale(still, 2, _error_bar(), labels)
        self._draw_scale(still, 3, uncertainty_colours(), ("0", "", str(FULL_UNCERTAINTY)))
        write(still, (height - _FOOT + 4, _MARGIN), self._sentences.footer, _SMALL, SOFT)
        return still

    def _draw_scale(
        self, picture: U8, panel: int, colours: U8, labels: tuple[str, str, str]
    ) -> None:
        row, col = self.corner(panel)
        height, width = self.panel_px
        top = row + height + _BELOW_PANEL
        chosen = np.linspace(0, len(colours) - 1, width).astype(int)
        picture[top : top + _BAR, col : col + width] = colours[chosen]
        low, middle, high = labels
        below = top + _BAR + 8
        write(picture, (below, col), low, _SMALL, SOFT)
        write(picture, (below, col + width), high, _SMALL, SOFT, right=True)
        if middle:
            half = text_image(middle, _SMALL).shape[1] // 2
            write(picture, (below, col + width // 2 - half), middle, _SMALL, SOFT)

    @cached_property
    def _trace_images(self) -> tuple[U8, U8]:
        """The score over time, dim and bright, in the place below the first two panels."""
        width = 2 * self.panel_px[1] + _GAP
        dim = np.full((_TRACE, width, 3), GROUND, np.uint8)
        half = text_image("r 1", _SMALL).shape[0] // 2
        area = slice(half, _TRACE - half)
        dim[[area.start, area.stop - 1], _TICK:] = LINE
        write(dim, (0, 0), "r 1", _SMALL, SOFT)
        write(dim, (_TRACE - 2 * half, 0), "r 0", _SMALL, SOFT)
        bright = dim.copy()
        trace = self._trace
        share = (trace.t_s - trace.start_s) / (trace.end_s - trace.start_s)
        height = np.clip(trace.video_r, 0, 1)
        cover = drawn_line(area.stop - area.start, width - _TICK, share, height, thickness=3)
        painted(dim[area, _TICK:], cover, FAINT)
        painted(bright[area, _TICK:], cover, ACCENT)
        return dim, bright

    def _draw_trace(self, picture: U8, moment: Moment) -> None:
        """The score up to this moment bright, and what follows dim."""
        if self._trace.is_empty:
            return
        dim, bright = self._trace_images
        trace = self._trace
        share = (moment.t_s - trace.start_s) / (trace.end_s - trace.start_s)
        until = _TICK + round(float(np.clip(share, 0, 1)) * (dim.shape[1] - _TICK))
        row, col = self.corner(0)
        top = row + self.panel_px[0] + _BELOW_PANEL
        place = picture[top : top + _TRACE, col : col + dim.shape[1]]
        place[:] = dim
        place[:, :until] = bright[:, :until]


def _word(text: str, height: int, width: int) -> U8:
    """An empty panel that states why."""
    empty = np.full((height, width, 3), PANEL, np.uint8)
    cover = text_image(text, _TEXT)
    at = (height - cover.shape[0]) // 2, (width - cover.shape[1]) // 2
    write(empty, at, text, _TEXT, SOFT)
    return empty


def _error_bar() -> U8:
    """The part of the error colours between both ends of the scale."""
    middle = len(error_colours()) // 2
    return error_colours()[middle - FULL_ERROR : middle + FULL_ERROR + 1]
