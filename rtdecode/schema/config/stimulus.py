"""What the animal sees, and on which screen."""

from enum import StrEnum
from pathlib import Path

from pydantic import model_validator

from rtdecode.schema.config.section import Count, Index, NotNegative, Positive, Section

EMBEDDED_PX = (36, 64)
"""(rows, cols) of the clips that come with the project."""


class Presenter(StrEnum):
    """How frames reach the eye."""

    PSYCHOPY = "psychopy"
    HEADLESS = "headless"


class Display(StrEnum):
    """Which X display the window opens on."""

    AUTO = "auto"
    """$DISPLAY; where there is none, a virtual one."""
    VIRTUAL = "virtual"
    """An Xvfb of its own, which nobody sees."""


class StimulusConfig(Section):
    """A window that shows clips, frame-locked to the movie's rate."""

    presenter: Presenter = Presenter.PSYCHOPY
    """A real window, or none: frames are only counted and told."""
    display: Display = Display.AUTO
    """Which X display the window opens on; auto: $DISPLAY, else a virtual one."""
    clips: Path | None = None
    """A video or a folder of videos, shown whole; without it the embedded clips are shown."""
    seed: int = 0
    """Chooses embedded clips, and the order of all clips."""
    rows_px: Count = 36
    """Rows of a movie frame, as decoded."""
    cols_px: Count = 64
    """Columns of it."""
    frame_rate_hz: Positive = 30.0
    """Of the movie; the monitor must refresh at least as often."""
    refresh_hz: Positive | None = None
    """Of the monitor; measured where it is not given, and checked where it is."""
    window_px: tuple[Count, Count] = (640, 360)
    """(width, height)."""
    fullscreen: bool = False
    """Cover the screen, whatever `window_px` says."""
    screen: Index = 0
    """Which of the display's screens, from 0."""
    sync_patch_px: Index = 40
    """Side of the corner square that a photodiode watches; 0: none."""
    light_delay_ms: NotNegative = 0.0
    """Time from a flip to light on the monitor, as measured with the photodiode."""
    clip_s: Positive = 10.0
    """Length of an embedded clip."""
    embedded_clips: Count = 12
    """How many embedded clips there are before they repeat, in another order."""

    @model_validator(mode="after")
    def _embedded_size(self) -> "StimulusConfig":
        if self.clips is None and (self.rows_px, self.cols_px) != EMBEDDED_PX:
            raise ValueError(
                f"the embedded clips have 36 x 64 pixels, got {self.rows_px} x {self.cols_px}: "
                f"leave rows_px and cols_px out, or set stimulus.clips to videos of your own"
            )
        return self
