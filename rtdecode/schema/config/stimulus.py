"""What the animal sees, and on which screen."""

from enum import StrEnum
from pathlib import Path

from rtdecode.schema.config.section import Count, Index, NotNegative, Positive, Section


class Presenter(StrEnum):
    """How frames reach the eye."""

    PSYCHOPY = "psychopy"
    HEADLESS = "headless"


class StimulusConfig(Section):
    """A window that shows clips, frame-locked to the movie's rate."""

    presenter: Presenter = Presenter.PSYCHOPY
    clips: Path | None = None
    seed: int = 0
    rows_px: Count = 36
    cols_px: Count = 64
    frame_rate_hz: Positive = 30.0
    refresh_hz: Positive | None = None
    window_px: tuple[Count, Count] = (640, 360)
    fullscreen: bool = False
    screen: Index = 0
    sync_patch_px: Index = 40
    light_delay_ms: NotNegative = 0.0
    clip_s: Positive = 10.0
