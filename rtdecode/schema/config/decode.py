"""Sliding-window inversion of the twin, and when its frames go out."""

from pathlib import Path

from pydantic import model_validator

from rtdecode.schema.config.section import Count, Index, NotNegative, Positive, Section

_SETTLING_FRAMES = 4


class DecodeConfig(Section):
    """Sliding-window inversion of the twin."""

    twin: Path | None = None
    window_frames: Count = 36
    free_frames: Count | None = None
    """The newest frames of the window, which each step improves; None: the lag and four more."""
    lag_frames: Index = 8
    steps: Count = 3
    deadline_ms: Positive = 33.3
    tau: Positive | None = None
    threads: Count = 1

    @property
    def free_frames_used(self) -> int:
        """`free_frames`, or what follows from the lag."""
        free = self.lag_frames + _SETTLING_FRAMES if self.free_frames is None else self.free_frames
        return min(free, self.window_frames)

    @model_validator(mode="after")
    def _lag_fits(self) -> "DecodeConfig":
        if self.lag_frames >= self.window_frames:
            raise ValueError(
                f"lag_frames={self.lag_frames} lies outside the window: "
                f"it must be below window_frames={self.window_frames}"
            )
        if self.free_frames_used <= self.lag_frames:
            raise ValueError(
                f"free_frames={self.free_frames} must be above lag_frames={self.lag_frames}: "
                f"a frame goes out while it is still free"
            )
        return self


class EmitConfig(Section):
    """Paced output: frame k goes out when its time has come, ready or late."""

    frame_rate_hz: Positive = 30.0
    budget_ms: NotNegative = 100.0
