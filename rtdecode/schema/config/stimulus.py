"""Settings of the visual stimulus and of the screen that displays it."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import model_validator

from rtdecode.schema.config.monitor import MonitorConfig, PatchCode, PatchConfig
from rtdecode.schema.config.section import (
    AfterFailure,
    Count,
    Index,
    NotNegative,
    Positive,
    Section,
)

EMBEDDED_PX = (36, 64)
"""Rows and columns of the embedded clips."""
_EARLIER_PATCH = "sync_patch_px"


class Presenter(StrEnum):
    """Program that displays the frames."""

    PSYCHOPY = "psychopy"
    HEADLESS = "headless"


class Display(StrEnum):
    """X display on which the window opens."""

    AUTO = "auto"
    """$DISPLAY; where it is unset, a virtual display."""
    VIRTUAL = "virtual"
    """A virtual display (Xvfb), which needs no monitor."""


class StimulusConfig(Section):
    """A window that displays clips at `frame_rate_hz`, locked to the refreshes of the monitor."""

    presenter: Presenter = Presenter.PSYCHOPY
    """psychopy opens a window; headless opens none and only logs the frames."""
    display: Display = Display.AUTO
    """X display of the window: auto takes $DISPLAY, else a virtual one; virtual takes a virtual
    one."""
    clips: Path | None = None
    """A video or a folder of videos, displayed in full length; null displays the embedded clips.
    With a protocol, they are displayed on command only."""
    protocol: Path | None = None
    """A stimulus protocol in YAML or Python (docs/stimulus.md), after which the run ends; null
    displays the clips without end."""
    seed: int = 0
    """Seed of the embedded clips and of the order of all clips."""
    rows_px: Count = 36
    """Rows of a frame of the movie, which is also the decoded resolution."""
    cols_px: Count = 64
    """Columns of a frame of the movie."""
    refresh_hz: Positive | None = None
    """Refresh rate of the monitor in Hz, which is checked; null measures it."""
    window_px: tuple[Count, Count] = (640, 360)
    """Width and height of the window in px."""
    fullscreen: bool = False
    """True covers the whole screen, irrespective of `window_px`."""
    screen: Index = 0
    """Screen of the display, counted from 0."""
    patch: PatchConfig = PatchConfig()
    light_delay_ms: NotNegative = 0.0
    """Delay in ms from a flip to light on the monitor, as measured with a photodiode."""
    clip_s: Positive = 10.0
    """Length in s of an embedded clip."""
    embedded_clips: Count = 12
    """Number of embedded clips; they are repeated in a new order."""

    monitor: MonitorConfig | None = None

    after_failure: AfterFailure = AfterFailure.RESTART
    """Whether the stimulus is started again after a failure, or the failure ends the run. It
    continues with the next clip."""

    @model_validator(mode="before")
    @classmethod
    def _patch_of_earlier_configs(cls, given: Any) -> Any:
        """Read `sync_patch_px` of earlier configs, whose patch alternated."""
        if not isinstance(given, Mapping) or _EARLIER_PATCH not in given:
            return given
        if "patch" in given:
            raise ValueError(
                f"{_EARLIER_PATCH} is the earlier name of patch.size_px, and both are given: "
                f"remove {_EARLIER_PATCH}"
            )
        kept = {key: value for key, value in given.items() if key != _EARLIER_PATCH}
        patch = {"size_px": given[_EARLIER_PATCH], "code": PatchCode.ALTERNATE}
        return {**kept, "patch": patch}

    @model_validator(mode="after")
    def _embedded_size(self) -> "StimulusConfig":
        if self._shows_embedded() and (self.rows_px, self.cols_px) != EMBEDDED_PX:
            raise ValueError(
                f"the embedded clips have 36 x 64 pixels, got {self.rows_px} x {self.cols_px}: "
                f"leave rows_px and cols_px out, or set stimulus.clips to videos of your own"
            )
        return self

    def _shows_embedded(self) -> bool:
        return self.clips is None and self.protocol is None
