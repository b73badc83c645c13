"""Sliding-window inversion of the twin, and when its frames go out."""

from pathlib import Path

from pydantic import model_validator

from rtdecode.schema.config.section import Count, Index, NotNegative, Positive, Section

_SETTLING_FRAMES = 4


class DecodeConfig(Section):
    """Sliding-window inversion of the twin."""

    twin: Path | None = None
    """Folder of the twin that is inverted, with its prior and its noise."""
    window_frames: Count = 36
    """What the twin sees at once."""
    free_frames: Count | None = None
    """The newest frames of the window, which each step improves; None: the lag and four more."""
    lag_frames: Index = 8
    """How many frames behind the newest responses a frame goes out."""
    steps: Count = 3
    """Improvements of the window for each time that frames come in."""
    deadline_ms: Positive = 30.0
    """No step begins that would end later, if it takes as long as the last one; the window goes out
    as it stands. The rest of a frame's 33 ms is for steps that take longer."""
    likelihood_weight: Positive | None = None
    """Weight of what neurons say against the prior; null: as measured with the twin."""
    threads: Count = 1
    """Threads that a step may use."""

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
    """Of the output, and of the grid on which everything is aligned."""
    budget_ms: NotNegative = 100.0
    """Time that computing and transport may take before a frame counts as late."""
