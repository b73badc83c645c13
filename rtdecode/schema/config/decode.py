"""Sliding-window inversion of the twin, and when its frames go out."""

from pathlib import Path

from pydantic import model_validator

from rtdecode.schema.config.section import Count, Index, NotNegative, Positive, Section


class DecodeConfig(Section):
    """Sliding-window inversion of the twin."""

    twin: Path | None = None
    window_frames: Count = 32
    lag_frames: Index = 8
    steps: Count = 3
    deadline_ms: Positive = 33.3
    tau: Positive | None = None
    threads: Count = 1

    @model_validator(mode="after")
    def _lag_fits(self) -> "DecodeConfig":
        if self.lag_frames >= self.window_frames:
            raise ValueError(
                f"lag_frames={self.lag_frames} lies outside the window: "
                f"it must be below window_frames={self.window_frames}"
            )
        return self


class EmitConfig(Section):
    """Paced output: frame k goes out when its time has come, ready or late."""

    frame_rate_hz: Positive = 30.0
    budget_ms: NotNegative = 100.0
